package command

import (
	"bytes"
	"context"
	"flag"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/cmd/remint/internal/view"
	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/internal/atomicfile"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// evalFlags say which of the three decisions policies are asked for, and with what.
type evalFlags struct {
	stage, input, now, address string
	unattended                 bool
	approvals, verified        listFlag
}

func (f *evalFlags) flags(fs *flag.FlagSet) {
	fs.StringVar(&f.stage, "stage", "", "the decision that is asked for, `S`: plan, approval or result; plan unless told (eval)")
	fs.StringVar(&f.input, "input", "", "ask about the input document in `FILE`, in place of a plan (eval)")
	fs.StringVar(&f.now, "now", "", "ask as if at the time `T`, as in 2026-12-24T18:00:00Z; now unless told (eval, -stage=approval)")
	fs.StringVar(&f.address, "address", "", "only the reset of `ADDRESS` (eval, -stage=result)")
	fs.BoolVar(&f.unattended, "unattended", false, "ask as if nobody at a terminal looked on, as with apply -auto-approve (eval, -stage=approval)")
	fs.Var(&f.approvals, "approval", "an approval `FILE`, besides those beside the plan; may be repeated (eval, -stage=approval)")
	fs.Var(&f.verified, "verification", "a `FILE` that verify wrote, besides the one beside the plan; may be repeated (eval, -stage=approval)")
}

// stageNames are the stages as -stage names them.
var stageNames = map[string]policy.Stage{"plan": policy.StagePlan, "approval": policy.StageApproval, "result": policy.StageResult}

// request reads what is to be asked about.
func (f *evalFlags) request(a *app, args []string) (r engine.EvalRequest, diags diag.Diagnostics) {
	stage, known := stageNames[strings.TrimPrefix(f.stage, "remint.")]
	if r.Stage = stage; f.stage != "" && !known {
		diags = diags.Errorf("There is no such stage", "-stage is %q; it must be plan, approval or result.", f.stage)
	}
	if f.now != "" {
		var err error
		if r.Now, err = time.Parse(time.RFC3339, f.now); err != nil {
			diags = diags.Errorf("Not a time", "-now is %q; write it as in 2026-12-24T18:00:00Z.", f.now)
		}
	}
	r.Operator, r.Unattended, r.Address = a.operator(), f.unattended, f.address
	for _, only := range []struct {
		flag  string
		said  bool
		stage policy.Stage
	}{
		{"now", f.now != "", policy.StageApproval}, {"unattended", f.unattended, policy.StageApproval}, {"approval", len(f.approvals) > 0, policy.StageApproval},
		{"verification", len(f.verified) > 0, policy.StageApproval}, {"address", f.address != "", policy.StageResult},
	} {
		if only.said && (stage != only.stage || f.input != "") {
			diags = diags.Errorf("A flag of another stage", "-%s goes with -stage=%s and a plan: in no other question is anything of it asked.", only.flag, strings.TrimPrefix(string(only.stage), "remint."))
		}
	}
	switch {
	case f.input != "" && len(args) > 0:
		return r, diags.Errorf("Two inputs", "-input is asked about in place of a plan. Leave one of the two out.")
	case f.input != "":
		raw, err := boundedfile.Read(f.input, 65<<20)
		if err != nil {
			return r, diags.Errorf("The input cannot be read", "%s: %s.", f.input, err)
		}
		r.Input = append([]byte{}, raw...) // an empty file is no plan either
		return r, diags
	case len(args) != 1:
		return r, diags.Errorf("What is to be asked about?", "Say `remint policy eval PLAN`, or `-input=FILE` with an input document.")
	}
	file, faults := engine.ReadPlan(args[0])
	r.File, diags = file, append(diags, faults...)
	if diags.HasErrors() || stage != policy.StageApproval {
		return r, diags
	}
	r.Approvals, faults = documents(anApproval, f.approvals, args[0])
	diags = append(diags, faults...)
	var none proofFlags
	r.Proofs, faults = none.proofs(a, f.verified, args[0])
	return r, append(diags, faults...)
}

func (a *app) policyEval(ctx context.Context, args []string, f evalFlags, out string, how view.Explained) diag.Exit {
	e, diags := a.engine(nil, 0)
	r, faults := f.request(a, args)
	if diags = append(diags, faults...); diags.HasErrors() {
		return a.done(diags)
	}
	if out != "" && !replaceable(out, "{\n  \"version\": ") {
		return a.done(diag.Errored(0, "The input cannot be saved", "%s is there already and is no input. Give -out=FILE another name.", out))
	}
	judged, diags := e.PolicyEval(ctx, r)
	a.tellTrust(e)
	if judged == nil {
		return a.done(diags)
	}
	if how.Rule != "" && !slices.ContainsFunc(judged.Rules, how.Of) {
		a.fault("There is no such rule", "No rule that is asked in %s has the id %q. There are %s.", judged.Inputs[0].Stage, how.Rule, strings.Join(ruleIDs(&judged.Explanation), ", "))
		return diag.ExitError
	}
	if out != "" {
		if faults := saveInput(ctx, out, judged.Inputs); faults.HasErrors() {
			return a.done(append(diags, faults...))
		}
	}
	a.view.PolicyEval(judged, how)
	return a.done(diags)
}

// saveInput writes the one input that was asked about.
func saveInput(ctx context.Context, path string, inputs []*policy.Input) diag.Diagnostics {
	if len(inputs) > 1 {
		return diag.Errored(0, "The input cannot be saved", "Results are judged one by one, and there are %d. Name one with -address=ADDRESS.", len(inputs))
	}
	doc, err := inputs[0].Document()
	if err == nil {
		err = atomicfile.Replace(ctx, path, atomicfile.Options{Mode: 0o644}, func(w io.Writer) error {
			_, err := io.Copy(w, bytes.NewReader(append(doc, '\n')))
			return err
		})
	}
	if err != nil {
		return diag.Errored(0, "The input cannot be saved", "%s: %s.", path, reason(err))
	}
	return nil
}

// ruleIDs are what rules can be explained by one by one.
func ruleIDs(x *policy.Explanation) []string {
	var ids []string
	for _, r := range x.Rules {
		if name := r.Name(); name != "" {
			ids = append(ids, name)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
