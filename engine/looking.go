package engine

import (
	"bytes"
	"context"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
)

// looking is the state's memory for who looks only: what verifiers remember while they
// are asked is known until the answer is given, and kept nowhere.
type looking struct {
	// state is nil where there is none here.
	state journal.Journal
	said  map[string][]byte
}

func (s *session) looking() *looking { return &looking{s.journal, map[string][]byte{}} }

// Recall gives what the state remembers, and what it would by now.
func (l *looking) Recall(ctx context.Context, key string) ([]byte, error) {
	if value, ok := l.said[key]; ok || l.state == nil {
		return value, nil
	}
	return l.state.Recall(ctx, key)
}

// Remember conflicts where the state would.
func (l *looking) Remember(ctx context.Context, key string, old, next []byte) error {
	now, err := l.Recall(ctx, key)
	switch {
	case err != nil:
		return err
	case (now == nil) != (old == nil) || !bytes.Equal(now, old):
		return provider.ErrConflict
	}
	l.said[key] = next
	return nil
}
