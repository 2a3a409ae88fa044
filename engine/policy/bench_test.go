package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/rego"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
)

// library is the built-in one, read where it stands.
var library = os.DirFS("../../policies")

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
	return policy.Source{Name: "builtin", FS: onlyRego{library}, Enforcement: policy.Mandatory, Path: "policies"}
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

func BenchmarkEval10k(b *testing.B) {
	set, diags := policy.Compile(context.Background(), []policy.Source{builtin()})
	if diags.HasErrors() {
		b.Fatal(diags.Err())
	}
	in := many(10_000)
	b.ReportAllocs()
	for b.Loop() {
		v, diags := set.Eval(context.Background(), in)
		if diags.HasErrors() || len(v.Requirements.Approvals) != 1 || v.Denied() {
			b.Fatal(v, diags.Err())
		}
	}
}

// BenchmarkBareOPA10k asks the same of OPA as its documentation shows it.
func BenchmarkBareOPA10k(b *testing.B) {
	ctx := context.Background()
	opts := []func(*rego.Rego){rego.Query("data.remint.plan")}
	for _, name := range []string{"finding.rego", "plan.rego", "result.rego"} {
		text, err := fs.ReadFile(library, name)
		if err != nil {
			b.Fatal(err)
		}
		opts = append(opts, rego.Module(name, string(text)))
	}
	query, err := rego.New(opts...).PrepareForEval(ctx)
	if err != nil {
		b.Fatal(err)
	}
	in := many(10_000)
	b.ReportAllocs()
	for b.Loop() {
		doc, err := json.Marshal(in)
		if err != nil {
			b.Fatal(err)
		}
		var input any
		if err := json.Unmarshal(doc, &input); err != nil {
			b.Fatal(err)
		}
		if _, err := query.Eval(ctx, rego.EvalInput(input)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	for b.Loop() {
		if _, diags := policy.Compile(context.Background(), []policy.Source{builtin()}); diags.HasErrors() {
			b.Fatal(diags.Err())
		}
	}
}
