package journaltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"sync"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
)

// Benchmark appends as a run does: a record and a bundle at a time, by so many
// resets side by side.
func Benchmark(b *testing.B, open func(*testing.B) journal.Journal) {
	for _, callers := range []int{1, 10, 100} {
		b.Run(fmt.Sprint(callers), func(b *testing.B) {
			j := open(b)
			_, err := j.Acquire(b.Context(), "r", "ann", []journal.Key{{Name: "k"}})
			if err == nil {
				err = j.Open(b.Context(), journal.Run{ID: "r", PlanID: "p"})
			}
			if err != nil {
				b.Fatal(err)
			}
			line := bytes.Repeat([]byte("x"), 3000)
			var wg sync.WaitGroup
			each := make(chan int, callers)
			for range callers {
				wg.Go(func() {
					for i := range each {
						batch := journal.Batch{
							Records: []journal.Record{{Run: "r", Address: "a", Step: "s", Kind: journal.Done, Data: json.RawMessage(`{"facts":{"a":"b"}}`)}},
							Bundles: []journal.Bundle{{ID: fmt.Sprint(i), Run: "r", File: "f", Line: line}},
						}
						if err := j.Append(b.Context(), &batch); err != nil {
							b.Error(err)
						}
					}
				})
			}
			for i := range b.N {
				each <- i
			}
			close(each)
			wg.Wait()
		})
	}
}
