package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/seal"
	"github.com/remint-dev/remint/engine/secret"
)

// sealer opens, or makes, a run's data key when the first secret is to be
// sealed or opened.
type sealer struct {
	session *session
	run     string

	mu  sync.Mutex
	key *seal.Run
}

// Seal encrypts a secret for the journal.
func (s *sealer) Seal(address, name string, m secret.Material) ([]byte, error) {
	key, err := s.open(true)
	if err != nil {
		return nil, err
	}
	return key.Seal(address, name, m)
}

// Unseal opens what Seal made, here or in another process.
func (s *sealer) Unseal(address, name string, ciphertext []byte) (secret.Material, error) {
	key, err := s.open(false)
	if err != nil {
		return secret.Material{}, err
	}
	return key.Unseal(address, name, ciphertext)
}

// open gives the run's data key. A new one is durable in the journal before it
// is used.
func (s *sealer) open(create bool) (*seal.Run, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.key != nil {
		return s.key, nil
	}
	ctx := context.Background()
	j, w := s.session.journal, s.session.workspace
	_, err := j.Secret(ctx, s.run, "", dataKey)
	if !errors.Is(err, journal.ErrNotFound) || !create {
		s.key, err = runKeys(ctx, w, j, s.run)
		return s.key, err
	}
	to, err := recipients(w)
	if err != nil {
		return nil, err
	}
	key, wrapped, err := seal.NewRun(s.run, to)
	if err != nil {
		return nil, err
	}
	if err := j.Append(ctx, &journal.Batch{
		Records: []journal.Record{noteSeal(w, s.run, to, s.session.engine.opts.Now().UTC())},
		Seal:    []journal.Sealed{{Run: s.run, Name: dataKey, Ciphertext: wrapped}},
	}); err != nil {
		return nil, err
	}
	s.key = key
	return key, nil
}
