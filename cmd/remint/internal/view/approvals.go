package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// Approvals shows who has approved a plan, who may, and what is missing.
func (v *View) Approvals(file *plan.File, r *engine.ApprovalsReport) {
	if v.JSON {
		v.document(approvalsDocument(file, r))
		return
	}
	st := v.out()
	line := func(format string, args ...any) { v.Text(fmt.Sprintf(format, args...) + "\n") }
	who := file.Plan.Requester
	if who == "" {
		who = "nobody named"
	}
	line("plan %s, requested by %s (verified: %s)", safe(file.ID), safe(who), r.Verified.Level())
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
	switch {
	case len(r.Answer.Lifting.Left) > 0:
	case r.Rest != "":
		line("The rest is not held up by this. Plan it alone with\n  -where='%s'", safe(r.Rest))
	case r.Answer.Passed():
		line("Nothing is missing.")
	}
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

func approvalsDocument(file *plan.File, r *engine.ApprovalsReport) map[string]any {
	approved, needs := []map[string]any{}, []map[string]any{}
	for _, a := range r.Answer.Approvals {
		approved = append(approved, map[string]any{"approver": a.Approver.Name, "expires_at": a.Until, "comment": a.Signed.Comment})
	}
	for _, n := range r.Answer.Needs {
		needs = append(needs, map[string]any{
			"count": n.Count, "group": n.Group, "addresses": list(n.Addresses), "got": n.Got, "want": n.Want, "why": n.Why, "may": list(n.May), "met": n.Met(),
		})
	}
	return map[string]any{
		"format_version": "1.0", "plan_id": file.ID, "passed": r.Answer.Passed() && len(r.Answer.Lifting.Left) == 0, "overrides": liftingDocument(r.Answer.Lifting), "approvals": approved, "ignored": list(r.Answer.Ignored),
		"rejections": list(r.Answer.Rejections), "needs": needs, "missing": list(r.Answer.Missing), "rest": r.Rest,
		"verification": map[string]any{"identity": r.Verified.Identity, "strength": r.Verified.Level(), "bound": r.Verified.Bound},
	}
}

// list is never null in JSON.
func list(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
