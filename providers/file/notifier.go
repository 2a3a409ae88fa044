package file

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// Notifier declares the notifier `file`.
func Notifier() provider.NotifierDefinition {
	return provider.NotifierDefinition{
		Name:        "file",
		Local:       true,
		Description: "Appends each notice to a file as one line of JSON, for people and log shippers to read. The same notice is written once, also when it is sent again, as far as it is among the last 64 MiB of the file.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "path", Type: provider.PathType, Default: provider.Path{Written: "notices.jsonl"}, Writes: true,
				Description: "The file; made with mode 0600 if it is not there. A relative path starts at the workspace and may not lead through symbolic links; a file with several hard links is refused."},
		}},
		Open: func(_ context.Context, b provider.Block) (provider.Notifier, error) {
			return &notifier{path: b.Attrs.Path("path"), seed: maphash.MakeSeed(), seen: map[uint64]bool{}}, nil
		},
	}
}

// Bounds on what is read of the file: how far before its end notices are looked for, and
// how long a line can be that is one. It may be large, and somebody else may have written to it.
const (
	lookBack = 64 << 20
	maxLine  = 1 << 20
)

type notifier struct {
	path provider.Path

	mu   sync.Mutex
	file fs.FileInfo // the file that seen was read from
	read int64       // how far
	seed maphash.Seed
	seen map[uint64]bool // the IDs there, hashed: there may be millions
}

// Send appends n, unless a notice of its ID is there already.
func (n *notifier) Send(ctx context.Context, notice provider.Notice) error {
	line, err := json.Marshal(notice)
	if err != nil {
		return provider.Errorf(provider.Permanent, "the notice cannot be written as JSON: its time is out of range")
	}
	if err := atomicfile.Confine(n.path); err != nil {
		return err
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	unlock, err := atomicfile.Lock(ctx, filepath.Dir(n.path.Absolute))
	if err != nil {
		return atomicfile.Classed(n.path, err)
	}
	defer unlock()
	return atomicfile.Classed(n.path, n.append(notice.ID, append(addrs.VisibleJSON(line), '\n')))
}

func (n *notifier) append(id string, line []byte) error {
	_, err := os.Lstat(n.path.Absolute)
	fresh := errors.Is(err, fs.ErrNotExist)
	f, err := atomicfile.Open(n.path.Absolute, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	ended, err := n.catchUp(f)
	if err != nil {
		return err
	}
	key := maphash.String(n.seed, id)
	if n.seen[key] { // perhaps by a process that died before its fsync
		return synced(f)
	}
	if !ended { // a line that a crash cut short
		line = append([]byte{'\n'}, line...)
	}
	size := n.read
	_, err = f.Write(line)
	if err == nil {
		err = synced(f)
	}
	if err != nil { // so that the next attempt writes it anew
		return errors.Join(err, f.Truncate(size))
	}
	n.seen[key], n.read = true, size+int64(len(line))
	if fresh {
		return syncFolder(n.path.Absolute)
	}
	return nil
}

// catchUp reads what was appended since the last call, by whomever, so that
// each line is read once. It reports whether the last line is complete.
func (n *notifier) catchUp(f *os.File) (ended bool, err error) {
	info, err := f.Stat()
	if err != nil {
		return false, err
	}
	if n.file == nil || !os.SameFile(n.file, info) || info.Size() < n.read {
		n.read, n.seen = 0, map[uint64]bool{}
	}
	n.file = info
	from := max(n.read, info.Size()-lookBack)
	if err := n.take(io.NewSectionReader(f, from, info.Size()-from)); err != nil {
		return false, err
	}
	n.read = info.Size()
	if n.read == 0 {
		return true, nil
	}
	last := make([]byte, 1)
	_, err = f.ReadAt(last, n.read-1)
	return last[0] == '\n', err
}

// take reads the IDs in lines. What is no notice is passed over.
func (n *notifier) take(r *io.SectionReader) error {
	lines := bufio.NewReaderSize(r, int(min(maxLine, r.Size()+1)))
	for long := false; ; {
		line, err := lines.ReadSlice('\n')
		full := errors.Is(err, bufio.ErrBufferFull)
		var notice struct{ ID string }
		if !long && !full && json.Unmarshal(line, &notice) == nil {
			n.seen[maphash.String(n.seed, notice.ID)] = true
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if long = full; err != nil && !full {
			return err
		}
	}
}

func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	return synced(d)
}

func synced(f *os.File) error {
	if err := f.Sync(); err != nil {
		return fmt.Errorf("%w: %w", atomicfile.ErrUnsynced, err)
	}
	return nil
}
