package x509

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// record is one issued certificate, a line of the index. A record without a
// certificate in the world is possible; the reverse is not.
type record struct {
	Serial     string    `json:"serial"`
	CommonName string    `json:"common_name"`
	Label      string    `json:"label"`
	Issued     time.Time `json:"issued_at"`
	NotAfter   time.Time `json:"not_after"`
}

// Bounds on the index, which somebody else may have written to: in bytes, of a record and
// of all, some 350,000 of them.
const (
	maxRecord = 64 << 10
	maxIndex  = 64 << 20
)

// index is the append-only file of records, read incrementally: what was read
// once is not read again while the file only grows.
type index struct {
	mu       sync.Mutex
	inode    uint64
	offset   int64
	lines    int
	byName   map[string][]record
	bySerial map[string]record
}

// parseRecord reads one line.
func parseRecord(line []byte) (record, error) {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return record{}, errors.New("is not a JSON object of the index")
	}
	if _, ok := parseSerial(r.Serial); !ok || r.CommonName == "" || r.NotAfter.IsZero() {
		return record{}, errors.New("lacks a serial number in hex, a common name, or a date")
	}
	return r, nil
}

// of lists the records of a common name, oldest first.
func (x *index) of(path, written, name string) ([]record, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.refresh(path, written); err != nil {
		return nil, err
	}
	return x.byName[name], nil
}

// owner gives the record of a serial number.
func (x *index) owner(path, written, serial string) (record, bool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.refresh(path, written); err != nil {
		return record{}, false, err
	}
	r, ok := x.bySerial[serial]
	return r, ok, nil
}

// names lists all common names, sorted.
func (x *index) names(path, written string) ([]string, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.refresh(path, written); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(x.byName)), nil
}

// refresh reads what was appended since the last time. A last line without an
// ending counts if it is whole: somebody may have edited the file. Otherwise it
// is being written, or its writer died, and its certificate was not released.
func (x *index) refresh(path, written string) error {
	f, err := atomicfile.Open(path, os.O_RDONLY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		x.reset(0)
		return nil
	}
	if err != nil {
		return unopened(written, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return provider.Errorf(provider.Transient, "the index %s cannot be read", written)
	}
	if inode := inodeOf(info); x.byName == nil || inode != x.inode || info.Size() < x.offset {
		x.reset(inode)
	}
	switch {
	case info.Size() > maxIndex:
		return provider.Errorf(provider.Permanent, "the index %s is larger than %d MiB: take out the lines of certificates that have expired", written, maxIndex>>20)
	case info.Size() == x.offset:
		return nil
	}
	return x.take(io.NewSectionReader(f, x.offset, info.Size()-x.offset), written)
}

// unopened says why an index is not read or written, which err of atomicfile.Open is about.
func unopened(written string, err error) error {
	if errors.Is(err, atomicfile.ErrUnsafe) {
		return provider.Errorf(provider.Permanent, "the index %s is %v; put the file itself there", written, err)
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return provider.Errorf(provider.Permanent, "the index %s cannot be opened: %v", written, err)
}

func (x *index) reset(inode uint64) {
	x.inode, x.offset, x.lines = inode, 0, 0
	x.byName, x.bySerial = map[string][]record{}, map[string]record{}
}

// take adds the records in what starts at the offset.
func (x *index) take(in io.Reader, written string) error {
	lines := bufio.NewReaderSize(in, maxRecord)
	for {
		line, err := lines.ReadSlice('\n')
		last := errors.Is(err, io.EOF)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return x.damaged(written, fmt.Errorf("is longer than %d KiB", maxRecord>>10))
		case err != nil && !last:
			return provider.Errorf(provider.Transient, "the index %s cannot be read", written)
		}
		if fault := x.add(line); fault != nil && !last {
			return x.damaged(written, fault)
		}
		if last {
			return nil
		}
		x.offset, x.lines = x.offset+int64(len(line)), x.lines+1
	}
}

// add takes one line.
func (x *index) add(line []byte) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	r, err := parseRecord(line)
	if err != nil {
		return err
	}
	if _, known := x.bySerial[r.Serial]; !known {
		x.bySerial[r.Serial] = r
		x.byName[r.CommonName] = append(x.byName[r.CommonName], r)
	}
	return nil
}

// damaged says what is wrong with the line after those that were read.
func (x *index) damaged(written string, fault error) error {
	return provider.Errorf(provider.Permanent, "line %d of the index %s %v: repair it, since a certificate that is not listed cannot be revoked", x.lines+1, written, fault)
}

// appendRecord writes r durably. The caller holds the lock. On an error the
// record may or may not be there.
func appendRecord(path string, r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return provider.Errorf(provider.Permanent, "the index record cannot be written")
	}
	f, err := atomicfile.Open(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return unopened("beside the revocation list", err)
	}
	err = func() error {
		end, mend, err := tail(f)
		if err != nil {
			return err
		}
		if err := f.Truncate(end); err != nil {
			return err
		}
		if _, err := f.WriteAt(fmt.Appendf(nil, "%s%s\n", mend, line), end); err != nil {
			return err
		}
		return f.Sync()
	}()
	if err = errors.Join(err, f.Close(), syncDir(filepath.Dir(path))); err != nil {
		return provider.Errorf(provider.Ambiguous, "the index beside the revocation list could not be written to disk")
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// tail finds where the next record goes: after the last line, or in place of a
// torn one. mend is the ending that a whole last line lacks.
func tail(f *os.File) (end int64, mend string, err error) {
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	end = info.Size()
	var last []byte
	for start := end; start > 0 && bytes.IndexByte(last, '\n') < 0; {
		n := min(start, 4096)
		start -= n
		chunk := make([]byte, n)
		if _, err := f.ReadAt(chunk, start); err != nil {
			return 0, "", err
		}
		if last = append(chunk, last...); len(last) > maxRecord {
			return 0, "", fmt.Errorf("the last line is longer than %d KiB", maxRecord>>10)
		}
	}
	last = last[bytes.LastIndexByte(last, '\n')+1:]
	if len(last) == 0 {
		return end, "", nil
	}
	if _, err := parseRecord(last); err == nil {
		return end, "\n", nil
	}
	return end - int64(len(last)), "", nil
}

func inodeOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
