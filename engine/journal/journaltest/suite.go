// Package journaltest is the conformance suite for implementations of
// journal.Journal.
package journaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

// Run checks every promise of the interface. open gives a fresh, empty state,
// and the same one again when it is called with the same t: what one has made
// durable the other must see.
func Run(t *testing.T, open func(t *testing.T) journal.Journal) {
	for name, check := range map[string]func(*testing.T, func(*testing.T) journal.Journal){
		"a plan is spent once":                plansAreSpentOnce,
		"runs come back":                      runsComeBack,
		"records keep their order":            recordsKeepTheirOrder,
		"a batch is written whole or not":     batchesAreWhole,
		"one bad batch harms no other":        badBatchesHarmNoOther,
		"sealed secrets are kept and erased":  secretsAreKeptAndErased,
		"bundles wait until they are filed":   bundlesWait,
		"generations count":                   generationsCount,
		"leases exclude, and fences grow":     leasesExclude,
		"a fence begins above another's":      fencesBeginAbove,
		"a run is held until it is released":  heldUntilReleased,
		"reading goes on while others write":  readingGoesOn,
		"what was appended outlives the user": durable,
		"an ended context writes nothing":     endedContext,
		"readers never wait for each other":   readersNest,
		"a failed attempt keeps the leases":   failedAttemptKeepsLeases,
		"a closed journal says so":            closedSaysSo,
		"thousands are filed at once":         thousandsAreFiled,
		"what is remembered is compared":      memoryCompares,
	} {
		t.Run(name, func(t *testing.T) { check(t, open) })
	}
}

var at = time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)

func begin(t *testing.T, j journal.Journal, id string) {
	t.Helper()
	run := journal.Run{ID: id, PlanID: "plan-" + id, PlanDigest: "sha256:x", Operator: "ann", OpenedAt: at, Plan: []byte(`{"a":1}`), Meta: json.RawMessage(`{"b":2}`)}
	if err := j.Open(t.Context(), run); err != nil {
		t.Fatal(err)
	}
}

func add(t *testing.T, j journal.Journal, b journal.Batch) *journal.Batch {
	t.Helper()
	if err := j.Append(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	return &b
}

func records(t *testing.T, j journal.Journal, run, address string) []journal.Record {
	t.Helper()
	var out []journal.Record
	for r, err := range j.Records(t.Context(), run, address) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r)
	}
	return out
}

func plansAreSpentOnce(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	err := j.Open(t.Context(), journal.Run{ID: "r2", PlanID: "plan-r1", OpenedAt: at})
	if !errors.Is(err, journal.ErrSpent) {
		t.Errorf("the same plan again gives %v, want ErrSpent", err)
	}
	if err := j.Open(t.Context(), journal.Run{ID: "r1", PlanID: "other", OpenedAt: at}); err == nil {
		t.Error("the same run id was taken twice")
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	won := 0
	for i := range 8 {
		wg.Go(func() {
			if j.Open(t.Context(), journal.Run{ID: fmt.Sprintf("race%d", i), PlanID: "race", OpenedAt: at}) == nil {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if won != 1 {
		t.Errorf("%d of 8 opened the same plan", won)
	}
}

func runsComeBack(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	begin(t, j, "r2")
	add(t, j, journal.Batch{Close: &journal.Close{Run: "r1", At: at.Add(time.Hour), Outcome: "finished"}})
	got, err := j.Run(t.Context(), "r1")
	if err != nil {
		t.Fatal(err)
	}
	want := journal.Run{ID: "r1", PlanID: "plan-r1", PlanDigest: "sha256:x", Operator: "ann", OpenedAt: at, Plan: []byte(`{"a":1}`),
		Meta: json.RawMessage(`{"b":2}`), ClosedAt: at.Add(time.Hour), Outcome: "finished"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	list, err := j.Runs(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != "r2" || !list[0].ClosedAt.IsZero() || list[1].Outcome != "finished" {
		t.Errorf("runs are %+v, %v", list, err)
	}
	if _, err := j.Run(t.Context(), "nobody"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("an unknown run gives %v, want ErrNotFound", err)
	}
}

func recordsKeepTheirOrder(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	begin(t, j, "r2")
	var want []journal.Record
	for i := range 20 {
		r := journal.Record{Run: "r1", Address: fmt.Sprint("a", i%2), Step: "s", Kind: journal.Done, Attempt: i, At: at.Add(time.Duration(i)), Data: json.RawMessage(`{"i":1}`)}
		b := add(t, j, journal.Batch{Records: []journal.Record{r, {Run: "r2", Address: "a0", Kind: journal.Note, At: at}}})
		if b.Records[0].Seq == 0 || len(want) > 0 && b.Records[0].Seq <= want[len(want)-1].Seq {
			t.Fatalf("sequence %d after %v", b.Records[0].Seq, want)
		}
		want = append(want, b.Records[0])
	}
	if diff := cmp.Diff(want, records(t, j, "r1", "*")); diff != "" {
		t.Error(diff)
	}
	if n := len(records(t, j, "r1", "a1")); n != 10 {
		t.Errorf("%d records of a1, want 10", n)
	}
	for _, err := range j.Records(t.Context(), "r1", "*") {
		if err != nil {
			t.Error(err)
		}
		break // a reader may stop at any time
	}
	if n := len(records(t, j, "nobody", "*")); n != 0 {
		t.Errorf("%d records of an unknown run", n)
	}
}

func batchesAreWhole(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	bundle := journal.Bundle{ID: "b", Run: "r1", File: "r1/f", Line: []byte("{}")}
	add(t, j, journal.Batch{Bundles: []journal.Bundle{bundle}})
	bad := journal.Batch{
		Records:  []journal.Record{{Run: "r1", Address: "x", Kind: journal.Done, At: at}},
		Seal:     []journal.Sealed{{Run: "r1", Address: "x", Name: "n", Ciphertext: []byte("c")}},
		Finished: []journal.Finished{{Address: "x", Run: "r1", At: at}},
		Bundles:  []journal.Bundle{bundle}, // its id is taken: the whole batch must fall
	}
	if err := j.Append(t.Context(), &bad); err == nil {
		t.Fatal("two bundles of one id were taken")
	}
	if n := len(records(t, j, "r1", "*")); n != 0 {
		t.Errorf("%d records of a batch that failed", n)
	}
	if _, err := j.Secret(t.Context(), "r1", "x", "n"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("a secret of a batch that failed: %v", err)
	}
	if _, err := j.Credential(t.Context(), "x"); !errors.Is(err, journal.ErrNotFound) {
		t.Errorf("a finished reset of a batch that failed: %v", err)
	}
	for _, b := range []journal.Batch{
		{Records: []journal.Record{{Run: "nobody", Kind: journal.Done}}},
		{Records: []journal.Record{{Run: "r1", Kind: journal.Done, Address: "a\x00b"}}},
		{Records: []journal.Record{{Run: "r1"}}},
		{Seal: []journal.Sealed{{Run: "r1", Name: "n"}}},
		{Bundles: []journal.Bundle{{ID: "q", Run: "r1"}}},
	} {
		if err := j.Append(t.Context(), &b); err == nil {
			t.Errorf("%+v was taken", b)
		}
	}
}

func badBatchesHarmNoOther(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			run := "r1"
			if i%5 == 0 {
				run = "nobody"
			}
			err := j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: run, Address: fmt.Sprint(i), Kind: journal.Done, At: at}}})
			if (err == nil) != (run == "r1") {
				t.Errorf("batch %d for run %s: %v", i, run, err)
			}
		})
	}
	wg.Wait()
	if n := len(records(t, j, "r1", "*")); n != 160 {
		t.Errorf("%d records, want 160", n)
	}
}

func secretsAreKeptAndErased(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	one := journal.Sealed{Run: "r1", Address: "a", Name: "old", Ciphertext: []byte("cipher-one")}
	add(t, j, journal.Batch{Seal: []journal.Sealed{one, {Run: "r1", Name: "key", Ciphertext: []byte("k")}}})
	one.Ciphertext = []byte("cipher-two")
	add(t, j, journal.Batch{Seal: []journal.Sealed{one}})
	got, err := j.Secret(t.Context(), "r1", "a", "old")
	if err != nil || string(got) != "cipher-two" {
		t.Errorf("got %q, %v", got, err)
	}
	list, err := j.Secrets(t.Context(), "")
	if err != nil || len(list) != 2 || list[0].Ciphertext != nil {
		t.Errorf("secrets are %+v, %v", list, err)
	}
	for range 2 { // erasing twice is once
		add(t, j, journal.Batch{Erase: []journal.Sealed{one}})
		if _, err := j.Secret(t.Context(), "r1", "a", "old"); !errors.Is(err, journal.ErrNotFound) {
			t.Errorf("an erased secret gives %v, want ErrNotFound", err)
		}
	}
	if list, err = j.Secrets(t.Context(), "r1"); err != nil || len(list) != 1 || list[0].Name != "key" {
		t.Errorf("secrets are %+v, %v", list, err)
	}
}

func bundlesWait(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	for i := range 5 {
		add(t, j, journal.Batch{Bundles: []journal.Bundle{{ID: fmt.Sprint(i), Run: "r1", File: "r1/f", Line: []byte(fmt.Sprint("line", i))}}})
	}
	unfiled := func() (ids string, last int64) {
		for b, err := range j.Unfiled(t.Context(), "") {
			if err != nil {
				t.Fatal(err)
			}
			if b.Seq <= last || string(b.Line) != "line"+b.ID || b.File != "r1/f" || b.Run != "r1" {
				t.Errorf("bundle %+v after sequence %d", b, last)
			}
			ids, last = ids+b.ID, b.Seq
		}
		return ids, last
	}
	if ids, _ := unfiled(); ids != "01234" {
		t.Errorf("unfiled %s", ids)
	}
	for range 2 { // marking twice is once
		add(t, j, journal.Batch{Filed: []string{"0", "3"}})
		if ids, _ := unfiled(); ids != "124" {
			t.Errorf("unfiled %s, want 124", ids)
		}
	}
	if err := j.Append(t.Context(), &journal.Batch{Bundles: []journal.Bundle{{ID: "0", Run: "r1", File: "f", Line: []byte("x")}}}); err == nil {
		t.Error("a filed bundle's id was taken again")
	}
	begin(t, j, "r2")
	add(t, j, journal.Batch{Bundles: []journal.Bundle{{ID: "other", Run: "r2", File: "r2/f", Line: []byte("x")}}})
	for b, err := range j.Unfiled(t.Context(), "r2") {
		if err != nil || b.ID != "other" {
			t.Errorf("unfiled of r2: %s, %v", b.ID, err)
		}
	}
	for id, want := range map[string]bool{"0": true, "1": true, "other": true, "never": false} {
		if got, err := j.HasBundle(t.Context(), id); err != nil || got != want {
			t.Errorf("whether there is a bundle %s: %v, %v", id, got, err)
		}
	}
}

func generationsCount(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	f := journal.Finished{Address: "credential.t.a", Run: "r1", At: at, Proof: "tested", Version: "v1", Mode: "cutover"}
	add(t, j, journal.Batch{Finished: []journal.Finished{f}})
	f.Version = "v2"
	add(t, j, journal.Batch{Finished: []journal.Finished{f, {Address: "credential.t.b", Run: "r1", At: at}}})
	got, err := j.Credential(t.Context(), f.Address)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(journal.Credential{Finished: f, Generation: 2}, got); diff != "" {
		t.Error(diff)
	}
	if list, err := j.Credentials(t.Context()); err != nil || len(list) != 2 || list[0].Address != f.Address {
		t.Errorf("credentials are %+v, %v", list, err)
	}
}

func leasesExclude(t *testing.T, open func(*testing.T) journal.Journal) {
	a, b := open(t), open(t)
	first, err := a.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k1"}, {Name: "k2"}})
	if err != nil || len(first) != 2 || first[0].Key != "k1" || first[0].Fence < 1 {
		t.Fatalf("leases are %+v, %v", first, err)
	}
	_, err = b.Acquire(t.Context(), "r2", "bob", []journal.Key{{Name: "k3"}, {Name: "k2"}})
	var held *journal.HeldError
	if !errors.As(err, &held) || held.Run != "r1" || !strings.HasPrefix(held.Holder, "ann") || held.Key != "k2" || held.Since.IsZero() {
		t.Fatalf("a key that is taken gives %v, want a HeldError that names r1 and ann", err)
	}
	if free, err := b.Acquire(t.Context(), "r3", "bob", []journal.Key{{Name: "k3"}}); err != nil || len(free) != 1 {
		t.Errorf("k3 was kept by an attempt that failed: %v", err)
	}
	if again, err := a.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "k1"}}); err != nil || again[0].Fence <= first[0].Fence {
		t.Errorf("the holder itself: %+v, %v", again, err)
	}
	if err := a.Release(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	next, err := b.Acquire(t.Context(), "r2", "bob", []journal.Key{{Name: "k1"}, {Name: "k2"}})
	if err != nil || next[0].Fence <= first[0].Fence || next[1].Fence <= first[1].Fence {
		t.Errorf("after the release: %+v, %v; fences must be greater than %+v", next, err, first)
	}
	for _, bad := range []string{"", "../x", "a/b", "a\x00"} {
		if _, err := a.Acquire(t.Context(), bad, "ann", nil); err == nil {
			t.Errorf("the run id %q was taken", bad)
		}
	}
}

func fencesBeginAbove(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	for i, above := range []int64{40, 7, 42, 100} { // only the first lease of a key looks at it
		got, err := j.Acquire(t.Context(), "r1", "ann", []journal.Key{{Name: "a", Above: above}, {Name: "b"}})
		if err != nil || len(got) != 2 || got[0].Fence != int64(41+i) || got[1].Fence != int64(1+i) || got[0].Overtaken {
			t.Fatalf("%d. time: %+v, %v", i+1, got, err)
		}
	}
}

func readingGoesOn(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	add(t, j, journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done, At: at}, {Run: "r1", Kind: journal.Done, At: at}}})
	n := 0
	for _, err := range j.Records(t.Context(), "r1", "*") {
		if err != nil {
			t.Fatal(err)
		}
		n++
		add(t, j, journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Note, At: at}}})
	}
	if n < 2 {
		t.Errorf("%d records", n)
	}
}

func durable(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	add(t, j, journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done, At: at, Data: json.RawMessage(`{}`)}}})
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("closing twice: %v", err)
	}
	if err := j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done, At: at}}}); err == nil {
		t.Error("a closed journal took a record")
	}
	again := open(t)
	if n := len(records(t, again, "r1", "*")); n != 1 {
		t.Errorf("%d records after closing and opening", n)
	}
}

func endedContext(t *testing.T, open func(*testing.T) journal.Journal) {
	j := open(t)
	begin(t, j, "r1")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := j.Append(ctx, &journal.Batch{Records: []journal.Record{{Run: "r1", Kind: journal.Done, At: at}}}); err == nil {
		t.Error("an append with an ended context succeeded")
	}
	if n := len(records(t, j, "r1", "*")); n != 0 {
		t.Errorf("%d records", n)
	}
}
