// Package pack is how every kind of state holds what it is given: what a run keeps
// whole is compressed, times are numbers.
package pack

import (
	"fmt"

	"github.com/klauspost/compress/zstd"
)

// maxBody bounds what may come out of Restore.
const maxBody = 2 << 30

// Bytes compresses: a plan of ten thousand resets repeats itself.
func Bytes(b []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(fmt.Sprintf("pack: zstd refuses its own options: %v", err))
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll(b, nil)
}

// Restore gives what Bytes was given, with a bound on its size.
func Restore(b []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(b, nil)
}
