package executor

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

// drawer is a journal that has nothing but bundles, and the archive that they go to.
type drawer struct {
	journal.Journal
	mu sync.Mutex
	// waiting are "RUN/ID", in order; filed is what the archive has.
	waiting, filed []string
	// unreadable, unfilable, unmarked and stuck fail a call of theirs; held are runs
	// that somebody else is at work on.
	unreadable, unfilable, unmarked, stuck error
	held                                   map[string]error
	// acquired and released are runs; files counts the calls.
	acquired, released []string
	files              int
	// slow holds a call to File up until it is closed.
	slow chan struct{}
}

// Unfiled gives what waits.
func (d *drawer) Unfiled(_ context.Context, run string) iter.Seq2[journal.Bundle, error] {
	return func(yield func(journal.Bundle, error) bool) {
		d.mu.Lock()
		list := slices.Clone(d.waiting)
		d.mu.Unlock()
		for _, id := range list {
			of, _, _ := strings.Cut(id, "/")
			if (run == "" || run == of) && !yield(journal.Bundle{ID: id, Run: of}, nil) {
				return
			}
		}
		if d.unreadable != nil {
			yield(journal.Bundle{ID: "none"}, d.unreadable)
		}
	}
}

// Append marks what is filed.
func (d *drawer) Append(_ context.Context, b *journal.Batch) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.unmarked != nil {
		return d.unmarked
	}
	d.waiting = slices.DeleteFunc(d.waiting, func(id string) bool { return slices.Contains(b.Filed, id) })
	return nil
}

// Acquire takes a run.
func (d *drawer) Acquire(_ context.Context, run, _ string, _ []journal.Key) ([]journal.Lease, error) {
	if err := d.held[run]; err != nil {
		return nil, err
	}
	d.acquired = append(d.acquired, run)
	return nil, nil
}

// Release gives it back.
func (d *drawer) Release(_ context.Context, run string) error {
	d.released = append(d.released, run)
	return d.stuck
}

// File keeps what it is given.
func (d *drawer) File(_ context.Context, list []journal.Bundle) error {
	if d.slow != nil {
		<-d.slow
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.files++; d.unfilable != nil {
		return d.unfilable
	}
	for _, b := range list {
		d.filed = append(d.filed, b.ID)
	}
	return nil
}

var errGone = errors.New("gone")

// Evidence is filed while a run goes on, and nothing is filed after it is over.
func TestEvidenceIsFiledInTheBackground(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{waiting: []string{"r/1", "other/1"}}
		f := startFiler(t.Context(), d, d, "r")
		time.Sleep(filerInterval + time.Millisecond)
		synctest.Wait()
		if !slices.Equal(d.filed, []string{"r/1"}) {
			t.Errorf("filed %v", d.filed)
		}
		d.mu.Lock()
		d.waiting = append(d.waiting, "r/2")
		d.mu.Unlock()
		f.close()
		f.close() // again, which is the same
		time.Sleep(10 * filerInterval)
		if !slices.Equal(d.filed, []string{"r/1"}) {
			t.Errorf("after the end: filed %v", d.filed)
		}
	})
}

// The end of a run waits for what is being filed: the process may be gone after it.
func TestTheEndWaitsForWhatIsBeingFiled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := &drawer{waiting: []string{"r/1"}, slow: make(chan struct{})}
		f := startFiler(t.Context(), d, d, "r")
		time.Sleep(filerInterval + time.Millisecond)
		closed := make(chan struct{})
		go func() {
			f.close()
			close(closed)
		}()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("it did not wait")
		default:
		}
		close(d.slow)
		<-closed
		if !slices.Equal(d.filed, []string{"r/1"}) || len(d.waiting) > 0 {
			t.Errorf("filed %v, waiting %v", d.filed, d.waiting)
		}
	})
}

// A flush files all that there is. What fails once fails for good: what the archive
// got then is not known, and the journal keeps it all.
func TestFlush(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		d     *drawer
		want  string
		files int
		filed []string
	}{
		"all of a run":   {&drawer{waiting: []string{"r/1", "s/1", "r/2"}}, "", 1, []string{"r/1", "r/2"}},
		"nothing":        {&drawer{waiting: []string{"s/1"}}, "", 0, nil},
		"not readable":   {&drawer{waiting: []string{"r/1"}, unreadable: errGone}, "evidence cannot be read from the state: gone", 0, nil},
		"not to be kept": {&drawer{waiting: []string{"r/1"}, unfilable: errGone}, "evidence cannot be filed: gone", 1, nil},
		"not marked":     {&drawer{waiting: []string{"r/1"}, unmarked: errGone}, "filed evidence cannot be marked: gone", 1, []string{"r/1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := &filer{journal: tc.d, archive: tc.d, run: "r"}
			before := len(tc.d.waiting)
			for range 2 { // the second time it says the same, and does nothing
				err := f.flush(t.Context())
				if (err == nil) != (tc.want == "") || err != nil && (err.Error() != tc.want || !errors.Is(err, errGone)) {
					t.Errorf("%v, want %q", err, tc.want)
				}
			}
			if diff := cmp.Diff(tc.filed, tc.d.filed); diff != "" || tc.d.files != tc.files {
				t.Errorf("%d calls; filed (-want +got):\n%s", tc.d.files, diff)
			}
			if tc.want != "" && len(tc.d.waiting) != before {
				t.Errorf("the journal let go of %d", before-len(tc.d.waiting))
			}
		})
	}
}

// So many are filed together, and no more: all of a large run would not fit in memory.
func TestFlushIsInBatches(t *testing.T) {
	t.Parallel()
	d := &drawer{}
	for i := range filerBatch + 1 {
		d.waiting = append(d.waiting, fmt.Sprintf("r/%d", i))
	}
	want := slices.Clone(d.waiting)
	f := &filer{journal: d, archive: d, run: "r"}
	if err := f.flush(t.Context()); err != nil || d.files != 2 || !slices.Equal(d.filed, want) {
		t.Errorf("%v, %d calls, %d filed", err, d.files, len(d.filed))
	}
}

// What other runs left is filed, each under its own lease; a run that somebody is at
// work on is left to her.
func TestWhatOthersLeftIsFiled(t *testing.T) {
	t.Parallel()
	held := &journal.HeldError{Key: "run b", Run: "b"}
	for name, tc := range map[string]struct {
		d               *drawer
		want            string
		filed, released []string
	}{
		"nothing":              {&drawer{}, "", nil, nil},
		"two runs":             {&drawer{waiting: []string{"a/1", "b/1", "a/2"}}, "", []string{"a/1", "a/2", "b/1"}, []string{"a", "b"}},
		"one is at work":       {&drawer{waiting: []string{"b/1", "a/1"}, held: map[string]error{"b": held}}, "", []string{"a/1"}, []string{"a"}},
		"a lease that fails":   {&drawer{waiting: []string{"b/1", "a/1"}, held: map[string]error{"b": errGone}}, "gone", nil, nil},
		"an archive that does": {&drawer{waiting: []string{"a/1", "b/1"}, unfilable: errGone}, "evidence cannot be filed: gone", nil, []string{"a"}},
		"a state that does":    {&drawer{waiting: []string{"a/1"}, unreadable: errGone}, "evidence cannot be read from the state: gone", nil, nil},
		"a release that does":  {&drawer{waiting: []string{"a/1", "b/1"}, stuck: errGone}, "gone", []string{"a/1"}, []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := &Executor{Journal: tc.d, Archive: tc.d}
			err := x.FileEvidence(t.Context())
			if (err == nil) != (tc.want == "") || err != nil && err.Error() != tc.want {
				t.Errorf("%v, want %q", err, tc.want)
			}
			if diff := cmp.Diff([][]string{tc.filed, tc.released, tc.released}, [][]string{tc.d.filed, tc.d.released, tc.d.acquired}); diff != "" {
				t.Errorf("filed, released, acquired (-want +got):\n%s", diff)
			}
		})
	}
}
