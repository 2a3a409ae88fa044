//go:build !linux

package main

func trapped() {}
