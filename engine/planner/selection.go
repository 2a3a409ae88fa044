package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
)

// selection finds the credentials that a request is about, in address order.
func (p *Planner) selection(req Request) ([]*config.Credential, diag.Diagnostics) {
	ways := 0
	for _, given := range []bool{len(req.Addresses) > 0, req.Where != "", req.All} {
		if given {
			ways++
		}
	}
	switch {
	case req.Saved != nil:
		return p.named(req.Addresses)
	case ways > 1:
		return nil, diag.Errored(0, "More than one selection", "Give addresses, -where or -all, not several of them.")
	case ways == 0 && req.Reason.NeedsSelection():
		return nil, diag.Errored(0, "Nothing selected",
			"A reset for the reason %q is never chosen by age. Name what it is about: credential addresses, -where=EXPR, or -all.", req.Reason)
	case req.All:
		return p.Workspace.Credentials, nil
	case req.Where != "":
		match, diags := p.Workspace.Select(req.Where)
		if diags.HasErrors() {
			return nil, diags
		}
		return p.filter(match), diags
	case len(req.Addresses) > 0:
		return p.named(req.Addresses)
	}
	return p.filter(p.due(p.Now())), nil
}

// due reports whether max_age says that a credential should have been reset by then; an
// unknown age is due.
func (p *Planner) due(then time.Time) func(*config.Credential) bool {
	return func(c *config.Credential) bool {
		if c.MaxAge == 0 {
			return false
		}
		known, ok := p.Known[c.Addr.String()]
		return !ok || then.Sub(known.At) >= c.MaxAge
	}
}

func (p *Planner) filter(match func(*config.Credential) bool) []*config.Credential {
	var out []*config.Credential
	for _, c := range p.Workspace.Credentials {
		if match(c) {
			out = append(out, c)
		}
	}
	return out
}

// named resolves addresses; one without a key stands for all instances of its block.
func (p *Planner) named(list []string) ([]*config.Credential, diag.Diagnostics) {
	var diags diag.Diagnostics
	want := map[addrs.Credential]bool{}
	have := map[addrs.Credential]bool{}
	var names []string
	for _, c := range p.Workspace.Credentials {
		have[c.Addr], have[c.Addr.Block()] = true, true
		names = append(names, c.Addr.String())
	}
	for _, s := range list {
		a, err := addrs.ParseCredential(s)
		if err != nil {
			diags = diags.Errorf("Not an address", "%s.", err)
			continue
		}
		if !have[a] {
			diags = diags.Errorf("No such credential", "This workspace has no %s.%s", a, nearest(s, names))
			continue
		}
		want[a] = true
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return p.filter(func(c *config.Credential) bool { return want[c.Addr] || want[c.Addr.Block()] }), nil
}

// nearest suggests the address that shares the longest beginning with s.
func nearest(s string, names []string) string {
	if len(names) == 0 {
		return " It declares no credentials at all."
	}
	best, length := "", -1
	for _, n := range names {
		l := 0
		for l < len(n) && l < len(s) && n[l] == s[l] {
			l++
		}
		if l > length {
			best, length = n, l
		}
	}
	if length > len("credential.") {
		return fmt.Sprintf(" Did you mean %s?", best)
	}
	if len(names) > 5 {
		names = append(names[:5:5], "…")
	}
	return " It has " + strings.Join(names, ", ") + "."
}
