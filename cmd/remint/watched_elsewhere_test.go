//go:build !linux && !race

package main

func byKernel(string) bool { return false }

func (c *crash) watched(string, string, ...string) (any, string, int) {
	return nil, "only Linux can", -2
}
