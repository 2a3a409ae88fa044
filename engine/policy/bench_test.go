package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/policies"
)

// builtin is the library as a workspace has it that chooses nothing.
func builtin(tb testing.TB) policy.Source {
	tb.Helper()
	l, err := policy.OpenLibrary(policies.FS)
	if err != nil {
		tb.Fatal(err)
	}
	src, err := l.Source("builtin", l.Defaults(), nil)
	if err != nil {
		tb.Fatal(err)
	}
	return src
}

// many is a plan of n resets by the runbook of htpasswd_user.
func many(n int) *policy.Input {
	in := &policy.Input{
		Version: policy.InputVersion, Stage: policy.StagePlan, Reason: lifecycle.Scheduled, Mode: lifecycle.Cutover,
		Trust: plan.SelfAsserted, Resets: make([]policy.Reset, n),
	}
	for i := range in.Resets {
		user := fmt.Sprintf("user%05d", i)
		steps := make([]policy.Step, 0, 11)
		for _, p := range lifecycle.Phases() {
			steps = append(steps, policy.Step{Address: string(p) + ".it", Phase: p, Controls: []string{}})
		}
		in.Resets[i] = policy.Reset{
			Address: `credential.htpasswd_user.team["` + user + `"]`, CredentialType: "htpasswd_user", Kind: lifecycle.InPlace,
			Provider: "htpasswd.site", Owner: user + "@example.com", Environment: "production", Production: true,
			Labels: map[string]string{"tier": "1"}, Attributes: map[string]any{"user": user},
			Runbook:     plan.Runbook{Name: "htpasswd_user", Digest: "sha256:0", Builtin: true},
			Observed:    plan.Observed{Target: "file:site.htpasswd", Exists: true, Enabled: true, Versions: []string{user}, Fenced: true},
			EntropyBits: 240, Stores: []string{"file.dotenv"}, Consumers: []string{}, Phases: lifecycle.Phases(), Steps: steps,
		}
	}
	return in
}

// The library's rules over 10,000 credentials, by remint's whole path from the
// input to the verdict: in this process, in a process of their own, and one
// credential at a time; and by OPA as its documentation shows it, from the same
// input to the same findings.
//
// With -short, over 100: to see that it works.
func BenchmarkJudge(b *testing.B) {
	n := 10_000
	if testing.Short() {
		n = 100
	}
	in := many(n)
	each := make([]*policy.Input, n)
	for i := range each {
		one := *in
		one.Resets = in.Resets[i : i+1]
		each[i] = &one
	}
	results := observed(each)
	per := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/credential")
	}
	for _, where := range []struct {
		name  string
		known bool
	}{{"here", true}, {"apart", false}} {
		row := func(name string, ask func(b *testing.B, set *policy.Set)) {
			b.Run(where.name+name, func(b *testing.B) {
				set := library(b, where.known)
				b.ReportAllocs()
				for b.Loop() {
					ask(b, set)
				}
				per(b)
				peak(b, set)
			})
		}
		row("", func(b *testing.B, set *policy.Set) { judge(b, set, in) })
		row("-each", func(b *testing.B, set *policy.Set) {
			side(each, func(one *policy.Input) { judge(b, set, one) })
		})
		// As a run asks: of each reset alone, when that has ended.
		row("-result-each", func(b *testing.B, set *policy.Set) {
			side(results, func(one *policy.Input) { accept(b, set, one) })
		})
	}
	b.Run("bare-OPA", func(b *testing.B) {
		query := prepared(b, "data.remint.plan")
		b.ReportAllocs()
		for b.Loop() {
			askBareOPA(b, query, in)
		}
		per(b)
	})
	// The floor: the three sets alone, of an input that is a term already.
	b.Run("bare-OPA-parsed", func(b *testing.B) {
		query := prepared(b, "deny := data.remint.plan.deny; warn := data.remint.plan.warn; require := data.remint.plan.require")
		input, err := ast.InterfaceToValue(plain(b, in))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			results, err := query.Eval(context.Background(), rego.EvalParsedInput(input))
			if err != nil || len(results) != 1 {
				b.Fatal(results, err)
			}
			found(b, results[0].Bindings, len(in.Resets))
		}
		per(b)
	})
}

// side asks about each of inputs, four at a time.
func side(inputs []*policy.Input, ask func(*policy.Input)) {
	var busy sync.WaitGroup
	for w := range 4 {
		busy.Go(func() {
			for i := w; i < len(inputs); i += 4 {
				ask(inputs[i])
			}
		})
	}
	busy.Wait()
}

// observed is what a run asks at the end of each reset, with all that it shows.
func observed(each []*policy.Input) []*policy.Input {
	out := make([]*policy.Input, len(each))
	for i, planned := range each {
		one := *planned
		one.Stage, one.Operator = policy.StageResult, "ci@example.com"
		one.Requirements = &plan.Requirements{Approvals: []plan.Approvals{{Count: 1, Addresses: []string{}}}, Strength: lifecycle.None}
		one.Approvals = []policy.Approval{{Approver: "alice", Groups: []string{"security"}}}
		one.Verification = &policy.Verification{Identity: "carol@example.com", Strength: lifecycle.None, Methods: []policy.VerificationMethod{}}
		one.Resets = []policy.Reset{planned.Resets[0]}
		one.Resets[0].Result = &policy.Result{Proof: lifecycle.Tested, NewAccepted: true, StoresConfirmed: 1, Notified: true, Asserted: []string{}, Final: true}
		out[i] = &one
	}
	return out
}

func accept(b *testing.B, set *policy.Set, in *policy.Input) {
	v, diags := set.Eval(context.Background(), in)
	if diags.HasErrors() || v.Denied() {
		b.Error(v, diags.Err())
	}
}

// peak reports the memory of the process that judges, where that is not this one.
func peak(b *testing.B, set *policy.Set) {
	b.Helper()
	bytes, err := set.EvaluatorPeak()
	if err != nil {
		b.Fatal(err)
	}
	if bytes > 0 {
		b.ReportMetric(float64(bytes), "child-peak-B")
	}
}

func library(b *testing.B, known bool) *policy.Set {
	b.Helper()
	src := builtin(b)
	src.Known = known
	set, diags := policy.Compile(context.Background(), []policy.Source{src})
	if diags.HasErrors() {
		b.Fatal(diags.Err())
	}
	b.Cleanup(set.Close)
	judge(b, set, many(1)) // what is known is compiled when it is first asked
	return set
}

func judge(b *testing.B, set *policy.Set, in *policy.Input) {
	v, diags := set.Eval(context.Background(), in)
	if diags.HasErrors() || len(v.Requirements.Approvals) != 1 || v.Denied() {
		b.Error(v, diags.Err())
	}
}

// prepared is a query of the library's modules by OPA alone.
func prepared(b *testing.B, what string) rego.PreparedEvalQuery {
	b.Helper()
	opts := []func(*rego.Rego){rego.Query(what)}
	src := builtin(b)
	err := fs.WalkDir(src.FS, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || path.Ext(name) != ".rego" {
			return err
		}
		text, err := fs.ReadFile(src.FS, name)
		opts = append(opts, rego.Module(name, string(text)))
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	query, err := rego.New(opts...).PrepareForEval(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return query
}

func askBareOPA(b *testing.B, query rego.PreparedEvalQuery, in *policy.Input) {
	b.Helper()
	results, err := query.Eval(context.Background(), rego.EvalInput(plain(b, in)))
	if err != nil {
		b.Fatal(err)
	}
	said, _ := results[0].Expressions[0].Value.(map[string]any)
	found(b, said, len(in.Resets))
}

// plain is the input as JSON has it.
func plain(b *testing.B, in *policy.Input) (input any) {
	b.Helper()
	doc, err := json.Marshal(in)
	if err == nil {
		err = json.Unmarshal(doc, &input)
	}
	if err != nil {
		b.Fatal(err)
	}
	return input
}

// found holds what OPA says of n resets against what remint says.
func found(b *testing.B, said map[string]any, n int) {
	b.Helper()
	required, _ := said["require"].([]any)
	denied, _ := said["deny"].([]any)
	if len(required) < n || len(denied) > 0 {
		b.Fatalf("OPA requires %d things and denies %d of %d resets", len(required), len(denied), n)
	}
}

// BenchmarkCompile is what a workspace with a policy pays: the process is
// started, and one source compiled in it.
func BenchmarkCompile(b *testing.B) {
	src := builtin(b)
	for b.Loop() {
		set, diags := policy.Compile(context.Background(), []policy.Source{src})
		if diags.HasErrors() {
			b.Fatal(diags.Err())
		}
		set.Close()
	}
}
