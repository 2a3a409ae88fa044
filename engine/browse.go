package engine

import (
	"context"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

// Browsing is how somebody shows a verifier something with a browser.
type Browsing struct {
	// Verifier is TYPE.NAME.
	Verifier string
	// URL is the page's, Fragment what it is to do.
	URL, Fragment string
	// Page is what to serve there, where nobody hosts it.
	Page []byte
	// Declare gives what the workspace is to declare, of what the page made for a
	// new key; nil where it gets an answer about a plan.
	Declare func(document []byte) (string, error)
}

// Browse says where somebody gets an answer about a plan with a browser.
func (e *Engine) Browse(ctx context.Context, file *plan.File, p verify.Presented) (*Browsing, diag.Diagnostics) {
	if faults := append(ofResets(file), verifiable(file)...); faults.HasErrors() {
		return nil, faults
	}
	return e.browsing(ctx, p.Verifier, func(c *verify.Checker, _ string, v provider.Browsed, out *Browsing) diag.Diagnostics {
		asked, err := c.Question(file, p)
		if err == nil {
			out.Fragment, err = v.Question(asked)
		}
		if err != nil {
			return unverified(verify.Refusal{Verifier: out.Verifier, Why: err.Error()})
		}
		return nil
	})
}

// Register says where somebody makes a new key known with a browser.
func (e *Engine) Register(ctx context.Context, verifier, who string) (*Browsing, diag.Diagnostics) {
	return e.browsing(ctx, verifier, func(_ *verify.Checker, name string, v provider.Browsed, out *Browsing) diag.Diagnostics {
		fragment, err := v.Registration(name, who)
		if err != nil {
			return diag.Errored(0, "Nobody's key", "-new-key=%s: %s.", addrs.Visible(who), err)
		}
		out.Fragment, out.Declare = fragment, func(document []byte) (string, error) { return v.Registered(who, document) }
		return nil
	})
}

func (e *Engine) browsing(ctx context.Context, name string, ask func(*verify.Checker, string, provider.Browsed, *Browsing) diag.Diagnostics) (*Browsing, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	checker := e.checker(w, verify.Forgetful{}, nil)
	b, v, err := checker.Browsed(ctx, name)
	if err != nil {
		return nil, append(diags, unverified(verify.Refusal{Why: err.Error()})...)
	}
	out := &Browsing{Verifier: b.Key(), URL: v.PageURL(), Page: e.opts.Registry.Verifier(b.Type).Page(true)}
	return out, append(diags, ask(checker, b.Name, v, out)...)
}
