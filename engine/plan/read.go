package plan

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/remint-dev/remint/internal/jsonstream"
)

// MaxSize is the largest plan file that Write makes and Read takes, in bytes: twice
// what a plan of 100,000 resets needs (2.7 KB for a password with one store).
const MaxSize = 512 << 20

// ErrAltered says that a plan file is not what was written.
var ErrAltered = errors.New("the plan file is damaged or was altered")

// ErrFormat says that the file is no plan, or one of another format version.
var ErrFormat = errors.New("not a plan file of this version")

// Read reads a plan file and checks that it is exactly what Write wrote. It goes
// over r three times and never holds it: what is no plan, or is damaged, costs no
// memory however large it is, and of a plan only what is in it is kept.
func Read(r io.ReadSeeker) (*File, error) {
	if err := sniff(r); err != nil {
		return nil, err
	}
	if err := whole(r); err != nil {
		return nil, err
	}
	f, err := decode(r)
	if err != nil {
		return nil, err
	}
	if !IsID(f.ID) {
		return nil, fmt.Errorf("%w: its id is none that remint makes", ErrAltered)
	}
	digest, err := f.Plan.ComputeDigest()
	if err != nil || digest != f.Digest {
		return nil, fmt.Errorf("%w: its content does not have the digest that it states", ErrAltered)
	}
	// Written again it must be the same bytes: this finds what a checksum made to
	// fit hides, such as duplicate members and other spellings of the same value.
	want, err := from(r)
	if err != nil {
		return nil, err
	}
	same := &comparing{rest: bufio.NewReaderSize(want, 64<<10)}
	stated := f.Checksum
	if err := f.Write(same); err != nil || same.differs || !same.ended() || f.Checksum != stated {
		return nil, ErrAltered
	}
	return f, nil
}

// IsID reports whether s is what plans are called, 8 to 64 hexadecimal digits: it is
// shown, and becomes part of files' names.
func IsID(s string) bool {
	return len(s) >= 8 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// Recognized reports whether the file at path begins as a plan file does.
func Recognized(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, len(checksumHead))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == checksumHead
}

// from is r from its beginning, read with a bound: a file may grow meanwhile.
func from(r io.ReadSeeker) (io.Reader, error) {
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return io.LimitReader(r, MaxSize+1), nil
}

// sniffed is how much of a file shows what it is.
const sniffed = 4 << 10

// sniff refuses what is too large, no JSON, or a plan of another version. In every
// version the format's comes before the plan itself.
func sniff(r io.ReadSeeker) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size > MaxSize {
		return fmt.Errorf("%w: it has %d bytes, and more than %d MB are not read", ErrFormat, size, MaxSize>>20)
	}
	in, err := from(r)
	if err != nil {
		return err
	}
	head, err := io.ReadAll(io.LimitReader(in, sniffed))
	if err != nil {
		return err
	}
	dec := json.NewDecoder(bytes.NewReader(head))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return fmt.Errorf("%w: it is not a JSON document", ErrFormat)
	}
	stated := false
	for dec.More() {
		var version string
		var other json.RawMessage
		name, err := dec.Token()
		switch {
		case err != nil:
			return nil // cut, or damaged: the checksum tells
		case name == "plan" && stated:
			return nil
		case name == "plan":
			return fmt.Errorf("%w: it says no format_version", ErrFormat)
		case name != "format_version":
			if dec.Decode(&other) != nil {
				return nil
			}
		case dec.Decode(&version) == nil && version != FormatVersion:
			return fmt.Errorf("%w: it says format_version %q, this program reads %q", ErrFormat, version, FormatVersion)
		default:
			stated = true
		}
	}
	if _, err := dec.Token(); err == nil && !stated {
		return fmt.Errorf("%w: it says no format_version", ErrFormat)
	}
	return nil
}

// whole compares the file with the checksum that it begins with.
func whole(r io.ReadSeeker) error {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	in, err := from(r)
	if err != nil {
		return err
	}
	head := make([]byte, len(checksumHead)+len(`sha256:`)+2*sha256.Size+len(checksumTail))
	if _, err := io.ReadFull(in, head); err != nil {
		return cut(err)
	}
	stated, begins := strings.CutPrefix(string(head), checksumHead)
	stated, ends := strings.CutSuffix(stated, checksumTail)
	if !begins || !ends {
		return ErrAltered
	}
	h := sha256.New()
	_, _ = io.WriteString(h, "{") // a hash takes everything
	if _, err := io.CopyN(h, in, size-int64(len(head))-1); err != nil {
		return cut(err)
	}
	last, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	if string(last) != "\n" || sum(h) != stated {
		return ErrAltered
	}
	return nil
}

// cut is ErrAltered for a file that ends too early, and otherwise err.
func cut(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ErrAltered
	}
	return err
}

// decode reads the document, the long lists in it an element at a time.
func decode(r io.ReadSeeker) (*File, error) {
	in, err := from(r)
	if err != nil {
		return nil, err
	}
	dec := jsonstream.NewDecoder(in)
	var f File
	err = jsonstream.Object(dec, &f, map[string]func() error{
		"plan": func() error {
			return jsonstream.Object(dec, &f.Plan, map[string]func() error{
				"decisions": func() error { return list(dec, &f.Plan.Decisions) },
				"resets":    func() error { return list(dec, &f.Plan.Resets) },
			})
		},
		"seen": func() error { return list(dec, &f.Seen) },
	})
	if err != nil {
		return nil, fmt.Errorf("%w: it does not parse", ErrAltered)
	}
	if f.FormatVersion != FormatVersion {
		return nil, ErrFormat
	}
	return &f, nil
}

// list reads an array, an element at a time, and ends with the first that Write cannot
// have written: nothing in it is left out where it is empty, but a few members. A file is
// compared with what it must be when all of it is held, which of elements that are all
// empty would be some hundred times its size.
func list[T any](dec *json.Decoder, into *[]T) error {
	*into = []T{}
	var none T
	empty, err := json.Marshal(none)
	if err != nil {
		return err
	}
	return jsonstream.List(dec, func(element T, length int64) error {
		if length < int64(len(empty))/2 { // as it has null for [] and false for true
			return ErrAltered
		}
		*into = append(*into, element)
		return nil
	})
}

// comparing is a writer that compares what is written with what is read.
type comparing struct {
	rest    *bufio.Reader
	buf     []byte
	differs bool
}

// Write compares b with what must come next.
func (c *comparing) Write(b []byte) (int, error) {
	if !c.differs {
		c.buf = append(c.buf[:0], b...)
		_, err := io.ReadFull(c.rest, c.buf)
		c.differs = err != nil || !bytes.Equal(c.buf, b)
	}
	return len(b), nil
}

// ended reports whether nothing is left to compare with.
func (c *comparing) ended() bool {
	_, err := c.rest.ReadByte()
	return errors.Is(err, io.EOF)
}
