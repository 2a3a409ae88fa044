package main

import (
	"context"
	"errors"
	"iter"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/journal"
)

// brokenJournal embeds nothing: a method that a later version adds does not
// compile until it has a point.
type brokenJournal struct {
	inner journal.Journal
	at    *points
}

var _ journal.Journal = &brokenJournal{}

// write is an operation of a journal that, once it has failed, fails for good.
func (j *brokenJournal) write(ctx context.Context, op string, effect func() error) error {
	j.at.mu.Lock()
	poisoned := j.at.poisoned
	j.at.mu.Unlock()
	if poisoned {
		return errors.New("the state failed before, on purpose")
	}
	inner := error(nil)
	err := j.at.do(ctx, op, func() error { inner = effect(); return inner })
	if err != nil && inner == nil { // of our making
		j.at.mu.Lock()
		j.at.poisoned = true
		j.at.mu.Unlock()
		return errors.New("the state cannot be written, on purpose")
	}
	return err
}

func (j *brokenJournal) Open(ctx context.Context, r journal.Run) error {
	return j.write(ctx, "journal.Open", func() error { return j.inner.Open(ctx, r) })
}

func (j *brokenJournal) Append(ctx context.Context, b *journal.Batch) error {
	return j.write(ctx, "journal.Append["+contents(b)+"]", func() error { return j.inner.Append(ctx, b) })
}

func (j *brokenJournal) Acquire(ctx context.Context, run, holder string, keys []journal.Key) (l []journal.Lease, err error) {
	err = j.write(ctx, "journal.Acquire", func() error { l, err = j.inner.Acquire(ctx, run, holder, keys); return err })
	return l, err
}

func (j *brokenJournal) Recall(ctx context.Context, key string) ([]byte, error) {
	return look(ctx, j, "Recall", func() ([]byte, error) { return j.inner.Recall(ctx, key) })
}

func (j *brokenJournal) Remember(ctx context.Context, key string, old, next []byte) error {
	return j.write(ctx, "journal.Remember", func() error { return j.inner.Remember(ctx, key, old, next) })
}

func (j *brokenJournal) Release(ctx context.Context, run string) error {
	return j.write(ctx, "journal.Release", func() error { return j.inner.Release(ctx, run) })
}

// look is an operation that only reads.
func look[T any](ctx context.Context, j *brokenJournal, op string, effect func() (T, error)) (T, error) {
	return value(ctx, j.at, "journal."+op, effect)
}

func (j *brokenJournal) Run(ctx context.Context, id string) (journal.Run, error) {
	return look(ctx, j, "Run", func() (journal.Run, error) { return j.inner.Run(ctx, id) })
}

func (j *brokenJournal) Runs(ctx context.Context) ([]journal.Run, error) {
	return look(ctx, j, "Runs", func() ([]journal.Run, error) { return j.inner.Runs(ctx) })
}

func (j *brokenJournal) Records(ctx context.Context, run, address string) iter.Seq2[journal.Record, error] {
	return each(ctx, j, "Records", j.inner.Records(ctx, run, address))
}

func (j *brokenJournal) Secret(ctx context.Context, run, address, name string) ([]byte, error) {
	return look(ctx, j, "Secret", func() ([]byte, error) { return j.inner.Secret(ctx, run, address, name) })
}

func (j *brokenJournal) Secrets(ctx context.Context, run string) ([]journal.Sealed, error) {
	return look(ctx, j, "Secrets", func() ([]journal.Sealed, error) { return j.inner.Secrets(ctx, run) })
}

func (j *brokenJournal) Unfiled(ctx context.Context, run string) iter.Seq2[journal.Bundle, error] {
	return each(ctx, j, "Unfiled", j.inner.Unfiled(ctx, run))
}

func (j *brokenJournal) HasBundle(ctx context.Context, id string) (bool, error) {
	return look(ctx, j, "HasBundle", func() (bool, error) { return j.inner.HasBundle(ctx, id) })
}

// Holds is no point: it is asked at every effect, and breaking it is what taking
// the lease away does.
func (j *brokenJournal) Holds(ctx context.Context, run string) error { return j.inner.Holds(ctx, run) }

func (j *brokenJournal) Credential(ctx context.Context, address string) (journal.Credential, error) {
	return look(ctx, j, "Credential", func() (journal.Credential, error) { return j.inner.Credential(ctx, address) })
}

func (j *brokenJournal) Credentials(ctx context.Context) ([]journal.Credential, error) {
	return look(ctx, j, "Credentials", func() ([]journal.Credential, error) { return j.inner.Credentials(ctx) })
}

func (j *brokenJournal) Close() error {
	return j.at.do(context.Background(), "journal.Close", j.inner.Close)
}

// each is look for what is read bit by bit: it breaks before the first bit.
func each[T any](ctx context.Context, j *brokenJournal, op string, inner iter.Seq2[T, error]) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		if err := j.at.do(ctx, "journal."+op, func() error { return nil }); err != nil {
			yield(*new(T), err)
			return
		}
		inner(yield)
	}
}

// contents names what a batch makes durable.
func contents(b *journal.Batch) string {
	var out []string
	for _, r := range b.Records {
		what := string(r.Kind)
		if r.Step != "" {
			what += ":" + r.Step
		}
		out = append(out, what)
	}
	for what, there := range map[string]bool{"seal": len(b.Seal) > 0, "erase": len(b.Erase) > 0, "filed": len(b.Filed) > 0, "close": b.Close != nil} {
		if there {
			out = append(out, what)
		}
	}
	slices.Sort(out[len(b.Records):])
	return strings.Join(out, ",")
}
