package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// content is the built-in library, read where it stands.
var content = os.DirFS("../../policies")

// onlyRego hides what is not Rego, as embedding does.
type onlyRego struct{ fs.FS }

func (o onlyRego) ReadDir(name string) ([]fs.DirEntry, error) {
	all, err := fs.ReadDir(o.FS, name)
	var out []fs.DirEntry
	for _, e := range all {
		if strings.HasSuffix(e.Name(), ".rego") && !strings.HasSuffix(e.Name(), "_test.rego") {
			out = append(out, e)
		}
	}
	return out, err
}

func builtin() policy.Source {
	return policy.Source{Name: "builtin", FS: onlyRego{content}, Enforcement: policy.Mandatory, Path: "policies"}
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

// The library's rules over 10,000 credentials: judged in this process, judged in
// a process of their own, one credential at a time, and by OPA as its
// documentation shows it.
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
	for name, known := range map[string]bool{"here": true, "apart": false} {
		b.Run(name, func(b *testing.B) {
			set := library(b, known)
			b.ReportAllocs()
			for b.Loop() {
				judge(b, set, in)
			}
			per(b)
		})
		b.Run(name+"-each", func(b *testing.B) {
			set := library(b, known)
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

func library(b *testing.B, known bool) *policy.Set {
	src := builtin()
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

func bareOPA(b *testing.B) rego.PreparedEvalQuery {
	opts := []func(*rego.Rego){rego.Query("data.remint.plan")}
	for _, name := range []string{"finding.rego", "plan.rego", "result.rego"} {
		text, err := fs.ReadFile(content, name)
		if err != nil {
			b.Fatal(err)
		}
		opts = append(opts, rego.Module(name, string(text)))
	}
	query, err := rego.New(opts...).PrepareForEval(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return query
}

func askBareOPA(b *testing.B, query rego.PreparedEvalQuery, in *policy.Input) {
	doc, err := json.Marshal(in)
	if err != nil {
		b.Fatal(err)
	}
	var input any
	if err := json.Unmarshal(doc, &input); err != nil {
		b.Fatal(err)
	}
	if _, err := query.Eval(context.Background(), rego.EvalInput(input)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkCompile is what a workspace with a policy pays: the process is
// started, and one source compiled in it.
func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		set, diags := policy.Compile(context.Background(), []policy.Source{builtin()})
		if diags.HasErrors() {
			b.Fatal(diags.Err())
		}
		set.Close()
	}
}
