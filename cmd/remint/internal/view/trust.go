package view

import (
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/plan"
)

// Trust shows who judges.
func (v *View) Trust(t *engine.TrustReport) {
	if v.JSON {
		v.document(struct {
			FormatVersion string `json:"format_version"`
			*engine.TrustReport
		}{"1.0", t})
		return
	}
	p := planText{st: v.out()}
	digest := t.Digest
	if t.Incomplete {
		digest = "not known: some of it depends on variables that have no value here"
	}
	p.line("%s", p.st.bold("Trust base: "+safe(digest)))
	switch {
	case t.Place != "":
		p.line("Read from %s.", safe(t.Place))
	case t.Trust == plan.Pinned:
		p.line("The workspace's own, pinned by REMINT_TRUST.")
	default:
		p.line("The workspace's own: self-asserted. Whoever may change the workspace may change who judges it.")
	}
	p.line("")
	for _, l := range t.Base.Lines() {
		p.line("  %s", safe(l))
	}
	p.line("")
	switch {
	case t.Remembered == "":
		p.line("The state knows no trust base yet; the first apply makes it remember this one.")
	case t.Remembered == t.Digest:
		p.line("The state knows this trust base.")
	case t.Incomplete:
		p.line("The state knows %s.", safe(t.Remembered))
	default:
		p.line("%s", p.st.yellow("The state knows another one, "+safe(t.Remembered)+". What is different here:"))
		for _, c := range t.Changes {
			p.line("  %s", safe(c))
		}
		p.line("Nothing is applied until `remint trust accept` has made this one the state's.")
	}
	v.Text(p.b.String())
}

// trustChange shows a change of the trust base, for those who approve it.
func (p *planText) trustChange(saved string) {
	d := &p.f.Plan
	p.line("%s", p.st.bold("Another trust base is to judge what is applied from this state."))
	if d.Requester != "" {
		p.line("proposed by %s (a claim)", safe(d.Requester))
	}
	p.line("")
	p.line("  from %s", safe(d.TrustDigest))
	p.line("  to   %s", safe(d.TrustChange.To))
	p.line("")
	for _, c := range d.TrustChange.Changes {
		p.line("  %s", safe(c))
	}
	p.line("")
	if len(d.Requirements.Approvals) > 0 {
		p.line("Needed: the approval of an approver of the base before it, who is not the one who accepts it:")
		for _, a := range d.TrustChange.Approvers {
			what, id := "key", a.KeyID
			if certified, ok := strings.CutPrefix(id, "identity:"); ok {
				what, id = "certificates, identity", certified
			}
			p.line("  %s (%s %.12s)", safe(a.Name), what, safe(id))
		}
	} else {
		p.line("The base before it has no approvers: nobody has to agree.")
	}
	p.line("%s", p.st.dim("change "+safe(p.f.ID)+" · "+safe(p.f.Digest)))
	if saved != "" {
		p.line("Saved in %s.", safe(saved))
	}
}

// TrustAccepted says that a state took over another trust base.
func (v *View) TrustAccepted(f *plan.File, run string) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "run": run, "trust_digest": f.Plan.TrustChange.To, "before": f.Plan.TrustDigest})
		return
	}
	v.Note("Accepted, in run " + run + ": the state knows the trust base " + f.Plan.TrustChange.To + " now.")
}
