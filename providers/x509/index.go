package x509

import (
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
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrNotExist) {
		x.reset(0)
		return nil
	}
	if err != nil {
		return provider.Errorf(provider.Permanent, "the index %s cannot be opened: %v", written, errors.Unwrap(err))
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return provider.Errorf(provider.Permanent, "the index %s is not a regular file", written)
	}
	if inode := inodeOf(info); x.byName == nil || inode != x.inode || info.Size() < x.offset {
		x.reset(inode)
	}
	data, err := io.ReadAll(io.NewSectionReader(f, x.offset, info.Size()-x.offset))
	if err != nil {
		return provider.Errorf(provider.Transient, "the index %s cannot be read", written)
	}
	return x.take(data, written)
}

func (x *index) reset(inode uint64) {
	x.inode, x.offset, x.lines = inode, 0, 0
	x.byName, x.bySerial = map[string][]record{}, map[string]record{}
}

// take adds the records in data, which starts at the offset.
func (x *index) take(data []byte, written string) error {
	for len(data) > 0 {
		end := bytes.IndexByte(data, '\n') + 1
		line := data
		if end > 0 {
			line = data[:end]
		}
		if len(bytes.TrimSpace(line)) > 0 {
			r, err := parseRecord(line)
			if err != nil && end > 0 {
				return provider.Errorf(provider.Permanent, "line %d of the index %s %v: repair it, since a certificate that is not listed cannot be revoked", x.lines+1, written, err)
			}
			if _, known := x.bySerial[r.Serial]; err == nil && !known {
				x.bySerial[r.Serial] = r
				x.byName[r.CommonName] = append(x.byName[r.CommonName], r)
			}
		}
		if end == 0 {
			return nil
		}
		x.offset, x.lines, data = x.offset+int64(end), x.lines+1, data[end:]
	}
	return nil
}

// appendRecord writes r durably. The caller holds the lock. On an error the
// record may or may not be there.
func appendRecord(path string, r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return provider.Errorf(provider.Permanent, "the index record cannot be written")
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return provider.Errorf(provider.Permanent, "the index beside the revocation list cannot be opened for writing: %v", errors.Unwrap(err))
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
		last = append(chunk, last...)
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
