package config_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// libraryOf loads library blocks, against those of a base where there are any.
func libraryOf(t *testing.T, base, text string) (config.Library, diag.Diagnostics) {
	t.Helper()
	with := func(text, label string) config.Options {
		o := options(workspace(t, map[string]string{"main.remint.hcl": text}))
		o.Groups, o.DefaultGroups = []string{"production", "human", "incident"}, []string{"production", "human"}
		o.Parameters = provider.Schema{Attributes: []provider.Attribute{{Name: "bits", Type: provider.Int}, {Name: "incident_n", Type: provider.Int}}}
		o.ParameterGroups = map[string]string{"bits": "baseline", "incident_n": "incident"}
		o.Vars, o.Label = nil, label
		return o
	}
	o := with(text, "")
	if base != "" {
		b := with(base, "base/")
		b.Home = o.Dir
		loaded, diags := config.Load(b)
		if err := diags.Err(); err != nil {
			t.Fatal(err)
		}
		o.Base = loaded
	}
	w, diags := config.Load(o)
	if w == nil {
		return config.Library{}, diags
	}
	return w.Library, diags
}

func TestLibrary(t *testing.T) {
	type levels = map[string]config.Enforcement
	const open = "library {\n  groups = [\"production\"]\n  enforcement = \"overridable\"\n}\n"
	for name, row := range map[string]struct {
		base, text string
		groups     string
		want       levels
	}{
		"nothing said":                  {"", "", "production human", levels{}},
		"a level of the default groups": {"", `library { enforcement = "advisory" }`, "production human", levels{"production": "advisory", "human": "advisory"}},
		"by block":                      {"", open + "library {\n  groups = [\"incident\"]\n}\n", "production incident", levels{"production": "overridable"}},
		"the base alone":                {open, "", "production", levels{"production": "overridable"}},
		"the same as the base":          {open, open, "production", levels{"production": "overridable"}},
		"silence is the base's":         {open, `library { groups = ["production"] }`, "production", levels{"production": "overridable"}},
		"stricter than the base":        {open, strings.Replace(open, "overridable", "mandatory", 1), "production", levels{"production": "mandatory"}},
		"added to the base's": {open, open + "library {\n  groups = [\"incident\"]\n  enforcement = \"advisory\"\n}\n", "production incident",
			levels{"production": "overridable", "incident": "advisory"}},
		"added in silence": {open, `library { groups = ["incident"] }`, "production incident", levels{"production": "overridable", "incident": "mandatory"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, diags := libraryOf(t, row.base, row.text)
			if err := diags.Err(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(row.want, got.Enforcement); diff != "" || strings.Join(got.Groups, " ") != row.groups {
				t.Error(got.Groups, diff)
			}
		})
	}
	for name, row := range map[string]struct {
		base, text, want string
		exit             diag.Exit
	}{
		"misspelt":               {"", `library { enforcement = "overrideable" }`, "enforcement must be", 1},
		"two levels":             {"", open + strings.Replace(open, "overridable", "advisory", 1), `The group "production" is chosen at main.remint.hcl:2 already`, 1},
		"two blocks that agree":  {"", open + open, `The group "production" is chosen at main.remint.hcl:2 already`, 1},
		"silence that overlaps":  {"", open + "library {}\n", "This block names none, and so chooses production and human", 1},
		"of nothing":             {"", "library {\n  groups = []\n  enforcement = \"advisory\"\n}\n", "This block chooses no group", 1},
		"what is always asked":   {"", `library { groups = ["baseline"] }`, `no group "baseline" to choose`, 1},
		"parameters elsewhere":   {"", open + "library {\n  groups = [\"incident\"]\n}\nlibrary {\n  groups = []\n  parameters { incident_n = 1 }\n}\n", "which is not chosen in this block", 1},
		"a parameter twice":      {"", "library {\n  groups = []\n  parameters { bits = 1 }\n}\nlibrary {\n  groups = []\n  parameters { bits = 2 }\n}\n", "bits is set in another library block", 1},
		"parameters twice":       {"", "library {\n  parameters { bits = 1 }\n  parameters { bits = 2 }\n}\n", "stands twice in one library block", 1},
		"lower than the base":    {open, strings.Replace(open, "overridable", "advisory", 1), `group "production" is overridable in the trust base, and advisory here`, 3},
		"lower than its silence": {`library { groups = ["production"] }`, open, `group "production" is mandatory in the trust base, and overridable here`, 3},
		"lower without a block":  {`provider "htpasswd" "x" { file = "x" }`, `library { enforcement = "advisory" }`, "is mandatory in the trust base, and advisory here", 3},
	} {
		t.Run(name, func(t *testing.T) {
			_, diags := libraryOf(t, row.base, row.text)
			if err := diags.Err(); err == nil || !strings.Contains(err.Error(), row.want) || diags.Exit() != row.exit {
				t.Errorf("exit %d: %v", diags.Exit(), err)
			}
		})
	}
}
