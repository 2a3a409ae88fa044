package view

import (
	"fmt"
	"time"

	"github.com/remint-dev/remint/engine"
)

// Verified says who was verified, how surely, and until when; path is the document,
// "" where none was written.
func (v *View) Verified(x *engine.Verification, path string) {
	a := x.Accepted
	if v.JSON {
		v.document(map[string]any{
			"format_version": "1.0", "verifier": a.Verifier, "identity": a.Identity, "strength": a.Strength, "bound": a.Bound,
			"address": a.Address, "until": a.Until.UTC(), "claims": a.Claims, "file": path,
		})
		return
	}
	as, bound := "as the requester", "bound to this plan"
	if a.Address != "" {
		as = "as the subject of " + safe(a.Address)
	}
	if !a.Bound {
		bound = "not bound to this plan"
	}
	v.Text(fmt.Sprintf("%s is verified %s at %s by %s, %s, until %s.\n", v.out().bold(safe(a.Identity)), as, safe(string(a.Strength)), safe(a.Verifier), bound, a.Until.UTC().Format(time.RFC3339)))
	if path != "" {
		v.Text("Written to " + safe(path) + ".\n")
	}
}

// Requester says, before a run, who is known to ask for it. A warning says it where that
// is somebody else than the plan says.
func (v *View) Requester(a *engine.Application) {
	if who := a.Gate.Requester; who != "" {
		strength, bound := a.Verified.As(who)
		how := ", not bound to this plan"
		if bound {
			how = ""
		}
		v.Note(fmt.Sprintf("The requester is %s, verified at %s%s.", safe(who), strength, how))
	}
}

// Challenges prints what to bind to, by verifier.
func (v *View) Challenges(list map[string]map[string]any) {
	v.document(map[string]any{"format_version": "1.0", "verifiers": list})
}

// Link prints where to go with a browser.
func (v *View) Link(b *engine.Browsing) {
	link := b.URL + "#" + b.Fragment
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "verifier": b.Verifier, "url": link})
		return
	}
	v.Text(safe(link) + "\n")
}
