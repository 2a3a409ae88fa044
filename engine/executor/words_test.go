package executor

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/provider"
)

// bare is a reset of credential.t.a in run-1, of which nothing is done yet.
func bare(mode lifecycle.Mode, kind lifecycle.Kind) *reset {
	p := &plan.Reset{Address: "credential.t.a", Observed: plan.Observed{Target: "db-1"}}
	return &reset{
		job:     &Job{Run: "run-1", File: &plan.File{Plan: plan.Plan{Mode: mode, Resets: []plan.Reset{*p}}}},
		Reset:   &planner.Reset{Plan: p, Credential: &config.Credential{Type: &provider.CredentialType{Kind: kind}}},
		address: p.Address, past: newHistory(),
	}
}

// The words in which a person is asked about a step, and told what her answers do.
// She decides by them at three in the morning.
func TestTheWordsOfAQuestion(t *testing.T) {
	t.Parallel()
	const on = "the reset goes on after this step, on your word"
	store, consumer := &config.Block{Type: "file", Name: "env"}, &config.Block{Type: "command", Name: "web"}
	for name, tc := range map[string]struct {
		mode     lifecycle.Mode
		kind     lifecycle.Kind
		st       config.Step
		nowhere  bool // the plan names no target
		question []string
	}{
		"taken back": {st: rollBackStep(), question: []string{
			"The new version of credential.t.a did not work. Is it gone from db-1 again?", "the reset ends as rolled back, on your word", "it is taken back again",
		}},
		"issue": {st: config.Step{Phase: lifecycle.Issue}, question: []string{
			"Did db-1 make a version of credential.t.a for this run (its mark begins with MARK) that is still valid?",
			"its secret never arrived here, so the reset is closed as abandoned: revoke that version at the target by hand, then plan again",
			"a version is made again. Say so if you found none, or have revoked it by hand",
		}},
		"install": {st: config.Step{Phase: lifecycle.Install}, question: []string{
			"Does db-1 hold the new secret of credential.t.a that this run made (`remint recover` writes it into a file)?", on + "; `confirm` still tries it", "it is set again",
		}},
		"install somewhere": {st: config.Step{Phase: lifecycle.Install}, nowhere: true, question: []string{
			"Does the target hold the new secret of credential.t.a that this run made (`remint recover` writes it into a file)?", on + "; `confirm` still tries it", "it is set again",
		}},
		"confirm in place": {mode: lifecycle.Cutover, kind: lifecycle.InPlace, st: config.Step{Phase: lifecycle.Confirm}, question: []string{
			"Does db-1 accept the new secret of credential.t.a (`remint recover` writes it into a file)?", on + ", which result policies may refuse", "it is tried again",
		}},
		"confirm, two live": {mode: lifecycle.Cutover, kind: lifecycle.Overlapping, st: config.Step{Phase: lifecycle.Confirm}, question: []string{
			"Does db-1 accept the new secret of credential.t.a (`remint recover` writes it into a file)?", on + ", which result policies may refuse",
			"the new version is taken back, if nothing else was changed yet; otherwise it is tried again",
		}},
		"confirm in contain": {mode: lifecycle.Contain, kind: lifecycle.Overlapping, st: config.Step{Phase: lifecycle.Confirm}, question: []string{
			"Does db-1 accept the new secret of credential.t.a (`remint recover` writes it into a file)?", on + ", which result policies may refuse", "it is tried again",
		}},
		"a store": {st: config.Step{Phase: lifecycle.Distribute, Store: store}, question: []string{
			"Does store file.env hold the new secret of credential.t.a?", on + "; the new secret stays sealed in the state as well", "it is put there again",
		}},
		"a store to be emptied": {mode: lifecycle.Retire, st: config.Step{Phase: lifecycle.Distribute, Store: store}, question: []string{
			"Is store file.env empty of the secret of credential.t.a?", on, "it is emptied again",
		}},
		"no store": {st: config.Step{Phase: lifecycle.Distribute}, question: []string{
			"Does store distribute.x hold the new secret of credential.t.a?", on + "; the new secret stays sealed in the state as well", "it is put there again",
		}},
		"a consumer": {st: config.Step{Phase: lifecycle.Reload, Consumer: consumer}, question: []string{
			"Did consumer command.web of credential.t.a pick up the new secret?", on, "it is told again",
		}},
		"no consumer": {st: config.Step{Phase: lifecycle.Reload}, question: []string{
			"Did consumer reload.x of credential.t.a pick up the new secret?", on, "it is told again",
		}},
		"revoke": {st: config.Step{Phase: lifecycle.Revoke}, question: []string{
			"Is the old secret of credential.t.a revoked at db-1?", on + "; `prove` still has to show that it is dead", "it is revoked again",
		}},
		"terminate": {st: config.Step{Phase: lifecycle.Terminate}, question: []string{
			"Are the sessions of credential.t.a that were begun with the old secret ended at db-1?", on, "they are ended again",
		}},
		"notify": {st: config.Step{Phase: lifecycle.Notify, To: "o@example.com"}, question: []string{
			"Was o@example.com told of the reset of credential.t.a?", on, "the notice is sent again",
		}},
		"notify of a retirement": {mode: lifecycle.Retire, st: config.Step{Phase: lifecycle.Notify, To: "o@example.com"}, question: []string{
			"Was o@example.com told of the reset of credential.t.a?", on, "the notice is sent again",
		}},
		"a phase of another version": {st: config.Step{Phase: "dance"}, question: []string{
			"Did dance.x of credential.t.a happen?", on, "it is done again",
		}},
	} {
		r := bare(tc.mode, tc.kind)
		if tc.nowhere {
			r.Plan.Observed.Target = ""
		}
		if tc.st.Addr.Name == "" {
			tc.st.Addr = addrs.Step{Phase: string(tc.st.Phase), Name: "x"}
		}
		asks, done, notDone := r.words(tc.st)
		for i := range tc.question {
			tc.question[i] = strings.ReplaceAll(tc.question[i], "MARK", r.label(tc.st.Addr.String()))
		}
		if diff := cmp.Diff(tc.question, []string{asks, done, notDone}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
