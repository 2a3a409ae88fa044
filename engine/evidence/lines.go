package evidence

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"slices"
)

// maxLine is the largest bundle that is written or read, in bytes: that of the
// record which closes a run of 100,000 resets takes 30 MB.
const maxLine = 40 << 20

// largeLine is from where on a line waits for its turn to be in memory.
const largeLine = 1 << 20

var (
	errLong    = fmt.Errorf("the line is longer than %d MiB", maxLine>>20)
	errForeign = errors.New("not a Sigstore bundle v0.3 as remint writes it")
)

// lineReader reads lines of bounded length.
type lineReader struct {
	r *bufio.Reader
	// head, if given, is how every line must begin; one that does not is skipped
	// without being held in memory, and foreign is set while it is.
	head    []byte
	foreign bool
	// large, if given, is a channel of capacity 1 that lets one large line at a
	// time into memory.
	large chan struct{}
	holds bool
}

// next reads a line, without its newline; it is valid until the next call. The
// error is errForeign for a line that begins otherwise than with head, and io.EOF
// with what stood after the last newline.
func (l *lineReader) next() ([]byte, error) {
	l.done()
	if err := l.skip(); err != nil {
		return nil, err
	}
	var line []byte
	for {
		part, err := l.r.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		switch {
		case line == nil && len(part) > 0 && !bytes.HasPrefix(part, l.head):
			l.foreign = full
			return nil, errForeign
		case len(line)+len(part) > maxLine+1:
			return nil, errLong
		}
		line = l.grow(line, part)
		if full {
			continue
		}
		if err == nil {
			line = line[:len(line)-1]
		}
		return line, err
	}
}

// skip passes over what is left of a foreign line.
func (l *lineReader) skip() error {
	for l.foreign {
		_, err := l.r.ReadSlice('\n')
		l.foreign = errors.Is(err, bufio.ErrBufferFull)
		if err != nil && !l.foreign {
			return err
		}
	}
	return nil
}

func (l *lineReader) grow(line, part []byte) []byte {
	if l.large != nil && !l.holds && len(line)+len(part) > largeLine {
		l.large <- struct{}{}
		l.holds = true
	}
	if need := len(line) + len(part); need > cap(line) {
		line = slices.Grow(line, max(len(part), min(len(line), maxLine-len(line))))
	}
	return append(line, part...)
}

// done lets go of the last line.
func (l *lineReader) done() {
	if l.holds {
		<-l.large
		l.holds = false
	}
}
