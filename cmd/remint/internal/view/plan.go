package view

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// fullResets is how many resets a plan shows step by step; of more, those that
// are alike are summed up.
const fullResets = 20

// Plan shows a plan; saved names the file that it is in, if it is in one.
func (v *View) Plan(f *plan.File, saved string) {
	if v.JSON {
		if v.stream == nil { // the very bytes of the file: what reads one reads the other
			if err := f.Write(v.term.Out); err != nil {
				v.Note("The plan cannot be written: " + err.Error())
			}
		}
		return
	}
	p := planText{st: v.out(), f: f}
	if f.Plan.TrustChange != nil {
		p.trustChange(saved)
		v.Text(p.b.String())
		return
	}
	p.head()
	if len(f.Plan.Resets) == 0 {
		v.Text(p.b.String())
		return
	}
	p.resets()
	p.decisions()
	p.requirements()
	p.trust()
	p.foot(saved)
	v.Text(p.b.String())
}

// Nothing says that a plan is about nothing.
func (v *View) Nothing(f *plan.File) { v.Plan(f, "") }

type planText struct {
	b  strings.Builder
	st style
	f  *plan.File
}

func (p *planText) line(format string, args ...any) { fmt.Fprintf(&p.b, format+"\n", args...) }

func (p *planText) head() {
	d := &p.f.Plan
	switch {
	case len(d.Resets) == 0 && d.Selection != nil && d.Selection.By != plan.ByDue:
		p.line("%s", p.st.bold("Nothing is to be reset."))
		p.line("Of what was chosen, nothing is left.")
		return
	case len(d.Resets) == 0:
		p.line("%s", p.st.bold("Nothing is due."))
		p.line("No credential is older than its max_age. Name addresses, -where or -all to reset before that.")
		return
	}
	p.line("%s", p.st.bold(fmt.Sprintf("remint will reset %s (%s: %s)", plural(len(d.Resets), "credential"), safe(string(d.Reason)), modeWords(d.Mode))))
	about := []string{}
	if d.Requester != "" {
		about = append(about, "requested by "+safe(d.Requester)+" (a claim)")
	}
	if d.Ticket != "" {
		about = append(about, "ticket "+safe(d.Ticket))
	}
	if s := d.Selection; s != nil {
		switch s.By {
		case plan.ByWhere:
			about = append(about, "chosen with -where="+safe(s.Where))
		case plan.ByAll:
			about = append(about, "chosen with -all")
		case plan.ByDue:
			about = append(about, "chosen because max_age says that they are due")
		}
	}
	if len(about) > 0 {
		p.line("%s", strings.Join(about, ", "))
	}
	p.line("")
}

func modeWords(m lifecycle.Mode) string {
	switch m {
	case lifecycle.Contain:
		return "contain, the old one is killed first"
	case lifecycle.Retire:
		return "retire, the old one is killed and none is made"
	}
	return "cutover, the new one is in place before the old one is dead"
}

// resets shows each reset; above fullResets, one of each kind stands for all
// that have the same steps.
func (p *planText) resets() {
	list := p.f.Plan.Resets
	if len(list) <= fullResets {
		for i := range list {
			p.reset(&list[i], nil)
		}
		return
	}
	groups := map[string][]string{}
	first := map[string]*plan.Reset{}
	var order []string
	for i := range list {
		k := likeness(&list[i])
		if first[k] == nil {
			first[k] = &list[i]
			order = append(order, k)
		}
		groups[k] = append(groups[k], list[i].Address)
	}
	for _, k := range order {
		p.reset(first[k], groups[k][1:])
	}
}

// likeness is equal for resets that read the same but for their names.
func likeness(r *plan.Reset) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s|%s|%s|%v|%v|%v|%v|%q", r.CredentialType, r.Environment, r.Runbook.Digest, r.Observed.Exists, r.Observed.Enabled, len(r.DependsOn) > 0, r.Subject != "", r.Notes)
	for _, s := range r.Steps {
		b.WriteString("|" + s.Address + s.Summary)
	}
	return b.String()
}

func (p *planText) reset(r *plan.Reset, also []string) {
	st := p.st
	mark := st.yellow("-/+")
	switch {
	case p.f.Plan.Mode == lifecycle.Retire:
		mark = st.red("  -")
	case !r.Observed.Exists:
		mark = st.green("  +")
	}
	p.line("%s %s", mark, st.bold(safe(r.Address)))
	if len(also) > 0 {
		names := also[:min(3, len(also))]
		tail := ""
		if len(also) > 3 {
			tail = fmt.Sprintf(" … and %d more", len(also)-3)
		}
		p.line("    and likewise %s: %s%s", plural(len(also), "other"), safe(strings.Join(names, ", ")), tail)
	}
	owner := r.Owner
	if owner == "" {
		owner = "nobody"
	}
	p.line("    %s", st.dim(fmt.Sprintf("owner %s · %s · runbook %s%s · at %s", safe(owner), safe(r.Environment), safe(r.Runbook.Name), builtin(r.Runbook), safe(target(r)))))
	if r.Subject != "" {
		when := ", who is verified before she gets a new one"
		if p.f.Plan.Mode == lifecycle.Retire {
			when = ""
		}
		p.line("    the secret of %s%s", safe(r.Subject), when)
	}
	if len(r.DependsOn) > 0 {
		p.line("    after %s", safe(strings.Join(r.DependsOn, ", ")))
	}
	width := 0
	for _, s := range r.Steps {
		width = max(width, len(safe(s.Address)))
	}
	for _, s := range r.Steps {
		flag := "  "
		if !s.Reversible {
			flag = "! "
		}
		p.line("      %s%-*s  %s", st.red(flag), width, safe(s.Address), safe(s.Summary))
	}
	for _, n := range r.Notes {
		for i, l := range wrap(safe(n), 90) {
			lead := "    · "
			if i > 0 {
				lead = "      "
			}
			p.line("%s%s", lead, l)
		}
	}
	if s := p.seen(r.Address); s != "" && len(also) == 0 {
		p.line("    %s", st.dim(s))
	}
	p.line("")
}

func builtin(r plan.Runbook) string {
	if r.Builtin {
		return " (built in)"
	}
	return ""
}

func target(r *plan.Reset) string {
	if r.Observed.Target == "" {
		return "a target that was not read"
	}
	return r.Observed.Target
}

// seen is what was read and is not judged.
func (p *planText) seen(address string) string {
	i := sort.Search(len(p.f.Seen), func(i int) bool { return p.f.Seen[i].Address >= address })
	if i == len(p.f.Seen) || p.f.Seen[i].Address != address {
		i = slices.IndexFunc(p.f.Seen, func(s plan.Seen) bool { return s.Address == address })
	}
	if i < 0 {
		return ""
	}
	s := p.f.Seen[i]
	var parts []string
	if s.LastReset != nil {
		parts = append(parts, "last reset "+s.LastReset.UTC().Format("2006-01-02 15:04 MST"))
	} else {
		parts = append(parts, "no earlier reset is known")
	}
	if s.Sessions > 0 {
		parts = append(parts, plural(s.Sessions, "session")+" open")
	}
	return "seen: " + strings.Join(parts, ", ")
}

func (p *planText) decisions() {
	byRule := map[string][]plan.Decision{}
	var order []string
	for _, d := range p.f.Plan.Decisions {
		k := string(d.Level) + d.Source + "/" + d.Rule + d.Message
		if byRule[k] == nil {
			order = append(order, k)
		}
		byRule[k] = append(byRule[k], d)
	}
	if len(order) == 0 {
		p.line("Policies: nothing to object.")
		p.line("")
		return
	}
	p.line("%s", p.st.bold("Policies:"))
	for _, k := range order {
		ds := byRule[k]
		d := ds[0]
		word := p.st.yellow("warns")
		switch d.Level {
		case plan.Deny:
			word = p.st.paint("1;31", "DENIES")
			if d.Overridable {
				word += " (overridable)"
			}
		case plan.Overridden:
			word = p.st.yellow("objects (does not stop)")
		}
		about := ""
		if d.Address != "" {
			about = " [" + safe(d.Address)
			if len(ds) > 1 {
				about += fmt.Sprintf(" and %d more", len(ds)-1)
			}
			about += "]"
		}
		p.line("  %s/%s %s: %s%s", safe(d.Source), safe(d.Rule), word, safe(d.Message), about)
	}
	p.line("")
}

func (p *planText) requirements() {
	req := p.f.Plan.Requirements
	if len(req.Approvals) == 0 && (req.Strength == "" || req.Strength == lifecycle.None) {
		return
	}
	p.line("%s", p.st.bold("Needed before apply:"))
	for _, a := range req.Approvals {
		from := "any approver"
		if a.Group != "" {
			from = "the group " + safe(a.Group)
		}
		scope := "the whole plan"
		switch n := len(a.Addresses); {
		case n == 1:
			scope = safe(a.Addresses[0])
		case n > 1:
			scope = fmt.Sprintf("%s and %d more", safe(a.Addresses[0]), n-1)
		}
		p.line("  %s by %s, for %s; one more while the requester is not verified", plural(a.Count, "approval"), from, scope)
	}
	if req.Strength != "" && req.Strength != lifecycle.None {
		p.line("  the requester verified at %s", safe(string(req.Strength)))
	}
	p.line("")
}

// revisions tells of the policies that are signed bundles.
func (p *planText) revisions() {
	for _, name := range slices.Sorted(maps.Keys(p.f.Plan.PolicyRevisions)) {
		p.line("Policy %s: a signed bundle, revision %s", safe(name), safe(p.f.Plan.PolicyRevisions[name]))
	}
}

func (p *planText) trust() {
	p.revisions()
	switch d := p.f.Plan; d.Trust {
	case plan.SelfAsserted:
		p.line("Trust: self-asserted. Approvers and policies come from the workspace that they judge.")
	case plan.Pinned:
		p.line("Trust: pinned. Approvers and policies come from the workspace, and have the digest that REMINT_TRUST asks for.")
		p.line("%s", p.st.dim(d.TrustDigest))
	default:
		p.line("Trust: a trust base. Approvers, verifiers, policies, providers, notifiers and commands come from outside of the workspace.")
		p.line("%s", p.st.dim(d.TrustDigest))
	}
}

func (p *planText) foot(saved string) {
	n := map[string]int{}
	for _, r := range p.f.Plan.Resets {
		switch {
		case p.f.Plan.Mode == lifecycle.Retire:
			n["retire"]++
		case r.Observed.Exists:
			n["replace"]++
		default:
			n["make"]++
		}
	}
	p.line("%s", p.st.bold(fmt.Sprintf("Plan: %d to replace, %d to make, %d to retire. (! cannot be taken back)", n["replace"], n["make"], n["retire"])))
	p.line("%s", p.st.dim("plan "+safe(p.f.ID)+" · "+safe(p.f.Digest)))
	switch {
	case p.f.Plan.Liftable():
		p.line("%s", p.st.red("This plan is denied until an override names every denial: remint override."))
	case !p.f.Plan.Applyable:
		p.line("%s", p.st.red("This plan cannot be applied."))
	}
	if saved != "" {
		p.line("Saved in %s.", safe(saved))
	}
}
