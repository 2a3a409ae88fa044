package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

// here is a source that is judged in this process: what results mean is the same
// wherever they are judged, which TestFailsClosedWhenAsked and TestApartIsTheSame see to.
func here(src Source) Source {
	src.Known = true
	return src
}

// saying is what one source says that has one member of one set.
func saying(t *testing.T, set, object string) (Verdict, diag.Diagnostics) {
	t.Helper()
	return compileAll(t, here(named("house", Mandatory, "package remint.plan\n"+set+" contains x if x := "+object+"\n"))).Eval(context.Background(), anInput())
}

// A result is read to its last byte and no further: what is as large as it may be
// counts, and one more denies.
func TestResultsHaveBounds(t *testing.T) {
	id, msg := strings.Repeat("i", maxID), strings.Repeat("m", maxMessage)
	for name, tc := range map[string]struct{ set, object, want string }{
		"id":                     {"deny", fmt.Sprintf(`{"id": %q, "msg": %q}`, id, msg), ""},
		"longer id":              {"deny", fmt.Sprintf(`{"id": %q, "msg": "m"}`, id+"i"), "id is"},
		"longer msg":             {"deny", fmt.Sprintf(`{"id": "a", "msg": %q}`, msg+"m"), "msg is"},
		"control":                {"warn", fmt.Sprintf(`{"id": "a", "msg": "m", "controls": [%q]}`, id), ""},
		"longer control":         {"warn", fmt.Sprintf(`{"id": "a", "msg": "m", "controls": [%q]}`, id+"i"), "controls is"},
		"most controls":          {"warn", fmt.Sprintf(`{"id": "a", "msg": "m", "controls": [format_int(i, 10) | some i in numbers.range(1, %d)]}`, maxControls), ""},
		"a bad one of too many":  {"warn", fmt.Sprintf(`{"id": "a", "msg": "m", "controls": array.concat([1], [format_int(i, 10) | some i in numbers.range(1, %d)])}`, maxControls+1), "controls is"},
		"empty control":          {"warn", `{"id": "a", "msg": "m", "controls": [""]}`, "controls is"},
		"control that is none":   {"warn", `{"id": "a", "msg": "m", "controls": ["a", 1]}`, "controls is"},
		"in a set too":           {"warn", `{"id": "a", "msg": "m", "controls": {1}}`, "controls is"},
		"most approvals":         {"require", fmt.Sprintf(`{"approvals": %d}`, maxApprovals), ""},
		"one approval":           {"require", `{"approvals": 1}`, ""},
		"one more":               {"require", fmt.Sprintf(`{"approvals": %d}`, maxApprovals+1), "integer from 1"},
		"requirement is none":    {"require", `"aal2"`, "must be an object"},
		"requirement's address":  {"require", `{"approvals": 1, "address": 1}`, "address is 1"},
		"strength of no address": {"require", `{"strength": "aal2", "address": "credential.t.z"}`, "none of the plan's"},
		"strength that is none":  {"require", `{"strength": 2}`, "strength is 2"},
		"group":                  {"require", fmt.Sprintf(`{"approvals": 1, "group": %q}`, strings.Repeat("g", maxMessage)), ""},
		"longer group":           {"require", fmt.Sprintf(`{"approvals": 1, "group": %q}`, strings.Repeat("g", maxMessage+1)), "group is"},
		"unknown with approvals": {"require", `{"approvals": 1, "grup": "g"}`, `unknown member "grup"`},
		"the first unknown one":  {"deny", `{"id": "a", "msg": "m", "b": 1, "a": 1, "c": 1}`, `unknown member "a"`},
		"all faults at once":     {"deny", `{"msg": 1}`, "has no id"},
		"the other fault":        {"deny", `{"msg": 1}`, "msg is 1"},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := saying(t, tc.set, tc.object)
			switch {
			case tc.want == "" && diags.HasErrors():
				t.Error(diags.Err())
			case tc.want != "" && (diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), tc.want)):
				t.Errorf("exit %v, %v\nwant %q in it", diags.Exit(), diags.Err(), tc.want)
			}
		})
	}
}

// What a policy says reaches people as it is said.
func TestADecisionIsTakenWhole(t *testing.T) {
	v, diags := saying(t, "warn", `{"id": "a", "msg": "m", "address": "credential.t.b", "controls": ["y", "x", "y"]}`)
	want := []plan.Decision{{Source: "house", Rule: "a", Level: plan.Warn, Message: "m", Address: "credential.t.b", Controls: []string{"x", "y"}}}
	if d := cmp.Diff(want, v.Decisions); d != "" || diags.HasErrors() || v.Denied() {
		t.Error(diags.Err(), d)
	}
}

// A denial of an overridable policy is marked as one that can be lifted; no other is.
func TestOverridableSaysSo(t *testing.T) {
	const text = "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if true\nwarn contains {\"id\": \"w\", \"msg\": \"m\"} if true\n"
	for _, enforcement := range []string{Mandatory, Overridable, Advisory} {
		for _, d := range ask(t, compileAll(t, named("house", enforcement, text)), anInput()).Decisions {
			if d.Message != "m" || d.Overridable != (enforcement == Overridable && d.Rule == "a") || (d.Rule == "w" && d.Level != plan.Warn) {
				t.Errorf("%s: %+v", enforcement, d)
			}
		}
	}
}

// Decisions stand in one order: source, level, rule, address, message, controls.
func TestDecisionsAreSorted(t *testing.T) {
	text := "package remint.plan\n"
	for _, x := range []string{
		`warn contains {"id": "a", "msg": "m"}`, `deny contains {"id": "z", "msg": "m"}`, `deny contains {"id": "y", "msg": "m"}`,
		`deny contains {"id": "y", "msg": "m", "address": "credential.t.a"}`, `deny contains {"id": "y", "msg": "l", "address": "credential.t.b"}`,
		`deny contains {"id": "y", "msg": "k", "address": "credential.t.b", "controls": ["2"]}`, `deny contains {"id": "y", "msg": "k", "address": "credential.t.b", "controls": ["1"]}`,
	} {
		text += x + " if true\n"
	}
	var got []string
	for _, d := range ask(t, compileAll(t, named("b", Mandatory, text), named("a", Mandatory, text)), anInput()).Decisions {
		got = append(got, strings.TrimSpace(strings.Join(append([]string{d.Source, string(d.Level), d.Rule, d.Address, d.Message}, d.Controls...), " ")))
	}
	one := []string{"deny y  m", "deny y credential.t.a m", "deny y credential.t.b k 1", "deny y credential.t.b k 2", "deny y credential.t.b l", "deny z  m", "warn a  m"}
	var want []string
	for _, source := range []string{"a ", "b "} {
		for _, x := range one {
			want = append(want, source+x)
		}
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// A long value is shown by its beginning, cut between characters.
func TestFaultsAreShort(t *testing.T) {
	_, diags := saying(t, "deny", fmt.Sprintf(`{"id": %q, "msg": "m"}`, "x"+strings.Repeat("é", maxID)))
	got := diags.Err().Error()
	if !strings.Contains(got, "é…;") || strings.Contains(got, "\uFFFD") || strings.Count(got, "é") > 50 {
		t.Error(got)
	}
	if _, diags = saying(t, "deny", `{"id": "a", "msg": ["`+strings.Repeat("x", 95)+`"]}`); strings.Contains(diags.Err().Error(), "…") {
		t.Errorf("99 bytes are not long: %v", diags.Err())
	}
}

// A policy that says nonsense about everything is reported a bounded number of
// times; and another's faults do not hide behind it.
func TestFaultsAreBounded(t *testing.T) {
	flood := here(named("flood", Mandatory, "package remint.plan\ndeny contains i if some i in ["+numbers(maxErrors+20)+"]\n"))
	_, diags := compileAll(t, flood, here(named("other", Mandatory, "package remint.plan\nwarn contains 1 if true\nrequire contains 1 if true\n"))).Eval(context.Background(), anInput())
	of := map[string]int{}
	for _, d := range diags {
		for _, name := range []string{"flood", "other"} {
			if strings.Contains(d.Detail, `"`+name+`"`) {
				of[name]++
			}
		}
	}
	if of["flood"] != maxErrors || of["other"] != 2 {
		t.Error(of)
	}
}

func numbers(n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprint(i)
	}
	return strings.Join(out, ", ")
}

// How much one source may say grows with the plan, and all its sets share it.
func TestSayingsAreBounded(t *testing.T) {
	const most = 1032 // of two resets
	for _, tc := range []struct {
		warns, denies int
		want          string
	}{{most - 1, 1, ""}, {most, 1, fmt.Sprintf("it has %d members", most)}, {most + 1, 0, fmt.Sprintf("it has %d members", most+1)}} {
		text := fmt.Sprintf("package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": format_int(i, 10)} if some i in numbers.range(1, %d)\n", tc.warns)
		if tc.denies > 0 {
			text += "deny contains {\"id\": \"b\", \"msg\": \"m\"} if true\n"
		}
		_, diags := compileAll(t, here(named("house", Mandatory, text))).Eval(context.Background(), anInput())
		if tc.want == "" && diags.HasErrors() || tc.want != "" && (len(diags) != 1 || !strings.Contains(diags.Err().Error(), tc.want)) {
			t.Errorf("%d and %d: %v", tc.warns, tc.denies, diags.Err())
		}
	}
	// What is too much is not looked at.
	_, diags := compileAll(t, here(named("house", Mandatory, fmt.Sprintf("package remint.plan\nwarn contains i if some i in numbers.range(1, %d)\n", most+1)))).Eval(context.Background(), anInput())
	if len(diags) != 1 {
		t.Errorf("%d faults", len(diags))
	}
}

// A fault in one source does not let the others' answers through.
func TestAFaultLeavesNoVerdict(t *testing.T) {
	set := compileAll(t, named("a", Mandatory, "package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": \"m\"} if true\nrequire contains {\"approvals\": 1} if true\n"),
		named("b", Mandatory, "package remint.plan\ndeny contains 1 if true\n"))
	v, diags := set.Eval(context.Background(), anInput())
	if d := cmp.Diff(Verdict{Judgement: v.Judgement}, v); d != "" || v.Judgement.Result != plan.Unanswered || !diags.HasErrors() {
		t.Error(d, v.Judgement)
	}
}

// With no reset there is no address that could need fewer than the others.
func TestNothingIsAskedForNoReset(t *testing.T) {
	set := compileAll(t, named("a", Mandatory, "package remint.plan\nrequire contains {\"approvals\": 2} if input.ticket == \"x\"\nrequire contains {\"strength\": \"aal2\"} if true\n"))
	v := ask(t, set, &Input{Version: InputVersion, Stage: StagePlan})
	if d := cmp.Diff(plan.Requirements{Approvals: []plan.Approvals{}, Strength: "aal2"}, v.Requirements); d != "" {
		t.Error(d)
	}
	v = ask(t, set, &Input{Version: InputVersion, Stage: StagePlan, Ticket: "x"})
	if d := cmp.Diff(plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Addresses: []string{}}}, Strength: "aal2"}, v.Requirements); d != "" {
		t.Error(d)
	}
}

// Several addresses of one count stand together, in order; the counts ascend.
func TestApprovalsByAddress(t *testing.T) {
	in := anInput()
	in.Resets = append(in.Resets, Reset{Address: "credential.t.c"}, Reset{Address: "credential.t.d"})
	text := "package remint.plan\n"
	for address, n := range map[string]int{"c": 2, "a": 2, "b": 3} {
		text += fmt.Sprintf("require contains {\"approvals\": %d, \"address\": \"credential.t.%s\"} if true\nrequire contains {\"approvals\": 1, \"address\": \"credential.t.%s\"} if true\n", n, address, address)
	}
	want := []plan.Approvals{
		{Count: 2, Addresses: []string{"credential.t.a", "credential.t.c"}},
		{Count: 3, Addresses: []string{"credential.t.b"}},
	}
	if d := cmp.Diff(want, ask(t, compileAll(t, named("a", Mandatory, text)), in).Requirements.Approvals); d != "" {
		t.Error(d)
	}
}

// Nothing to say is an empty list, for whoever reads the plan's JSON.
func TestNoDecisionIsAnEmptyList(t *testing.T) {
	if v := ask(t, compileAll(t, named("a", Mandatory, good)), anInput()); v.Decisions == nil || len(v.Decisions) > 0 {
		t.Errorf("%#v", v.Decisions)
	}
}

// Steps that differ in one thing are shown as they are, though equal ones are
// made once.
func TestStepsAreNotMistakenForOthers(t *testing.T) {
	base := Step{Address: "verify.x", Phase: "verify", Reversible: true, Controls: []string{"c"}}
	address, phase, reversible, controls := base, base, base, base
	address.Address, phase.Phase, reversible.Reversible, controls.Controls = "verify.y", "prove", false, []string{"d"}
	var want []Step
	in := &Input{Stage: StagePlan}
	for _, s := range []Step{base, address, phase, reversible, controls, base} {
		in.Resets = append(in.Resets, Reset{Steps: []Step{s}})
		want = append(want, s)
	}
	got, err := term(in)
	if err != nil {
		t.Fatal(err)
	}
	for i, s := range want {
		shown, err := got.Value.Find(ast.MustParseRef(fmt.Sprintf("x.resets[%d].steps[0]", i))[1:])
		if err != nil {
			t.Fatal(err)
		}
		said := ast.MustParseTerm(fmt.Sprintf(`{"address": %q, "phase": %q, "reversible": %t, "controls": [%q]}`, s.Address, s.Phase, s.Reversible, s.Controls[0])).Value
		if shown.Compare(said) != 0 {
			t.Errorf("%d: %v, want %v", i, shown, said)
		}
	}
}

// The bounds grow with the plan: a large one is not denied for its size.
func TestBoundsGrowWithThePlan(t *testing.T) {
	busy := here(named("a", Mandatory, "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\tx := [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]\n\tx[a] + x[b] + x[c] + x[d] == -1\n}\n"))
	for name, l := range map[string]Limits{
		"time":   {Time: 1, TimePerReset: time.Minute, Memory: 1 << 40},
		"memory": {Time: time.Minute, Memory: 1, MemoryPerReset: 1 << 40},
	} {
		set, diags := Options{Limits: l}.Compile(context.Background(), []Source{busy})
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		if _, diags := set.Eval(context.Background(), anInput()); diags.HasErrors() {
			t.Errorf("%s: %v", name, diags.Err())
		}
	}
}

// A policy that cannot be evaluated is shown at its line.
func TestAFailureShowsItsPlace(t *testing.T) {
	_, diags := saying(t, "deny", `{"id": "a", "msg": sprintf("%v", [1 / count(input.ticket)])}`)
	if d := diags[0]; d.Range == nil || d.Range.Start.Line != 2 {
		t.Errorf("%+v", d)
	}
}
