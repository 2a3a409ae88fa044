package executor

import (
	"context"
	"encoding/json"
	"iter"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// book is a journal in memory, with the signer and the archive that go with it.
type book struct {
	journal.Journal
	opened  []journal.Run
	batches []*journal.Batch
	records []journal.Record
	// signed is what was signed, waiting what is in no file yet, filed what is.
	signed  []evidence.Record
	waiting []journal.Bundle
	filed   []string
	// Each fails the call that is named so: unreadable every reading of records.
	unopened, unwritten, unreadable, unheld, unfilable error
}

// Open keeps the run.
func (b *book) Open(_ context.Context, r journal.Run) error {
	if b.unopened == nil {
		b.opened = append(b.opened, r)
	}
	return b.unopened
}

// Append keeps the batch.
func (b *book) Append(_ context.Context, batch *journal.Batch) error {
	if b.unwritten != nil {
		return b.unwritten
	}
	kept := *batch
	b.batches = append(b.batches, &kept)
	b.records = append(b.records, batch.Records...)
	b.waiting = append(b.waiting, batch.Bundles...)
	b.waiting = slices.DeleteFunc(b.waiting, func(x journal.Bundle) bool { return slices.Contains(batch.Filed, x.ID) })
	return nil
}

// Records gives them all, whichever are asked for.
func (b *book) Records(context.Context, string, string) iter.Seq2[journal.Record, error] {
	return func(yield func(journal.Record, error) bool) {
		for _, r := range b.records {
			if !yield(r, nil) {
				return
			}
		}
		if b.unreadable != nil {
			yield(journal.Record{Data: json.RawMessage("{}")}, b.unreadable)
		}
	}
}

// Unfiled gives what waits.
func (b *book) Unfiled(context.Context, string) iter.Seq2[journal.Bundle, error] {
	return func(yield func(journal.Bundle, error) bool) {
		for _, x := range slices.Clone(b.waiting) {
			if !yield(x, nil) {
				return
			}
		}
	}
}

// Acquire lets everybody in, and Release out.
func (b *book) Acquire(context.Context, string, string, []journal.Key) ([]journal.Lease, error) {
	return nil, nil
}

// Release does nothing.
func (b *book) Release(context.Context, string) error { return nil }

// Holds says whether the run is held.
func (b *book) Holds(context.Context, string) error { return b.unheld }

// Sign keeps the record.
func (b *book) Sign(r evidence.Record) ([]byte, error) {
	b.signed = append(b.signed, r)
	return json.Marshal(r)
}

// File keeps what is filed.
func (b *book) File(_ context.Context, list []journal.Bundle) error {
	if b.unfilable != nil {
		return b.unfilable
	}
	for _, x := range list {
		b.filed = append(b.filed, x.ID)
	}
	return nil
}

// lines is what was signed about the run itself.
func (b *book) lines() []evidence.Run {
	var out []evidence.Run
	for _, r := range b.signed {
		if run, ok := r.(evidence.Run); ok {
			run.Common = evidence.Common{Sequence: run.Sequence}
			run.Operator, run.Requester, run.RequesterStrength, run.Reason, run.Mode, run.Ticket = "", "", "", "", "", ""
			out = append(out, run)
		}
	}
	return out
}

// entries are the data of the records.
func (b *book) entries() []entry {
	var out []entry
	for _, r := range b.records {
		e, err := decodeEntry(r)
		if err != nil {
			panic(err)
		}
		out = append(out, e)
	}
	return out
}

// kept is a book of these records, each "KIND DATA", of the run itself.
func kept(lines ...[2]string) *book {
	b := &book{}
	for i, l := range lines {
		b.records = append(b.records, journal.Record{Seq: int64(i + 1), Run: "run-1", Kind: journal.Kind(l[0]), Data: json.RawMessage(l[1])})
	}
	return b
}

// noon is when everything happens.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// atNoon is the clock.
func atNoon() time.Time { return noon }

// booked is a run of these resets that writes into b.
func booked(b *book, addresses ...string) (*run, *event.Recorder) {
	file := &plan.File{ID: "plan-1", Digest: "sha256:1", Plan: plan.Plan{Reason: "scheduled", Mode: "cutover", Ticket: "T-1", Requester: "carol", TrustDigest: "sha256:base"}}
	for _, a := range addresses {
		file.Plan.Resets = append(file.Plan.Resets, plan.Reset{Address: a})
	}
	heard := &event.Recorder{}
	x := &Executor{Journal: b, Signer: b, Archive: b, Events: heard, Now: atNoon, Parallelism: 1}
	return &run{
		x: x, job: &Job{Run: "run-1", File: file, Operator: "op", Meta: []byte(`{"m":1}`)},
		filer: &filer{journal: b, archive: b, run: "run-1"}, results: map[string]ResetResult{},
	}, heard
}
