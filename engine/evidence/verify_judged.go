package evidence

import (
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// The stages in which policies are asked, as judgements name them.
const (
	stagePlan     = "remint.plan"
	stageApproval = "remint.approval"
	stageResult   = "remint.result"
)

// judged checks decisions by themselves: their form, where they stand, and whether
// their result is what was said. Those of a resume are by the policies of that day.
func (v *verification) judged(f *recordFile, c *Common, list []plan.Judgement, today bool, stages ...string) {
	for i := range list {
		j := &list[i]
		denies := slices.ContainsFunc(j.Decisions, func(d plan.Decision) bool { return d.Level == plan.Deny })
		switch {
		case j.ID == "" || !strings.HasPrefix(j.InputDigest, "sha256:") || j.AskedAt.IsZero():
			v.bad(f, f.lines, CodeDecision, "a decision has no id, no digest of its input, or no time")
		case !slices.Contains(stages, j.Stage):
			v.bad(f, f.lines, CodeDecision, "a decision of the stage %q does not belong here", j.Stage)
		case j.PolicyDigest != c.PolicyDigest && !today && j.Stage != stageApproval:
			v.bad(f, f.lines, CodeDecision, "decision %s was made by other policies (%s) than the plan's", j.ID, j.PolicyDigest)
		case j.Result != plan.Allowed && j.Result != plan.Denied && j.Result != plan.Unanswered,
			j.Stage != stagePlan && denies != (j.Result == plan.Denied):
			v.bad(f, f.lines, CodeDecision, "decision %s says %q, and what was said is otherwise", j.ID, j.Result)
		}
	}
}

// decided reports whether the policies gave this result at stage.
func decided(list []plan.Judgement, stage, result string) bool {
	return slices.ContainsFunc(list, func(j plan.Judgement) bool { return j.Stage == stage && j.Result == result })
}

// undecided is something that was done though no decision allowed it.
type undecided struct {
	line int
	what string
	// denied is whether a decision denied it before the run, which an override may have
	// lifted; nothing lifts that there was none, or what the result policies say.
	denied bool
	// cutover is whether it needs one in a cutover only.
	cutover bool
}

// allows notes that what stands in the last line was not allowed at stage.
func (f *recordFile) allows(list []plan.Judgement, stage, what string, cutover bool) {
	if !decided(list, stage, plan.Allowed) {
		f.undecided = append(f.undecided, undecided{f.lines, what, stage != stageResult && decided(list, stage, plan.Denied), cutover})
	}
}

// stands is a denial that the run was begun in spite of.
type stands struct {
	Denial
	line        int
	overridable bool
}

// deny notes what the policies denied of the plan, and of its approvals when they were
// asked last.
func (f *recordFile) deny(r *Run) {
	said := map[string][]plan.Decision{stagePlan: r.Decisions}
	for _, j := range r.Judged {
		if j.Stage == stageApproval {
			said[stageApproval] = j.Decisions
		}
	}
	for _, stage := range []string{stagePlan, stageApproval} {
		for _, d := range said[stage] {
			if d.Level == plan.Deny {
				f.denials = append(f.denials, stands{Denial{Stage: stage, Source: d.Source, Rule: d.Rule, Address: d.Address}, f.lines, d.Overridable})
			}
		}
	}
}

// unlifted finds the denials that a run was begun in spite of and that nothing in it
// lifts: overrides lift what they name, broken glass whatever is overridable.
func (v *verification) unlifted(own *recordFile) {
	for _, d := range own.denials {
		switch {
		case !d.overridable:
			v.find(CodeDecision, own.path(), d.line, "%s denied the run, and its policy is mandatory: nothing lifts that", d.Denial)
		case !own.broken && !own.named[d.Denial]:
			v.find(CodeDecision, own.path(), d.line, "%s denied the run, and no override in it names that", d.Denial)
		}
	}
}

// undecided finds what was done without a decision, from all files of a run.
func (v *verification) undecided(own *recordFile, byAddress map[string]*recordFile) {
	find := func(f *recordFile) {
		for _, u := range f.undecided {
			switch {
			case u.denied && own.overridden:
			case u.cutover && (own.opened == nil || own.opened.Mode != string(lifecycle.Cutover)):
			default:
				v.find(CodeDecision, f.path(), u.line, "%s, and no decision of the policies allowed that", u.what)
			}
		}
	}
	find(own)
	if own.overridden || len(own.undecided) == 0 { // else it is said already
		v.unlifted(own)
	}
	for _, f := range byAddress {
		find(f)
	}
}

// judgedRun checks that a run began, or did not, by decisions that are there.
func (v *verification) judgedRun(f *recordFile, r *Run) {
	v.judged(f, &r.Common, r.Judged, r.Event == "resumed", stagePlan, stageApproval)
	f.overridden = f.overridden || r.Event == "override" || r.Event == "break_glass"
	f.broken = f.broken || r.Event == "break_glass"
	switch r.Event {
	case "decisions":
		f.deny(r)
		f.allows(r.Judged, stagePlan, "the run was begun after it was planned", false)
		f.allows(r.Judged, stageApproval, "the run was begun after it was approved", false)
	case "denied":
		denies := slices.ContainsFunc(r.Decisions, func(d plan.Decision) bool { return d.Level == plan.Deny })
		if len(r.Judged) == 0 || denies != decided(r.Judged, stagePlan, plan.Denied) {
			v.bad(f, f.lines, CodeDecision, "the run was denied, and the decision of the plan policies is not there or says otherwise")
		}
	}
}

// judgedStep notes a revocation that nobody allowed: in a cutover, of what overlaps,
// the result policies must have.
func (v *verification) judgedStep(f *recordFile, r *Step) {
	v.judged(f, &r.Common, r.Judged, false, stageResult)
	if r.Phase == string(lifecycle.Revoke) && r.Outcome == "done" && r.Facts["versions"] != "" && r.Step != rollBack {
		f.allows(r.Judged, stageResult, "the old one was revoked", true)
	}
}

// rollBack is the engine's own step: it takes back what never worked.
const rollBack = "roll_back.new"

// judgedReset checks that a reset ended by a decision that is there.
func (v *verification) judgedReset(f *recordFile, r *Reset) {
	v.judged(f, &r.Common, r.Judged, false, stageResult)
	switch {
	case r.Outcome == "finished":
		f.allows(r.Judged, stageResult, "the reset is finished", false)
	case r.Outcome == "denied" && !decided(r.Judged, stageResult, plan.Denied):
		v.bad(f, f.lines, CodeDecision, "the reset was denied, and no decision of the result policies says so")
	}
}
