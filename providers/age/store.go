package age

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"io/fs"
	"sync"

	"filippo.io/age"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/atomicfile"
)

type store struct {
	path       provider.Path
	recipients []age.Recipient
	armor      bool
	written    *memory
}

// Check makes sure that the file can be replaced.
func (s *store) Check(ctx context.Context) error {
	if err := atomicfile.Confine(s.path); err != nil {
		return err
	}
	return s.failed(atomicfile.Check(ctx, s.path.Absolute, atomicfile.Options{}))
}

// Get returns provider.ErrWriteOnly.
func (s *store) Get(context.Context) (secret.Value, error) {
	return secret.Value{}, provider.ErrWriteOnly
}

// Put encrypts v anew, unless the file is still what this process made of v.
func (s *store) Put(ctx context.Context, v secret.Value) error {
	plain := v.Reveal()
	if len(plain) == 0 {
		return provider.Errorf(provider.Permanent, "there is no value to put into %s", addrs.Visible(s.path.Written))
	}
	var sealed []byte
	err := s.edit(ctx, func(old []byte) ([]byte, error) {
		if s.written.holds(s.path.Absolute, old, plain) {
			return old, nil
		}
		var b bytes.Buffer
		if err := encrypt(&b, plain, s.armor, s.recipients); err != nil {
			return nil, provider.Errorf(provider.Permanent, "%s was not changed: encrypting to its recipients failed", addrs.Visible(s.path.Written))
		}
		sealed = b.Bytes()
		return sealed, nil
	})
	if err == nil && sealed != nil {
		s.written.note(s.path.Absolute, sealed, plain)
	}
	return err
}

// Holds is true if the file is still what this process made of v, and false if
// it is empty, absent, or what this process made of another value. Of a file
// that others wrote, it cannot tell: ErrWriteOnly.
func (s *store) Holds(_ context.Context, v secret.Value) (bool, error) {
	if err := atomicfile.Confine(s.path); err != nil {
		return false, err
	}
	file, err := atomicfile.Read(s.path.Absolute, atomicfile.Options{})
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(file) == 0:
		return false, nil
	case err != nil:
		return false, s.failed(err)
	case s.written.holds(s.path.Absolute, file, v.Reveal()):
		return true, nil
	case s.written.made(s.path.Absolute, file):
		return false, nil
	}
	return false, provider.ErrWriteOnly
}

// Empty leaves an empty file; one that is not there is not made.
func (s *store) Empty(ctx context.Context) error {
	return s.edit(ctx, func(old []byte) ([]byte, error) { return old[:0], nil })
}

func (s *store) edit(ctx context.Context, change func([]byte) ([]byte, error)) error {
	if err := atomicfile.Confine(s.path); err != nil {
		return err
	}
	return s.failed(atomicfile.Edit(ctx, s.path.Absolute, atomicfile.Options{}, change))
}

func (s *store) failed(err error) error { return atomicfile.Classed(s.path, err) }

// memory knows, for as long as the process lives, which file was made of which
// value, by hashes under a key that never leaves it.
type memory struct {
	key []byte
	mu  sync.Mutex
	of  map[string]entry // by absolute path
}

type entry struct{ file, value []byte }

func newMemory() *memory {
	m := &memory{key: make([]byte, 32), of: map[string]entry{}}
	_, _ = rand.Read(m.key) // never fails: the program ends first
	return m
}

func (m *memory) hash(b []byte) []byte {
	h := hmac.New(sha256.New, m.key)
	h.Write(b)
	return h.Sum(nil)
}

func (m *memory) note(path string, file, value []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of[path] = entry{m.hash(file), m.hash(value)}
}

func (m *memory) made(path string, file []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return hmac.Equal(m.of[path].file, m.hash(file))
}

func (m *memory) holds(path string, file, value []byte) bool {
	if !m.made(path, file) {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return hmac.Equal(m.of[path].value, m.hash(value))
}
