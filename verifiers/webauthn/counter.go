package webauthn

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/remint-dev/remint/engine/provider"
)

// moment is one assertion of a key: when it was asked for, what its counter said,
// and which it was.
type moment struct {
	At      int64  `json:"at"`
	Counter uint32 `json:"counter"`
	Digest  string `json:"digest"`
}

// remembered is how many assertions of a key are kept for comparison.
const remembered = 64

// fits reports whether two assertions can be of one key whose counter only grows.
// Plans are applied in another order than they were signed in, so that it goes by
// when each was asked for.
func (m moment) fits(o moment) bool {
	switch {
	case m.Digest == o.Digest, m.Counter == 0 && o.Counter == 0: // the same; a key that does not count
		return true
	case m.At > o.At:
		return m.Counter > o.Counter
	case m.At < o.At:
		return m.Counter < o.Counter
	}
	return m.Counter != o.Counter
}

// count remembers an assertion, and refuses one that cannot be of the same key as
// those before it.
func count(ctx context.Context, memory provider.Memory, c *credential, m moment) error {
	sum := sha256.Sum256(c.id)
	key := "webauthn/" + hex.EncodeToString(sum[:])
	for range 5 {
		old, err := memory.Recall(ctx, key)
		if err != nil {
			return fmt.Errorf("the state could not say what the key's counter was: %w", err)
		}
		var list []moment
		if old != nil && json.Unmarshal(old, &list) != nil {
			return errors.New("what the state remembers of the key's counter is damaged: use another key")
		}
		for _, o := range list {
			if o.Digest == m.Digest {
				return nil
			}
			if !m.fits(o) {
				return fmt.Errorf("the key's counter says %d, which does not fit the %d of another assertion: there may be a copy of the key; take it out of credentials, and use another", m.Counter, o.Counter)
			}
		}
		if list = append(list, m); len(list) > remembered {
			list = list[len(list)-remembered:]
		}
		next, err := json.Marshal(list)
		if err != nil {
			return err
		}
		err = memory.Remember(ctx, key, old, next)
		if err == nil {
			return nil
		}
		if !errors.Is(err, provider.ErrConflict) {
			return fmt.Errorf("the key's counter could not be remembered: %w", err)
		}
	}
	return errors.New("others use the same key at the same time: try again")
}

func digest(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
