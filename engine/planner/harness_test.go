package planner_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// now is the time of every plan in these tests.
var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// targets answers for every credential, by its `name`; what it does not know
// exists, is enabled, and has one version. A nil one cannot be read.
type targets map[string]*provider.Observation

func (targets) Identity(context.Context) (string, error) { return "mem:1", nil }

func (t targets) Inspect(_ context.Context, c provider.Credential) (provider.Observation, error) {
	obs, ok := t[c.Attrs.String("name")]
	switch {
	case !ok:
		return provider.Observation{Exists: true, Enabled: true, Fenced: true, Versions: []provider.Version{{ID: "v1"}}}, nil
	case obs == nil:
		return provider.Observation{}, errors.New("the target does not answer")
	}
	return *obs, nil
}

func (targets) Probe(context.Context, provider.Credential, secret.Material) (provider.Probe, error) {
	return provider.Probe{}, errors.New("a plan logs in nowhere")
}

func (targets) Close() error { return nil }

// located is a block of which the url says who its target is: "id:" and that, or "down",
// or "mute", which never says it, or "deaf", which is never asked about a credential to the end.
type located struct {
	targets
	url string
}

func (l located) Identity(ctx context.Context) (string, error) {
	switch l.url {
	case "down":
		return "", errors.New("nobody answers")
	case "mute":
		<-ctx.Done()
		return "", provider.Errorf(provider.Transient, "%s says nothing", l.url)
	}
	if id, said := strings.CutPrefix(l.url, "id:"); said {
		return id, nil
	}
	return l.targets.Identity(ctx)
}

func (l located) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	obs, err := l.targets.Inspect(ctx, c)
	if l.url == "deaf" && err == nil {
		<-ctx.Done() // and what it says then is not believed
	}
	return obs, err
}

// registry has a type of each kind, and a provider with a sensitive attribute.
func registry(t targets) *provider.Registry {
	text := func(name string, required bool) provider.Attribute {
		return provider.Attribute{Name: name, Type: provider.String, Required: required}
	}
	hidden := text("password", false)
	hidden.Sensitive = true
	key := text("name", true)
	key.Key = true
	name := provider.Schema{Attributes: []provider.Attribute{key}}
	r := provider.NewRegistry()
	r.AddProvider(provider.Definition{
		Name: "mem", Schema: provider.Schema{Attributes: []provider.Attribute{text("url", false), hidden}},
		Types: []provider.CredentialType{
			{Name: "mem_password", Kind: lifecycle.InPlace, Sessions: true, SelectiveSessions: true, Schema: name, Fields: provider.PasswordFields(), Issue: provider.PasswordIssue(200)},
			{Name: "mem_key", Kind: lifecycle.Overlapping, Sessions: true, Schema: name, Fields: []provider.Field{{Name: "private_key", Probe: true}, {Name: "public_key", Public: true}}},
			{Name: "mem_token", Kind: lifecycle.Minted, Schema: name, Fields: []provider.Field{{Name: "certificate", Public: true, Probe: true}, {Name: "private_key"}}},
		},
		Open: func(_ context.Context, b provider.Block) (provider.Provider, error) {
			return located{t, b.Attrs.String("url")}, nil
		},
	})
	r.AddStore(provider.StoreDefinition{Name: "mem", Schema: provider.Schema{Attributes: []provider.Attribute{text("key", false),
		{Name: "path", Type: provider.PathType}, text("format", false)}},
		Open: func(context.Context, provider.Block) (provider.Store, error) {
			return nil, errors.New("this store cannot be read")
		}})
	r.AddConsumer(provider.ConsumerDefinition{Name: "mem", Schema: provider.Schema{Attributes: []provider.Attribute{text("command", false)}}})
	r.AddNotifier(provider.NotifierDefinition{Name: "mem", Schema: provider.Schema{Attributes: []provider.Attribute{text("channel", false)}}})
	return r
}

// runbook is what every type of these tests is reset by.
func runbook(typ string) string {
	install := "  install \"new\" { secret = issue.secret }\n"
	if typ == "mem_token" {
		install = ""
	}
	return "runbook \"" + typ + "\" {\n  resets = \"" + typ + `"
  verify "requester" {}
  approve "owners" {}
  issue "secret" {}
` + install + `  confirm "login" { secret = issue.secret }
  distribute "stores" {
    for_each = credential.stores
    secret   = issue.secret
  }
  reload "services" { for_each = credential.consumers }
  revoke "old" {}
  terminate "sessions" {}
  prove "refused" {}
  notify "owner" { to = credential.owner }
}
`
}

var runbooks = runbook("mem_password") + runbook("mem_key") + runbook("mem_token")

// load reads a workspace of these files.
func load(t *testing.T, files map[string]string, vars map[string]string) *config.Workspace {
	t.Helper()
	w, diags := config.Load(config.Options{Dir: written(t, files), Registry: registry(nil), Builtin: fstest.MapFS{}, Version: "0.1.0", Vars: vars})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return w
}

// written is a folder with these files.
func written(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// judges compiles one policy source; "" is one that never says anything.
func judges(t *testing.T, rego string) *policy.Set {
	t.Helper()
	if rego == "" {
		rego = "package remint.plan\ndeny contains {\"id\": \"never\", \"msg\": \"never\"} if false\n"
	}
	set, diags := policy.Compile(context.Background(), []policy.Source{{
		Name: "house", Enforcement: policy.Mandatory, FS: fstest.MapFS{"house.rego": {Data: []byte(rego)}},
	}})
	if err := diags.Err(); err != nil {
		t.Fatal(err)
	}
	return set
}

// newPlanner plans for w against these targets.
func newPlanner(t *testing.T, w *config.Workspace, at targets) *planner.Planner {
	t.Helper()
	f := fleet.New(registry(at))
	t.Cleanup(func() { _ = f.Close() })
	return &planner.Planner{
		Workspace: w, Fleet: f, Policies: judges(t, ""), Known: planner.Known{}, Trust: plan.SelfAsserted, TrustDigest: "sha256:0", Events: event.Discard,
		Now: func() time.Time { return now }, Parallelism: 4,
	}
}

// addresses of a plan's resets, in its order.
func addresses(p *planner.Planned) []string {
	out := []string{}
	for _, r := range p.File.Plan.Resets {
		out = append(out, r.Address)
	}
	return out
}
