package journaltest

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
)

func memoryCompares(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	recall := func(key, want string) {
		t.Helper()
		if got, err := j.Recall(t.Context(), key); err != nil || string(got) != want || (want == "") != (got == nil) {
			t.Errorf("%s is %q, %v; want %q", key, got, err, want)
		}
	}
	recall("k", "")
	if err := j.Remember(t.Context(), "k", []byte("x"), []byte("a")); !errors.Is(err, journal.ErrChanged) {
		t.Errorf("replacing what is not there gives %v, want ErrChanged", err)
	}
	for _, step := range []struct{ old, next string }{{"", "a"}, {"a", "b"}, {"b", "b"}} {
		var old []byte
		if step.old != "" {
			old = []byte(step.old)
		}
		if err := j.Remember(t.Context(), "k", old, []byte(step.next)); err != nil {
			t.Errorf("%+v: %v", step, err)
		}
	}
	if err := j.Remember(t.Context(), "k", nil, []byte("c")); !errors.Is(err, journal.ErrChanged) {
		t.Errorf("making what is there gives %v, want ErrChanged", err)
	}
	recall("k", "b")
	recall("other", "")
	for _, bad := range []string{"", "k"} {
		if err := j.Remember(t.Context(), bad, []byte("b"), nil); err == nil {
			t.Errorf("nothing was remembered under %q", bad)
		}
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		wg.Go(func() {
			if j.Remember(t.Context(), "race", nil, fmt.Appendf(nil, "%d", i)) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 8 were the first", won)
	}
	again := open(t)
	if got, err := again.Recall(t.Context(), "k"); err != nil || string(got) != "b" {
		t.Errorf("another user recalls %q, %v", got, err)
	}
}
