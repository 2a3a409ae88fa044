package htpasswd

import (
	"bytes"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// settled is how old a file's last change must be for its stamp to be trusted:
// two changes within one tick of the kernel's clock can leave the same stamp.
const settled = 100 * time.Millisecond

// snapshot keeps what a file held, and where its users stand, for as long as
// nothing about the file changes. Planning asks for ten thousand users of a file
// that stands still; looking through all of it for each would take time that
// grows with the square. Probes do not use it: they read the file.
type snapshot struct {
	mu    sync.Mutex
	stamp stamp
	lines map[string][]string // user to hashes, in order
}

// stamp tells one content of a file from another.
type stamp struct {
	dev, ino       uint64
	size           int64
	mtime, changed int64
}

// stampOf reports false for a file that changed too lately to be told apart.
func stampOf(info fs.FileInfo) (stamp, bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return stamp{}, false
	}
	s := stamp{dev: uint64(st.Dev), ino: st.Ino, size: st.Size, mtime: st.Mtim.Nano(), changed: st.Ctim.Nano()} //nolint:unconvert // its type differs between systems
	return s, time.Since(time.Unix(0, max(s.mtime, s.changed))) > settled
}

// hashes gives a user's hashes as of now. Read gives the content; it is called
// when the snapshot does not hold.
func (s *snapshot) hashes(path, user string, read func() ([]byte, error)) ([]string, error) {
	now, sure := stamp{}, false
	if info, err := os.Stat(path); err == nil {
		now, sure = stampOf(info)
	}
	if !sure { // the file is changing: nothing to keep, and nobody to wait for
		data, err := read()
		return hashesIn(data, user), err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now == s.stamp && s.lines != nil {
		return s.lines[user], nil
	}
	data, err := read()
	if err != nil {
		return nil, err
	}
	s.lines, s.stamp = index(data), now
	// The file may have been replaced between the two looks: then the stamp is
	// of the older one, and the next call reads again.
	if info, err := os.Stat(path); err != nil {
		s.lines = nil
	} else if again, _ := stampOf(info); again != now {
		s.lines = nil
	}
	return hashesIn(data, user), nil
}

func hashesIn(data []byte, user string) []string {
	var out []string
	for _, l := range find(data, user) {
		out = append(out, l.hash)
	}
	return out
}

// index gives, for every user, the hashes of the lines that find would find.
func index(data []byte) map[string][]string {
	into := map[string][]string{}
	for line := range bytes.Lines(data) {
		line = bytes.TrimRight(line, "\n")
		line = bytes.TrimSuffix(line, []byte("\r"))
		name, rest, ok := bytes.Cut(bytes.TrimLeft(line, space), []byte(":"))
		if !ok {
			continue
		}
		hash, _, _ := bytes.Cut(rest, []byte(":"))
		user := string(name)
		into[user] = append(into[user], string(bytes.Trim(hash, space)))
	}
	return into
}
