package executor

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// errDenied is the answer of the result policies.
var errDenied = provider.Errorf(provider.Permanent, "denied by the result policies")

// judge asks the result policies about what was observed: before the old one is
// revoked where both still live, and at the end. What they were asked goes to asked.
func (r *reset) judge(ctx context.Context, final bool, asked *[]plan.Judgement) error {
	doc := &r.job.File.Plan
	in := planner.Input(policy.StageResult, doc, []*planner.Reset{r.Reset})
	in.Requirements, in.Operator, in.Approvals, in.Unattended = &doc.Requirements, r.job.Operator, r.job.Gate.Input(), r.job.Unattended
	in.Verification = r.job.Verified.Policy(doc.Requester)
	in.Resets[0].Result = r.result(final)
	judged, diags := r.x.Policies.Eval(ctx, in, planner.Before(in, []*planner.Reset{r.Reset})...)
	*asked = append(*asked, judged.Judgement)
	if diags.HasErrors() {
		if err := ctx.Err(); err != nil { // they denied nothing, and are asked again
			return err
		}
		return provider.Errorf(provider.Permanent, "the result policies could not be asked: %v", diags.Err())
	}
	var denials []string
	for _, d := range judged.Decisions {
		if d.Level == plan.Deny {
			denials = append(denials, d.Message+" ("+d.Source+"/"+d.Rule+")")
		}
	}
	if len(denials) > 0 {
		text := strings.Join(denials, "; ")
		if void := r.voids(judged.Decisions); void != "" {
			text += ". " + void
		}
		return fmt.Errorf("%w: %s", errDenied, text)
	}
	return nil
}

// result sums up what the steps have observed so far.
func (r *reset) result(final bool) *policy.Result {
	out := &policy.Result{Proof: r.proof(), Asserted: append([]string{}, r.asserted()...), Final: final}
	for _, st := range r.steps {
		past := r.past.steps[st.Addr.String()]
		if past.kind != journal.Done { // what a person asserted was not observed
			continue
		}
		switch st.Phase {
		case lifecycle.Confirm:
			out.NewAccepted = true
		case lifecycle.Distribute:
			out.StoresConfirmed++
		case lifecycle.Reload:
			out.Reloaded++
		case lifecycle.Notify:
			out.Notified = true
		case lifecycle.Terminate:
			n, _ := strconv.Atoi(past.entry.Facts["sessions_ended"])
			out.SessionsEnded += n
		}
	}
	return out
}
