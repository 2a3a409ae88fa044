package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// Approvals shows who has approved a plan, who may, what is missing, and what else
// there is to say.
func (v *View) Approvals(file *plan.File, r *engine.ApprovalsReport, diags diag.Diagnostics) {
	if v.JSON {
		v.document(approvalsDocument(file, r, diags))
		return
	}
	st := v.out()
	line := func(format string, args ...any) { v.Text(fmt.Sprintf(format, args...) + "\n") }
	line("plan %s, %s, trust: %s", safe(file.ID), safe(asked(file, r)), safe(file.Plan.Trust))
	if r.Run != "" {
		line("  %s run %s is open: this is what its resume is asked", st.yellow("open"), safe(r.Run))
	}
	for _, a := range r.Answer.Approvals {
		line("  %s by %s until %s", st.green("approved"), safe(a.Approver.Name), a.Until.UTC().Format(time.RFC3339))
	}
	for _, s := range r.Answer.Rejections {
		line("  %s %s", st.red("rejected"), safe(s))
	}
	for _, s := range r.Answer.Ignored {
		line("  %s %s", st.yellow("ignored"), safe(s))
	}
	for _, n := range r.Answer.Needs {
		word := st.green("met")
		if !n.Met() {
			word = st.yellow("open")
		}
		line("  %s %d of %d approvals %s", word, n.Got, n.Want, safe(needWords(n)))
	}
	for _, m := range r.Answer.Missing {
		line("  %s %s", st.yellow("missing"), safe(m))
	}
	v.overriding(r.Answer.Lifting)
	v.glass(r.Glass)
	if r.Rest != "" {
		line("The rest is not held up by this. Plan it alone with\n  %s", safe(restCommand(file, r.Rest)))
	}
	if r.Passed {
		line("Nothing is missing.")
	}
	v.Diagnostics(diags)
}

// asked says who asks, and who of that was verified.
func asked(file *plan.File, r *engine.ApprovalsReport) string {
	who := file.Plan.Requester
	if who == "" {
		who = "nobody named"
	}
	as := r.Answer.Requester
	strength, _ := r.Verified.As(as)
	switch other := r.Answer.Instead; {
	case other != nil:
		return fmt.Sprintf("requested by %s; %s was verified, %s, which is somebody else as far as names tell", who, other.Verified, other.Strength)
	case as == "" || as == who:
		return fmt.Sprintf("requested by %s (verified: %s)", who, strength)
	default:
		return fmt.Sprintf("requested by %s (verified as %s: %s)", who, as, strength)
	}
}

// glass says whether the glass may be broken.
func (v *View) glass(g *engine.GlassReport) {
	if g == nil {
		return
	}
	st := v.out()
	line := func(word, text string) { v.Text("  " + word + " " + safe(text) + "\n") }
	for _, s := range g.Glass.Ignored {
		line(st.yellow("ignored"), s)
	}
	if g.Applies {
		line(st.green("break-glass"), "applies, by "+g.Glass.Member.Name+", until "+g.Glass.Signed.ExpiresAt.UTC().Format(time.RFC3339)+": remint apply -break-glass")
		return
	}
	line(st.red("break-glass"), "does not apply:")
	for i, s := range g.Why {
		if i == maxListed {
			v.Text(fmt.Sprintf("    %d more reasons\n", len(g.Why)-i))
			return
		}
		v.Text("    " + safe(s) + "\n")
	}
}

// restCommand plans the rest as the plan was made.
func restCommand(file *plan.File, where string) string {
	p := &file.Plan
	words := []string{"remint", "plan", "-reason=" + string(p.Reason)}
	if p.Ticket != "" {
		words = append(words, "-ticket="+shell(p.Ticket))
	}
	if p.Requester != "" {
		words = append(words, "-requester="+shell(p.Requester))
	}
	return strings.Join(append(words, "-where="+shell(where)), " ")
}

// shell is s as one word of a POSIX shell.
func shell(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_.,:@/+", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// needWords says of whom, and for what.
func needWords(n gate.Need) string {
	text := "by any approver"
	if n.Group != "" {
		text = "by the group " + n.Group
	}
	if len(n.Addresses) == 0 {
		return text + ", for the whole plan"
	}
	return text + ", for " + strings.Join(n.Addresses, ", ")
}

func approvalsDocument(file *plan.File, r *engine.ApprovalsReport, diags diag.Diagnostics) map[string]any {
	approved, needs := []map[string]any{}, []map[string]any{}
	for _, a := range r.Answer.Approvals {
		approved = append(approved, map[string]any{"approver": a.Approver.Name, "expires_at": a.Until, "comment": a.Signed.Comment})
	}
	for _, n := range r.Answer.Needs {
		needs = append(needs, map[string]any{
			"count": n.Count, "group": n.Group, "addresses": list(n.Addresses), "got": n.Got, "want": n.Want, "why": n.Why, "may": list(n.May), "met": n.Met(),
		})
	}
	if diags == nil {
		diags = diag.Diagnostics{}
	}
	out := map[string]any{
		"format_version": "1.0", "plan_id": file.ID, "trust": file.Plan.Trust, "passed": r.Passed, "exit": r.Exit, "overrides": liftingDocument(r.Answer.Lifting), "approvals": approved, "ignored": list(r.Answer.Ignored),
		"rejections": list(r.Answer.Rejections), "needs": needs, "missing": list(r.Answer.Missing), "rest": r.Rest, "run": r.Run, "diagnostics": diags,
		"requester": file.Plan.Requester,
		"verification": map[string]any{
			"identity": r.Verified.Identity, "strength": r.Verified.Level(), "bound": r.Verified.Bound,
			"requester": r.Answer.Requester, // "" where the identity is of somebody else than the plan names
		},
	}
	if g := r.Glass; g != nil {
		glass := map[string]any{"applies": g.Applies, "ignored": list(g.Glass.Ignored), "why": list(g.Why)}
		if g.Glass.Signed != nil {
			glass["member"], glass["expires_at"] = g.Glass.Member.Name, g.Glass.Signed.ExpiresAt
		}
		out["break_glass"] = glass
	}
	return out
}

// list is never null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
