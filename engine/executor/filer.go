package executor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/journal"
)

// filer moves signed bundles from the journal into the evidence directory and
// the ledger, in the background, many at a time.
type filer struct {
	journal journal.Journal
	archive Archive
	run     string // "" for all
	// hard ends when a person no longer wants to wait for other processes.
	hard context.Context

	mu     sync.Mutex // one flush at a time
	err    error      // the first failure; evidence then stays in the journal
	stop   chan struct{}
	done   chan struct{}
	closed sync.Once
}

// filerInterval is how long bundles may wait, and filerBatch how many are filed
// together.
const (
	filerInterval = time.Second
	filerBatch    = 2000
)

func startFiler(hard context.Context, j journal.Journal, a Archive, run string) *filer {
	f := &filer{journal: j, archive: a, run: run, hard: hard, stop: make(chan struct{}), done: make(chan struct{})}
	go func() {
		defer close(f.done)
		tick := time.NewTicker(filerInterval)
		defer tick.Stop()
		for {
			select {
			case <-f.stop:
				return
			case <-tick.C:
				_ = f.flush(context.Background()) // kept in f.err
			}
		}
	}()
	return f
}

// flush files everything that the journal holds of its run by now, and returns when it is
// durable. After a failure it does nothing more: the journal keeps the bundles.
// ctx keeps a batch from being begun. One that was is not cut off: it is a write
// to local files, and soon over, unless another process keeps them locked.
func (f *filer) flush(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.err == nil {
		batch, err := f.next(ctx)
		if err != nil {
			f.err = fmt.Errorf("evidence cannot be read from the state: %w", err)
			break
		}
		if len(batch) == 0 {
			return nil
		}
		if err := f.archive.File(f.hard, batch); err != nil {
			f.err = fmt.Errorf("evidence cannot be filed: %w", err)
			break
		}
		ids := make([]string, len(batch))
		for i, b := range batch {
			ids[i] = b.ID
		}
		if err := f.journal.Append(context.WithoutCancel(ctx), &journal.Batch{Filed: ids}); err != nil {
			f.err = fmt.Errorf("filed evidence cannot be marked: %w", err)
		}
	}
	return f.err
}

func (f *filer) next(ctx context.Context) ([]journal.Bundle, error) {
	var batch []journal.Bundle
	for b, err := range f.journal.Unfiled(ctx, f.run) {
		if err != nil {
			return nil, err
		}
		if batch = append(batch, b); len(batch) == filerBatch {
			break
		}
	}
	return batch, nil
}

// close stops the background work; what is left stays in the journal.
func (f *filer) close() {
	f.closed.Do(func() {
		close(f.stop)
		<-f.done
	})
}

// FileEvidence files whatever the journal still holds, of runs that nobody is at
// work on: who is files his own.
func (x *Executor) FileEvidence(ctx context.Context) error {
	runs, seen := []string{}, map[string]bool{}
	for b, err := range x.Journal.Unfiled(ctx, "") {
		if err != nil {
			return fmt.Errorf("evidence cannot be read from the state: %w", err)
		}
		if !seen[b.Run] {
			seen[b.Run] = true
			runs = append(runs, b.Run)
		}
	}
	for _, run := range runs {
		var held *journal.HeldError
		_, err := x.Journal.Acquire(ctx, run, "filing evidence", nil)
		if errors.As(err, &held) {
			continue
		}
		if err == nil {
			err = errors.Join(x.fileRun(ctx, run), x.Journal.Release(context.WithoutCancel(ctx), run))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fileRun files what the journal holds of one run.
func (x *Executor) fileRun(ctx context.Context, run string) error {
	f := &filer{journal: x.Journal, archive: x.Archive, run: run, hard: ctx}
	return f.flush(ctx)
}
