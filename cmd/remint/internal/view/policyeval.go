package view

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/policy"
)

// Explained says how much of an explanation is shown.
type Explained struct {
	// Why shows what rules read, and their Rego; Rule shows that of one rule alone,
	// and what kept it from holding.
	Why  bool
	Rule string
}

// Of reports whether r is the one rule, by its ID or, as denials name it, by
// SOURCE/ID. A rule without an ID is known by its place, FILE:LINE.
func (e Explained) Of(r policy.AskedRule) bool {
	name := r.Name()
	return name != "" && (e.Rule == name || e.Rule == r.Source+"/"+name)
}

// PolicyEval shows a decision and the rules behind it.
func (v *View) PolicyEval(x *engine.Evaluation, how Explained) {
	rules := []policy.AskedRule{}
	for _, r := range x.Rules {
		if how.Rule != "" && !how.Of(r) {
			continue
		}
		if !how.Why && how.Rule == "" {
			r.Rego, r.Cases, r.Nearest = nil, nil, nil
		}
		rules = append(rules, r)
	}
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "stage": x.Inputs[0].Stage, "trust": x.Inputs[0].Trust, "denied": x.Verdict.Denied(), "decisions": x.Verdict.Decisions,
			"requirements": x.Verdict.Requirements, "rules": rules})
		return
	}
	v.Text(fmt.Sprintf("%s, trust: %s\n", safe(string(x.Inputs[0].Stage)), safe(x.Inputs[0].Trust)))
	for i := range rules {
		v.askedRule(&rules[i], how)
	}
	for _, d := range x.Verdict.Decisions {
		v.Text(fmt.Sprintf("%s %s/%s %s: %s\n", safe(string(d.Level)), safe(d.Source), safe(d.Rule), safe(d.Address), safe(d.Message)))
	}
	for _, a := range x.Verdict.Requirements.Approvals {
		v.Text(fmt.Sprintf("require %s of group %q\n", plural(a.Count, "approval"), safe(a.Group)))
	}
	if s := x.Verdict.Requirements.Strength; s.AtLeast(lifecycle.AAL1) {
		v.Text(fmt.Sprintf("require that the requester is verified at %s\n", s))
	}
}

func (v *View) askedRule(r *policy.AskedRule, how Explained) {
	st := v.out()
	mark, held := st.dim("·"), "said nothing"
	if r.Held > 0 {
		mark, held = st.yellow("●"), fmt.Sprintf("held %d times", r.Held)
	}
	place, id := "", ""
	if r.Range != nil {
		place = " " + safe(r.Range.String())
	}
	why := how.Rule != "" || how.Why && r.Held > 0
	if r.ID != "" {
		id = "/" + r.ID
	}
	title := cmp.Or(r.Title, fmt.Sprintf("%s.%s without a title", r.Package, r.Set))
	v.Text(fmt.Sprintf("%s %s%s %s: %s (%s)%s\n", mark, safe(r.Source), safe(id), safe(r.Set), safe(title), held, st.dim(place)))
	if !why {
		return
	}
	if r.Rego != nil {
		for i, line := range strings.Split(r.Rego.Code, "\n") {
			v.Text(st.dim(fmt.Sprintf("    %5d: %s", r.Rego.StartLine+i, safe(tabs(line)))) + "\n")
		}
	}
	for i, c := range r.Cases {
		lead := "held, having read"
		if len(c.Read) == 0 {
			lead = "held, having read nothing of the input by itself"
		}
		v.Text(fmt.Sprintf("    %s\n", lead))
		v.readValues(c)
		if i == len(r.Cases)-1 && r.Held > len(r.Cases) {
			v.Text(fmt.Sprintf("    and %d times more\n", r.Held-len(r.Cases)))
		}
	}
	if n := r.Nearest; n != nil && (r.Held == 0 || how.Rule != "") {
		at := ""
		if n.Range != nil {
			at = fmt.Sprintf(" (%s)", safe(n.Range.String()))
		}
		v.Text(fmt.Sprintf("    did not hold where this failed: %s%s\n", st.bold(safe(n.Failed)), st.dim(at)))
		v.readValues(*n)
	}
	if r.Remedy != "" {
		v.Text("    what to do: " + safe(r.Remedy) + "\n")
	}
}

func (v *View) readValues(c policy.RuleCase) {
	for _, x := range c.Read {
		v.Text(fmt.Sprintf("      %s = %s\n", safe(x.Path), safe(x.Value)))
	}
}
