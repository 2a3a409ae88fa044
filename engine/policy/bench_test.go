package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"testing"

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
func BenchmarkJudge(b *testing.B) {
	const n = 10_000
	in := many(n)
	each := make([]*policy.Input, n)
	for i := range each {
		one := *in
		one.Resets = in.Resets[i : i+1]
		each[i] = &one
	}
	per := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/n, "µs/credential")
	}
	for _, where := range []struct {
		name  string
		known bool
	}{{"here", true}, {"apart", false}} {
		b.Run(where.name, func(b *testing.B) {
			set := library(b, where.known)
			b.ReportAllocs()
			for b.Loop() {
				judge(b, set, in)
			}
			per(b)
			peak(b, set)
		})
		b.Run(where.name+"-each", func(b *testing.B) {
			set := library(b, where.known)
			b.ReportAllocs()
			for b.Loop() {
				var busy sync.WaitGroup
				for w := range 4 {
					busy.Go(func() {
						for i := w; i < n; i += 4 {
							judge(b, set, each[i])
						}
					})
				}
				busy.Wait()
			}
			per(b)
			peak(b, set)
		})
	}
	b.Run("bare-OPA", func(b *testing.B) {
		query := bareOPA(b)
		b.ReportAllocs()
		for b.Loop() {
			askBareOPA(b, query, in)
		}
		per(b)
	})
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

// bareOPA is a query of the library's modules by OPA alone.
func bareOPA(b *testing.B) rego.PreparedEvalQuery {
	b.Helper()
	opts := []func(*rego.Rego){rego.Query("data.remint.plan")}
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
	doc, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	var input any
	if err := json.Unmarshal(doc, &input); err != nil {
		b.Fatal(err)
	}
	results, err := query.Eval(context.Background(), rego.EvalInput(input))
	if err != nil {
		b.Fatal(err)
	}
	said, _ := results[0].Expressions[0].Value.(map[string]any)
	required, _ := said["require"].([]any)
	denied, _ := said["deny"].([]any)
	if len(required) < len(in.Resets) || len(denied) > 0 {
		b.Fatalf("OPA requires %d things and denies %d of %d resets", len(required), len(denied), len(in.Resets))
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
