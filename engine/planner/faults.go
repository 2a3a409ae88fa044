package planner

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
)

// faults collects what went wrong for many credentials, and says the same thing
// about many of them once.
type faults struct {
	mu    sync.Mutex
	diags diag.Diagnostics
	dup   map[string]bool
	reads map[string][]string // message to addresses
	order []string
}

func newFaults() *faults { return &faults{dup: map[string]bool{}, reads: map[string][]string{}} }

// add keeps diagnostics about c; one about the same place in the same words is
// kept once.
func (f *faults) add(c *config.Credential, diags diag.Diagnostics) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, d := range diags {
		key := d.Summary + "\x00" + d.Detail
		if d.Range != nil {
			key += "\x00" + d.Range.String()
		}
		if f.dup[key] {
			continue
		}
		f.dup[key] = true
		if d.Address == "" {
			d.Address = c.Addr.String()
		}
		f.diags = append(f.diags, d)
	}
}

// observe keeps a failure to read c's target.
func (f *faults) observe(c *config.Credential, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	key := c.Provider.Key() + "\x00" + err.Error()
	if f.reads[key] == nil {
		f.order = append(f.order, key)
	}
	f.reads[key] = append(f.reads[key], c.Addr.String())
}

// list is everything, in a stable order.
func (f *faults) list() diag.Diagnostics {
	out := f.diags
	slices.Sort(f.order)
	for _, key := range f.order {
		block, msg, _ := strings.Cut(key, "\x00")
		addresses := f.reads[key]
		slices.Sort(addresses)
		about := addresses[0]
		if n := len(addresses) - 1; n > 0 {
			about = fmt.Sprintf("%s and %d more", about, n)
		}
		d := diag.Diagnostic{
			Severity: diag.Error, Summary: "A target cannot be read",
			Detail:  fmt.Sprintf("Provider %s, asked about %s: %s. Mend this, or leave what it concerns out with -where.", block, about, strings.TrimSuffix(msg, ".")),
			Address: addresses[0],
		}
		out = append(out, d)
	}
	return out
}
