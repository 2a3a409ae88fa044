package command

import (
	"context"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// writePage writes the page that is to be hosted.
func (a *app) writePage(path string, args []string) diag.Exit {
	if !a.noArgs(args) {
		return diag.ExitError
	}
	page := a.parts.Registry.Verifier("webauthn").Page(false)
	if head, _, _ := strings.Cut(string(page), "\n"); !replaceable(path, head) {
		return a.done(diag.Errored(0, "The page cannot be written", "%s is there already and is no page. Give -page=FILE another name.", path))
	}
	err := atomicfile.Replace(context.Background(), path, atomicfile.Options{Mode: os.FileMode(0o644)}, func(w io.Writer) error {
		_, err := w.Write(page)
		return err
	})
	if err != nil {
		return a.done(diag.Errored(0, "The page cannot be written", "%s: %s.", path, reason(err)))
	}
	a.view.Note("The page is in " + path + ". Host it with https at an origin of the verifier, where nobody else may change what is served.")
	return diag.ExitOK
}

// newKey has a page register a security key.
func (a *app) newKey(ctx context.Context, verifier, who string, args []string) diag.Exit {
	if !a.noArgs(args) {
		return diag.ExitError
	}
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	b, diags := e.Register(ctx, verifier, who)
	if diags.HasErrors() {
		return a.done(diags)
	}
	if !local(b) {
		a.view.Link(b)
		a.view.Note("Give the link to " + who + ": the page gives her what declares her key.")
		return a.done(diags)
	}
	line := ""
	faults := a.served(ctx, b, func(document []byte) (string, diag.Diagnostics) {
		var err error
		if line, err = b.Declare(document); err != nil {
			return "", diag.Errored(diag.ExitMissing, "Not registered", "%s: %s.", b.Verifier, err)
		}
		return "The key is registered. Go on where remint runs: it prints what declares the key.", nil
	})
	if line != "" && !faults.HasErrors() {
		a.view.Text(line + "\n")
		a.view.Note("Add it to the list that the credentials of " + b.Verifier + " are.")
	}
	return a.done(append(diags, faults...))
}

// browse has a page ask for a security key.
func (a *app) browse(ctx context.Context, f proofFlags, path string, file *plan.File) diag.Exit {
	if f.token != "" || f.code != "" || f.assertion != "" {
		a.fault("Two things are brought at once", "-browser shows a security key; bring what you have in a verification of its own.")
		return diag.ExitError
	}
	p := verify.Presented{Verifier: f.verifier, Address: f.subject, Identity: f.identity, Takes: provider.TakesAssertion}
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	b, diags := e.Browse(ctx, file, p)
	if diags.HasErrors() {
		return a.done(diags)
	}
	if !local(b) {
		a.view.Link(b)
		a.view.Note("Open it in a browser. The page gives a file, for remint verify -webauthn=FILE " + path)
		return a.done(diags)
	}
	p.Verifier, p.Identity = b.Verifier, "" // a key says itself whose it is
	var got *engine.Verification
	faults := a.served(ctx, b, func(document []byte) (string, diag.Diagnostics) {
		req := engine.VerifyRequest{File: file, Getenv: a.getenv, Presented: p}
		req.Presented.Brought.Document = document
		x, diags := a.judged(ctx, e, req, path)
		if x == nil {
			return "", diags
		}
		got = x
		return "You are verified as " + x.Accepted.Identity + " at " + string(x.Accepted.Strength) + ". Go on where remint runs.", diags
	})
	if got != nil && !faults.HasErrors() {
		a.view.Verified(got, kept(got, path))
	}
	return a.done(append(diags, faults...))
}

// local reports whether the page is on this machine, where nobody hosts it.
func local(b *engine.Browsing) bool {
	u, err := url.Parse(b.URL)
	return err == nil && u.Scheme == "http" && u.Hostname() == "localhost"
}

// served serves the page until take is content with what it gave.
func (a *app) served(ctx context.Context, b *engine.Browsing, take func(document []byte) (string, diag.Diagnostics)) diag.Diagnostics {
	s, err := listenLocal(b.URL, b.Page)
	if err != nil {
		u, _ := url.Parse(b.URL) // it is local
		return diag.Errored(0, "The page cannot be served", "%s: %s.", u.Host, err)
	}
	a.view.Note("Open in a browser on this machine: " + s.url + "#" + b.Fragment)
	var last diag.Diagnostics
	err = s.serve(ctx, func(document []byte) (string, bool) {
		text, diags := take(document)
		if diags.HasErrors() {
			a.view.Diagnostics(diags) // she may try again
			return diags[len(diags)-1].Detail, false
		}
		last = diags
		return text, true
	})
	if err != nil {
		return diag.Errored(diag.ExitMissing, "No key answered", "The page got no answer of a key that counts: %s.", err)
	}
	return last
}
