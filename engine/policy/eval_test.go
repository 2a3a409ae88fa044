package policy

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

// about is a rule for each set about resets of an owner.
const about = `package remint.plan
deny contains {"id": "d", "msg": r.owner, "address": r.address} if { some r in input.resets; r.owner == "mallory" }
warn contains {"id": "w", "msg": r.owner, "address": r.address} if some r in input.resets
require contains {"approvals": 2, "address": r.address} if { some r in input.resets; r.owner == "mallory" }
`

func owned(owner string) *Input {
	in := anInput()
	in.Resets[0].Owner, in.Resets[1].Owner = owner, "nobody"
	return in
}

// A reset that is judged at another address too is known by its own.
func TestWhatATwinStandsFor(t *testing.T) {
	for _, known := range []bool{true, false} {
		src := named("house", Mandatory, `package remint.plan
warn contains {"id": "w", "msg": concat(" ", [r.address, r.owner]), "address": r.address} if some r in input.resets
require contains {"approvals": 2, "address": "credential.t.z"} if "credential.t.z" in {r.address | some r in input.resets}
`)
		src.Known = known
		twin := owned("ann")
		twin.Resets = twin.Resets[:1]
		twin.Resets[0].Address, twin.StandsFor = "credential.t.z", map[string]string{"credential.t.z": "credential.t.a"}
		v, diags := compileAll(t, src).Eval(context.Background(), owned("mallory"), twin)
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		var said []string
		for _, d := range v.Decisions {
			said = append(said, d.Address+": "+d.Message)
		}
		if diff := cmp.Diff([]string{"credential.t.a: credential.t.a mallory", "credential.t.a: credential.t.z ann", "credential.t.b: credential.t.b nobody"}, said); diff != "" {
			t.Errorf("known %v: %s", known, diff)
		}
		if diff := cmp.Diff([]plan.Approvals{{Count: 2, Addresses: []string{"credential.t.a"}}}, v.Requirements.Approvals); diff != "" {
			t.Errorf("known %v: %s", known, diff)
		}
	}
}

// What is judged under two sets of facts is judged by both: the strictest of all counts.
func TestTheStrictestOfTwoInputs(t *testing.T) {
	for _, known := range []bool{true, false} {
		src := named("house", Mandatory, about)
		src.Known = known
		set := compileAll(t, src)
		for _, pair := range [][2]string{{"ann", "mallory"}, {"mallory", "ann"}} {
			e, diags := set.Explain(context.Background(), owned(pair[0]), owned(pair[1]))
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			warn := func(owner, address string) plan.Decision {
				return plan.Decision{Source: "house", Rule: "w", Level: plan.Warn, Message: owner, Address: address, Controls: []string{}}
			}
			deny := plan.Decision{Source: "house", Rule: "d", Level: plan.Deny, Message: "mallory", Address: "credential.t.a", Controls: []string{}}
			want := Verdict{
				Judgement:    e.Verdict.Judgement,
				Decisions:    []plan.Decision{deny, warn("ann", "credential.t.a"), warn("mallory", "credential.t.a"), warn("nobody", "credential.t.b")},
				Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Addresses: []string{"credential.t.a"}}}, Strength: "none"},
			}
			if diff := cmp.Diff(want, e.Verdict); diff != "" || !e.Verdict.Denied() {
				t.Errorf("known %v: %s", known, diff)
			}
			var held []int
			for _, r := range e.Rules {
				held = append(held, r.Held)
			}
			if diff := cmp.Diff([]int{1, 4, 1}, held); diff != "" {
				t.Errorf("known %v: rules held %s", known, diff)
			}
		}
		// What cannot be judged under the other facts denies as well.
		bad := owned("ann")
		bad.Resets[0].Attributes = map[string]any{"f": func() {}}
		for _, pair := range [][2]*Input{{owned("ann"), bad}, {bad, owned("ann")}} {
			v, diags := set.Eval(context.Background(), pair[0], pair[1])
			if diff := cmp.Diff(Verdict{Judgement: v.Judgement}, v); diff != "" || v.Judgement.Result != plan.Unanswered || diags.Exit() != diag.ExitDenied {
				t.Errorf("known %v: exit %v, %s", known, diags.Exit(), diff)
			}
			if set.remote != nil {
				clear(set.remote.broken)
			}
		}
	}
}

// Sources that are judged here and elsewhere are all asked, and all their faults said.
func TestKnownAndOthersAreAsked(t *testing.T) {
	set := compileAll(t, here(named("a", Mandatory, about)), named("b", Mandatory, about), here(named("c", Mandatory, strings.Replace(about, ".plan", ".result", 1))), here(named("d", Mandatory, about)))
	v := ask(t, set, owned("mallory"))
	of := map[string]int{}
	for _, d := range v.Decisions {
		of[d.Source]++
	}
	if diff := cmp.Diff(map[string]int{"a": 3, "b": 3, "d": 3}, of); diff != "" {
		t.Error(diff)
	}
	const wrong = "package remint.plan\ndeny contains 1 if true\n"
	set = compileAll(t, here(named("a", Mandatory, wrong)), here(named("lost", Mandatory, "package remint.plan\ndeny contains {")), named("b", Mandatory, wrong), here(named("d", Mandatory, wrong)))
	_, diags := set.Eval(context.Background(), anInput())
	for _, name := range []string{"a", "lost", "b", "d"} {
		if !strings.Contains(diags.Err().Error(), `Policy "`+name+`"`) {
			t.Errorf("nothing of %s in %v", name, diags.Err())
		}
	}
	if diags.Exit() != diag.ExitDenied {
		t.Errorf("exit %v", diags.Exit())
	}
}

// An input that cannot be shown is a fault of each policy that would have been asked about it.
func TestAnInputThatCannotBeShown(t *testing.T) {
	set := compileAll(t, here(named("a", Mandatory, about)), here(named("b", Mandatory, strings.Replace(about, ".plan", ".result", 1))), here(named("c", Mandatory, about)))
	in := anInput()
	in.Resets[1].Attributes = map[string]any{"f": func() {}}
	_, diags := set.Eval(context.Background(), in)
	if len(diags) != 2 || diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "credential.t.b: attribute f: it cannot be shown to policies") {
		t.Errorf("%d faults: %v", len(diags), diags.Err())
	}
}

// A stage that there is not is not one that nobody denies.
func TestUnknownStagesAreDenied(t *testing.T) {
	set := compileAll(t, here(named("a", Mandatory, about)))
	for _, stage := range []Stage{"", "plan", "remint.other", "remint.plan.x"} {
		in := anInput()
		in.Stage = stage
		if _, diags := set.Eval(context.Background(), in); diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "There is no stage \""+string(stage)+"\"") {
			t.Errorf("%s: %v", stage, diags.Err())
		}
	}
}

// A finding that a source could not have sent is refused here too, whatever the source.
func TestFindingsAreCheckedAgain(t *testing.T) {
	for name, f := range map[string]finding{
		"foreign": {Set: "warn", Rule: "r", Message: "m", Address: "credential.t.z"}, "a foreign step": {Set: "warn", Rule: "r", Message: "m", Address: "credential.t.a", Step: "revoke.odl"}, "unknown set": {Set: "allow", Rule: "r", Message: "m"},
		"a strength": {Set: "deny", Rule: "r", Message: "m", Strength: "aal1"}, "approvals": {Set: "warn", Rule: "r", Message: "m", Approvals: 1}, "a group": {Set: "deny", Rule: "r", Message: "m", Group: "g"},
		"no rule": {Set: "deny", Message: "m"}, "no message": {Set: "deny", Rule: "r"}, "both": {Set: "require", Approvals: 1, Strength: "aal1"},
		"neither": {Set: "require"}, "no strength": {Set: "require", Strength: "aal9"}, "too many": {Set: "require", Approvals: maxApprovals + 1},
		"a group beside a strength": {Set: "require", Strength: "aal1", Group: strings.Repeat("g", maxMessage+1)},
		"a long rule":               {Set: "deny", Rule: strings.Repeat("r", maxID+1), Message: "m"}, "a long message": {Set: "deny", Rule: "r", Message: strings.Repeat("m", maxMessage+1)},
		"a long group": {Set: "require", Approvals: 1, Group: strings.Repeat("g", maxMessage+1)}, "controls": {Set: "warn", Rule: "r", Message: "m", Controls: make([]string, maxControls+1)},
	} {
		set := compileAll(t, named("house", Mandatory, good))
		set.remote.p.wire.r.Reset(strings.NewReader(string(framed(t, reply{}, reply{Parts: 1}, page{Findings: []finding{f}}))))
		if _, diags := set.Eval(context.Background(), anInput()); diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), `"house"`) {
			t.Errorf("%s: exit %v, %v", name, diags.Exit(), diags.Err())
		}
	}
	most := finding{Set: "require", Approvals: maxApprovals, Group: strings.Repeat("g", maxMessage), Address: "credential.t.a"}
	if err := errors.Join(most.check(map[string][]Step{"credential.t.a": {{Address: most.Step}}}), (&finding{Set: "warn", Rule: strings.Repeat("r", maxID), Message: strings.Repeat("m", maxMessage), Controls: make([]string, maxControls)}).check(nil)); err != nil {
		t.Error(err)
	}
}

// What is decided is logged as it was decided, and what cannot be logged denies.
func TestWhatIsNotLoggedDenies(t *testing.T) {
	var got []Record
	full := error(nil)
	set, diags := Options{Log: func(r Record) error { got = append(got, r); return full }}.Compile(context.Background(), []Source{here(named("house", Mandatory, about))})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	v := ask(t, set, owned("mallory"))
	full = errors.New("the disk is full")
	if none, diags := set.Eval(context.Background(), owned("ann")); diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "the disk is full") || cmp.Diff(Verdict{Judgement: none.Judgement}, none) != "" || none.Judgement.Result != plan.Unanswered {
		t.Error(none, diags.Err())
	}
	if len(got) != 2 || !got[0].Result.Denied || cmp.Diff(v.Decisions, got[0].Result.Decisions) != "" || got[1].Result.Denied {
		t.Errorf("%+v", got)
	}
}

// verdictOnly leaves out of a comparison what every asking has for itself.
var verdictOnly = cmpopts.IgnoreFields(plan.Judgement{}, "ID", "AskedAt", "Took")
