package policy

import (
	"context"
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

func compileAll(t *testing.T, sources ...Source) *Set {
	t.Helper()
	set, diags := Compile(context.Background(), sources)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	t.Cleanup(set.Close)
	return set
}

func named(name, enforcement, text string) Source {
	return Source{Name: name, Enforcement: enforcement, FS: fstest.MapFS{name + ".rego": {Data: []byte(text)}}}
}

func ask(t *testing.T, set *Set, in *Input) Verdict {
	t.Helper()
	v, diags := set.Eval(context.Background(), in)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	return v
}

// In one OPA two modules of one package merge: whoever defines the helper of
// another's deny as well empties it. Here the two never meet.
func TestOneSourceCannotDisarmAnother(t *testing.T) {
	library := named("builtin", Mandatory, `package remint.plan
import data.lib
exempt contains "nobody" if false
deny contains {"id": "production", "msg": "no"} if {
	some r in input.resets
	r.production
	not r.address in exempt
	not lib.harmless(r)
}
`)
	library.FS.(fstest.MapFS)["lib.rego"] = &fstest.MapFile{Data: []byte("package lib\nharmless(r) if r.environment == \"test\"\n")}
	hostile := named("house", Mandatory, `package remint.plan
import data.lib
exempt contains r.address if some r in input.resets
deny contains {"id": "other", "msg": "m"} if {
	some r in exempt
	lib.harmless(r)
	input.ticket == "x"
}
`)
	hostile.FS.(fstest.MapFS)["lib.rego"] = &fstest.MapFile{Data: []byte("package lib\nharmless(_) := true\n")}
	for _, order := range [][]Source{{library, hostile}, {hostile, library}} {
		v := ask(t, compileAll(t, order...), anInput())
		want := []plan.Decision{{Source: "builtin", Rule: "production", Level: plan.Deny, Message: "no", Controls: []string{}}}
		if diff := cmp.Diff(want, v.Decisions); diff != "" || !v.Denied() {
			t.Error(diff)
		}
	}
}

func TestEnforcement(t *testing.T) {
	const text = "package remint.plan\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if true\nrequire contains {\"strength\": \"aal2\"} if true\n"
	for enforcement, want := range map[string]plan.Level{Mandatory: plan.Deny, Overridable: plan.Deny, Advisory: plan.Overridden} {
		v := ask(t, compileAll(t, named("house", enforcement, text)), anInput())
		if v.Decisions[0].Level != want || v.Denied() != (want == plan.Deny) {
			t.Errorf("%s: %v", enforcement, v.Decisions)
		}
		if v.Requirements.Strength != "aal2" {
			t.Errorf("%s: a requirement is never advice: %v", enforcement, v.Requirements)
		}
	}
}

// The strictest of all, in the shortest form.
func TestRequirementsAreUnited(t *testing.T) {
	for name, tc := range map[string]struct {
		rules []string
		want  plan.Requirements
	}{
		"none": {nil, plan.Requirements{Approvals: []plan.Approvals{}, Strength: "none"}},
		"every address is the whole plan": {
			[]string{`{"approvals": 1, "address": "credential.t.a"}`, `{"approvals": 1, "address": "credential.t.b"}`},
			plan.Requirements{Approvals: []plan.Approvals{{Count: 1, Addresses: []string{}}}, Strength: "none"},
		},
		"one address needs more": {
			[]string{`{"approvals": 1}`, `{"approvals": 2, "address": "credential.t.b"}`, `{"approvals": 1, "address": "credential.t.a"}`},
			plan.Requirements{Approvals: []plan.Approvals{{Count: 1, Addresses: []string{}}, {Count: 2, Addresses: []string{"credential.t.b"}}}, Strength: "none"},
		},
		"the plan's covers one address": {
			[]string{`{"approvals": 2, "group": "g"}`, `{"approvals": 1, "group": "g", "address": "credential.t.a"}`},
			plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Group: "g", Addresses: []string{}}}, Strength: "none"},
		},
		"groups stand beside each other": {
			[]string{`{"approvals": 1, "group": "z", "address": "credential.t.a"}`, `{"approvals": 3, "group": ""}`, `{"strength": "aal1"}`, `{"strength": "aal3", "address": "credential.t.b"}`, `{"strength": "none"}`},
			plan.Requirements{Approvals: []plan.Approvals{{Count: 3, Addresses: []string{}}, {Count: 1, Group: "z", Addresses: []string{"credential.t.a"}}}, Strength: "aal3"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var sources []Source
			for i, r := range append(tc.rules, `{"approvals": 9} if input.ticket == "x"`) {
				if !strings.Contains(r, " if ") {
					r += " if true"
				}
				sources = append(sources, named(string(rune('a'+i)), Mandatory, "package remint.plan\nrequire contains "+r+"\n"))
			}
			if diff := cmp.Diff(tc.want, ask(t, compileAll(t, sources...), anInput()).Requirements); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestDigest(t *testing.T) {
	a, b := named("a", Mandatory, good), named("b", Advisory, good)
	base := compileAll(t, a, b).Digest()
	if base != compileAll(t, b, a).Digest() {
		t.Error("the order of sources counts")
	}
	same := a
	same.FS = fstest.MapFS{"deep/other.rego": {Data: []byte(strings.ReplaceAll(good, "\n", "\r\n"))}, "x_test.rego": {Data: []byte("package remint.plan_test\ntest_a if true\n")}}
	if base != compileAll(t, same, b).Digest() {
		t.Error("names, line ends or tests count")
	}
	changed := named("a", Mandatory, strings.Replace(good, "denied", "refused", 1))
	renamed, lax := a, a
	renamed.Name, lax.Enforcement = "c", Advisory
	for _, other := range []Source{changed, renamed, lax} {
		if base == compileAll(t, other, b).Digest() {
			t.Errorf("a change of content, name or enforcement does not count: %v", other)
		}
	}
}

func TestAskedOnlyAboutItsStage(t *testing.T) {
	set := compileAll(t, named("a", Mandatory, strings.Replace(good, "remint.plan", "remint.result", 1)))
	in := anInput()
	in.Ticket = "denied"
	if v := ask(t, set, in); v.Denied() {
		t.Error(v)
	}
	in.Stage = StageResult
	if v := ask(t, set, in); !v.Denied() {
		t.Error(v)
	}
	in.Stage = "remint.other"
	if _, diags := set.Eval(context.Background(), in); !diags.HasErrors() {
		t.Error("an unknown stage was judged")
	}
}

// full is an input with every member set.
func full() *Input {
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	r := Reset{
		Address: "credential.t.a", CredentialType: "t", Kind: "in_place", Person: true, HasSessions: true, Provider: "p.x", Owner: "o",
		Environment: "test", Production: true, Labels: map[string]string{"a": "1", "b": ""},
		Attributes: map[string]any{"s": "x", "b": true, "n": 1.5, "i": 3, "l": []any{"a", true, nil}, "m": map[string]any{"k": "v"}},
		Runbook:    plan.Runbook{Name: "t", Digest: "d", Builtin: true},
		Observed:   plan.Observed{Target: "y", Exists: true, Enabled: true, Versions: []string{"1", "2"}, Generation: 1 << 40, Fenced: true},
		Subject:    "s", InUseBy: "p.x", MaxAgeSeconds: 60, EntropyBits: 131.5, Stores: []string{"file.a"}, Consumers: []string{"command.b"}, Phases: []lifecycle.Phase{"verify"},
		Steps:  []Step{{Address: "verify.x", Phase: "verify", Reversible: true, Controls: []string{"c"}}, {Address: "prove.x#2", Phase: "prove", Controls: []string{}}},
		Result: &Result{Proof: "tested", NewAccepted: true, StoresConfirmed: 1, Reloaded: 2, SessionsEnded: 3, Notified: true, Asserted: []string{"mint.x"}, Final: true},
	}
	r.Change = &Change{Fields: []string{"owner", "stores"}, Base: &Changed{
		Address: "credential.t.c", Provider: "p.y", Owner: "q", Subject: "s", Environment: "staging", Production: true, Labels: map[string]string{"c": "2"},
		Runbook: plan.Runbook{Name: "u", Digest: "e", Builtin: true}, MaxAgeSeconds: 61, Stores: []string{"file.b"}, Consumers: []string{"command.c"},
	}}
	r.Change.Others = []Changed{*r.Change.Base}
	r.Change.Others[0].Address = "credential.t.d"
	s := r
	s.Change = &Change{Fields: []string{"added"}}
	s.Result, s.Address, s.EntropyBits, s.Attributes, s.Labels = nil, "credential.t.b", 0, map[string]any{}, map[string]string{}
	s.Stores, s.Consumers = []string{}, []string{}
	return &Input{
		Version: InputVersion, Stage: StageApproval, Reason: "forgotten", Mode: "cutover", Ticket: "T", Requester: "r", Trust: "t", Partial: true,
		Authors:      &ChangeAuthors{Known: true, Identities: []string{"dave@example.com"}},
		Targets:      Targets{By: plan.ByAddress, Where: "w", Addresses: []string{"credential.t"}, Declared: 5, Selected: 2, LeftOut: []LeftOut{{Provider: "p.x", CredentialType: "t", Count: 3}}},
		Resets:       []Reset{r, s},
		Requirements: &plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Group: "g", Addresses: []string{"credential.t.a"}}}, Strength: "aal2"},
		Operator:     "op", Approvals: []Approval{{Approver: "alice", Groups: []string{"g"}}},
		Verification: &Verification{Identity: "i", Strength: "aal1", Bound: true, Methods: []VerificationMethod{{Verifier: "key.a", Method: "key", Address: "credential.t.a", Identity: "i", Strength: "aal1", Bound: true, Claims: map[string]string{"k": "v"}}}}, Unattended: true, Now: &now,
	}
}

// unset are the members of a value that nothing is in, of lists those of the first.
func unset(at string, v reflect.Value) []string {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() && v.Type() != reflect.TypeFor[*time.Time]() {
			return unset(at, v.Elem())
		}
	case reflect.Slice:
		if v.Len() > 0 {
			return unset(at+"[0]", v.Index(0))
		}
	case reflect.Struct:
		var out []string
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.Tag.Get("json") != "-" {
				out = append(out, unset(at+"."+f.Name, v.Field(i))...)
			}
		}
		return out
	}
	if v.IsZero() {
		return []string{at}
	}
	return nil
}

// What Rego sees is exactly the JSON form, which the schema describes.
func TestInputIsItsJSON(t *testing.T) {
	if left := unset("input", reflect.ValueOf(full())); len(left) > 0 {
		t.Fatalf("full leaves out %v: whether Rego sees them is not tested", left)
	}
	early := full()
	early.Stage = StagePlan // what is set is shown at any stage
	for _, in := range []*Input{full(), early, {Targets: Targets{Addresses: []string{}, LeftOut: []LeftOut{}}, Resets: []Reset{{Labels: map[string]string{}, Attributes: map[string]any{}, Observed: plan.Observed{Versions: []string{}},
		Stores: []string{}, Consumers: []string{}, Phases: []lifecycle.Phase{}, Steps: []Step{}}}}} {
		got, err := term(in)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		want := ast.MustParseTerm(string(b))
		if !got.Equal(want) {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
}

// Equal parts are made once: 10,000 resets by one runbook would else take four times the memory.
func TestEqualPartsAreMadeOnce(t *testing.T) {
	b := newBuilder()
	r := full().Resets[0]
	for name, make := range map[string]func() *ast.Term{
		"text": func() *ast.Term { return b.str("x") }, "list": func() *ast.Term { return list1(b, []string{"x", "y"}) },
		"runbook": func() *ast.Term { return b.runbook(r.Runbook) }, "steps": func() *ast.Term { return b.stepList(r.Steps) },
	} {
		if first, again := make(), make(); first != again {
			t.Errorf("%s is made twice", name)
		}
	}
	if list1(b, []string{"x", "y"}).Equal(list1(b, []string{"xy"})) || list1(b, []string{`x""y`}).Equal(list1(b, []string{"x", "y"})) {
		t.Error("another list is taken for it")
	}
}

func TestAttributesThatAreNoJSON(t *testing.T) {
	in := anInput()
	in.Resets[0].Attributes = map[string]any{"f": func() {}}
	set := compileAll(t, named("a", Mandatory, good))
	if _, diags := set.Eval(context.Background(), in); !diags.HasErrors() {
		t.Error("judged without a part of its input")
	} else if !strings.Contains(diags.Err().Error(), "unsupported type") {
		t.Error(diags.Err())
	}
}

// The same input gives the same answer, whatever the environment says.
func TestDeterminism(t *testing.T) {
	text := "package remint.plan\n"
	for _, set := range []string{"deny", "warn"} {
		text += set + " contains {\"id\": x, \"msg\": r.address, \"address\": r.address, \"controls\": {\"b\", \"a\"}} if {\n\tsome r in input.resets\n\tsome x in {\"p\", \"q\"}\n}\n"
	}
	first := ask(t, compileAll(t, named("a", Mandatory, text), named("b", Mandatory, text)), anInput())
	if len(first.Decisions) != 16 {
		t.Fatal(len(first.Decisions))
	}
	t.Setenv("TZ", "Asia/Tokyo")
	t.Setenv("REMINT_CANARY", "canary")
	in := anInput()
	slices.Reverse(in.Resets)
	again := ask(t, compileAll(t, named("b", Mandatory, text), named("a", Mandatory, text)), in)
	if diff := cmp.Diff(first, again, cmpopts.IgnoreFields(Verdict{}, "Judgement")); diff != "" {
		t.Error(diff)
	}
}

// None of the builtins that are left is one that OPA itself calls
// nondeterministic, or takes a network, clock, environment or chance.
func TestBuiltinsArePure(t *testing.T) {
	caps := capabilities()
	for _, b := range caps.Builtins {
		if b.Nondeterministic || b.Deprecated {
			t.Errorf("%s is there", b.Name)
		}
	}
	if got, want := len(caps.Builtins), len(strings.Fields(allowed)); got != want {
		t.Errorf("%d of %d names in the list are builtins", got, want)
	}
	if caps.AllowNet == nil {
		t.Error("schemas may be fetched from anywhere")
	}
}

func TestFaultsShowTheirPlace(t *testing.T) {
	text := "package remint.plan\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if {\n\t\"ü\" != input.tikcet\n}\n"
	_, diags := Compile(context.Background(), []Source{source(one(text))})
	d := diags[0]
	if d.Range == nil || d.Range.Filename != "policies/a.rego" || d.Range.Start.Line != 4 || d.Snippet == nil || !strings.Contains(d.Snippet.Code, "input.tikcet") {
		t.Errorf("%+v", d)
	}
}

func TestExplain(t *testing.T) {
	text := "package remint.plan\n\n# METADATA\n# title: Of production\nwarn contains {\"id\": \"a\", \"msg\": r.address} if {\n\tsome r in input.resets\n\tr.production\n}\n\ndeny contains {\"id\": \"b\", \"msg\": \"m\"} if input.ticket == \"x\"\n"
	set := compileAll(t, named("house", Mandatory, text))
	e, diags := set.Explain(context.Background(), anInput())
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	type row struct {
		Set, Title string
		Line, Held int
	}
	var got []row
	for _, r := range e.Rules {
		got = append(got, row{r.Set, r.Title, r.Range.Start.Line, r.Held})
	}
	if diff := cmp.Diff([]row{{"deny", "", 10, 0}, {"warn", "Of production", 5, 1}}, got); diff != "" {
		t.Error(diff)
	}
	if len(e.Verdict.Decisions) != 1 {
		t.Error(e.Verdict)
	}
}

// An explanation says which members of the input a rule read, and what kept one that
// said nothing from holding.
func TestExplainSaysWhy(t *testing.T) {
	text := `package remint.plan

# METADATA
# title: Production has a ticket
# custom:
#   remedy: Say -ticket=T.
deny contains {"id": "ticket", "msg": "m", "address": reset.address} if {
	some reset in input.resets
	reset.production
	input.ticket == "T-1"
}

deny contains {"id": "reason", "msg": "m"} if {
	input.reason == "compromised"
	count(input.resets) > 1
}

warn contains {"id": sprintf("%s", [input.mode]), "msg": "m"} if input.mode == "cutover"
`
	for _, known := range []bool{false, true} {
		src := named("house", Mandatory, text)
		src.Known = known
		e, diags := compileAll(t, src).Explain(context.Background(), anInput())
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		ticket, reason, mode := e.Rules[0], e.Rules[1], e.Rules[2]
		if ticket.ID != "ticket" || ticket.Remedy != "Say -ticket=T." || ticket.Rego == nil || !strings.Contains(ticket.Rego.Code, "some reset in input.resets") || ticket.Rego.StartLine != 7 {
			t.Errorf("%+v", ticket)
		}
		if ticket.Held != 0 || ticket.Nearest == nil {
			t.Fatalf("%+v", ticket)
		}
		want := RuleCase{Failed: `input.ticket == "T-1"`, Read: []InputValue{
			{"input.resets[0]", `"credential.t.a"`}, {"input.resets[0].production", "true"}, {"input.ticket", `""`},
		}}
		got := *ticket.Nearest
		if got.Range == nil || got.Range.Start.Line != 10 {
			t.Errorf("at %v", got.Range)
		}
		got.Range = nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if reason.Nearest == nil || reason.Nearest.Failed != `input.reason == "compromised"` {
			t.Errorf("%+v", reason.Nearest)
		}
		if mode.ID != "" || mode.Held != 1 || len(mode.Cases) != 1 {
			t.Fatalf("%+v", mode)
		}
		if diff := cmp.Diff([]InputValue{{"input.mode", `"cutover"`}}, mode.Cases[0].Read); diff != "" {
			t.Error(diff)
		}
	}
}

// A denial's rule is found by its source and id, wherever its Rego is judged; an id
// that is computed leads nowhere.
func TestRuleOfADenial(t *testing.T) {
	text := "package remint.plan\n\n# METADATA\n# title: T\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"x\"\n\ndeny contains {\"id\": input.ticket, \"msg\": \"m\"} if input.ticket == \"y\"\n"
	for _, known := range []bool{false, true} {
		src := named("house", Mandatory, text)
		src.Known = known
		set := compileAll(t, src)
		r := set.Rule("house", "a")
		if r == nil || r.Title != "T" || r.Range == nil || r.Range.Start.Line != 5 || !strings.Contains(r.Rego.Code, "input.ticket == \"x\"") {
			t.Errorf("%+v", r)
		}
		if set.Rule("house", "y") != nil || set.Rule("other", "a") != nil {
			t.Error("a rule that is none was found")
		}
	}
}

func TestTest(t *testing.T) {
	src := source(map[string]string{"a.rego": good, "a_test.rego": `package remint.plan_test
import data.remint.plan
test_denied if count(plan.deny) == 1 with input as {"ticket": "denied"}
test_wrong if { print("seen"); count(plan.deny) == 7 with input as {"ticket": "denied"} }
todo_test_later if false
test_error if to_number(plan.text) == 1 with data.remint.plan.text as "x"
`})
	report, diags := Test(context.Background(), []Source{src}, Options{})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	got := map[string]string{}
	for _, r := range report.Tests {
		got[r.Name] = r.Outcome
	}
	if diff := cmp.Diff(map[string]string{"test_denied": "pass", "test_wrong": "fail", "todo_test_later": "skip", "test_error": "error"}, got); diff != "" {
		t.Error(diff)
	}
	if report.Passed() || report.Coverage != 100 || len(report.Rules) != 1 || !report.Rules[0].Covered {
		t.Errorf("%+v", report)
	}
	report, _ = Test(context.Background(), []Source{source(one(good))}, Options{})
	if !report.Passed() || report.Coverage == 100 || report.Rules[0].Covered {
		t.Errorf("without tests: %+v", report)
	}
}

func TestSchemaNamesEveryMember(t *testing.T) {
	b, err := json.Marshal(Schema())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"entropy_bits"`, `"in_use_by"`, `"approver"`, `"new_accepted"`, `"generation"`} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is missing", want)
		}
	}
}

// FuzzCompile looks for Rego that panics, or that compiles and then panics.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{good, "package remint.plan\ndeny contains", "package a\n$\"{", "package remint.result\nwarn contains x if { some x in input.resets }"} {
		f.Add(text)
	}
	if b, err := os.ReadFile("../../policies/plan.rego"); err == nil {
		f.Add(string(b))
	}
	f.Fuzz(func(t *testing.T, text string) {
		o := Options{Limits: Limits{Time: time.Second, Compile: 5 * time.Second}}
		set, diags := o.Compile(context.Background(), []Source{source(one(text))})
		if (set == nil) != diags.HasErrors() {
			t.Fatal(diags)
		}
		if set != nil {
			defer set.Close()
			_, diags = set.Eval(context.Background(), anInput())
			if diags.HasErrors() && diags.Exit() != 3 {
				t.Fatal(diags)
			}
		}
	})
}
