package planner

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// retired reports whether the last reset of a credential that the state knows of left
// none: to make one again is a decision, and none that a clock or an expression takes.
func (p *Planner) retired(c *config.Credential) bool {
	return p.Known[c.Addr.String()].Mode == string(lifecycle.Retire)
}

// unretired leaves out of what was not chosen by name the credentials that are retired
// and of which the target says so too, with a warning that names them. One that is there
// again, or of which its target cannot be asked, stays.
func (p *Planner) unretired(ctx context.Context, ask *asker, req Request, chosen []*config.Credential) ([]*config.Credential, diag.Diagnostics) {
	if p.Fleet == nil || req.Saved != nil || len(req.Addresses) > 0 {
		return chosen, nil
	}
	var (
		mu    sync.Mutex
		out   = map[*config.Credential]bool{}
		group errgroup.Group
	)
	group.SetLimit(max(p.Parallelism, 1))
	for _, c := range chosen {
		if !p.retired(c) {
			continue
		}
		group.Go(func() error {
			if obs, _, err := p.observe(ctx, ask, c); err == nil && gone(obs) {
				mu.Lock()
				defer mu.Unlock()
				out[c] = true
			}
			return nil
		})
	}
	_ = group.Wait()
	if len(out) == 0 {
		return chosen, nil
	}
	var left []*config.Credential
	var lines []string
	for _, c := range chosen {
		if !out[c] {
			left = append(left, c)
			continue
		}
		address := c.Addr.String()
		lines = append(lines, fmt.Sprintf("%s was retired on %s", address, p.Known[address].At.UTC().Format("2006-01-02")))
	}
	if more := len(lines) - maxRetired; more > 0 {
		lines = append(lines[:maxRetired:maxRetired], fmt.Sprintf("%d more were retired", more))
	}
	return left, diag.Diagnostics{}.Warnf("Retired credentials are left out",
		"%s. Nobody can use them, so nothing is done. Name the address of one to make it again; take its block away if that is never to be.", strings.Join(lines, ", "))
}

// maxRetired is how many retired credentials are named.
const maxRetired = 5

// gone reports whether a target says that nobody can use the credential. One that keeps
// no record of all, and has none, does not say that; nor does one that does not list what
// a store holds.
func gone(obs provider.Observation) bool {
	return !obs.Enabled && (obs.Exists || !obs.Incomplete) &&
		!slices.ContainsFunc(obs.Versions, func(v provider.Version) bool { return v.Stored })
}
