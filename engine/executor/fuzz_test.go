package executor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

// FuzzEntry: whatever a journal record holds, it is read or refused, and what is
// read and written again is read the same.
func FuzzEntry(f *testing.F) {
	for _, seed := range []string{
		`{}`, `null`, `[]`, ``, `{"facts":{"a":"b"},"probes":[{"subject":"old","verdict":"refused"}],"sequence":1,"evidence":"x"}`,
		`{"at":"2026-01-01T00:00:00Z","settle":-1,"before":["a",null],"outcome":"finished","approval":{"Name":"x","Content":"AA=="}}`, `{"settle":1e99}`,
	} {
		f.Add("done", "prove.refused#2", []byte(seed))
		f.Add("ended", "", []byte(seed))
	}
	f.Fuzz(func(t *testing.T, kind, step string, data []byte) {
		r := journal.Record{Run: "r", Address: "credential.t.n", Step: step, Kind: journal.Kind(kind), Data: data}
		h := newHistory()
		err := h.read(r)
		if brief := Summary(r); err != nil && brief.Why == "" {
			t.Error("what cannot be read has no reason")
		}
		if err != nil {
			return
		}
		_ = h.touched()
		first, _ := decodeEntry(r)
		r.Data = first.encode()
		second, err := decodeEntry(r)
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(string(first.encode()), string(second.encode())); diff != "" {
			t.Error(diff)
		}
	})
}
