package journal

import (
	"fmt"
	"time"

	"github.com/klauspost/compress/zstd"
)

// maxBody bounds what a run's plan may unpack to.
const maxBody = 2 << 30

// nanos is how the state holds times; 0 is the zero time.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

// pack compresses: a plan of ten thousand resets repeats itself.
func pack(b []byte) []byte {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		panic(fmt.Sprintf("journal: zstd refuses its own options: %v", err))
	}
	defer func() { _ = w.Close() }()
	return w.EncodeAll(b, nil)
}

func unpack(b []byte) ([]byte, error) {
	r, err := zstd.NewReader(nil, zstd.WithDecoderMaxMemory(maxBody), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.DecodeAll(b, nil)
}
