package config_test

import (
	"os"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
)

// That nobody can make an exception is said before the day that one is needed.
func TestGroupsOfNobody(t *testing.T) {
	const person = "approver \"alice\" {\n  public_key = file(\"keys/alice.pub\")\n  groups = [\"sec\"]\n}\n"
	key, err := os.ReadFile("testdata/example/keys/alice.pub")
	if err != nil {
		t.Fatal(err)
	}
	for name, row := range map[string]struct{ text, warns string }{
		"override":                {"override {\n  groups = [\"sec\", \"nobody\"]\n}\n", `The override block names the group "nobody"`},
		"break_glass":             {"break_glass {\n  group = \"nobody\"\n  notify = [\"a@example.com\"]\n  max_targets = 1\n  review_within = \"1h\"\n}\n", `The break_glass block names the group "nobody"`},
		"somebody is in all":      {"override {\n  groups = [\"sec\"]\n}\n", ""},
		"somebody may break it":   {"break_glass {\n  group = \"sec\"\n  notify = [\"a@example.com\"]\n  max_targets = 1\n  review_within = \"1h\"\n}\n", ""},
		"nobody makes exceptions": {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(workspace(t, map[string]string{"main.remint.hcl": person + row.text, "keys/alice.pub": string(key)}))
			o.Vars = nil
			_, diags := config.Load(o)
			var warned []string
			for _, d := range diags {
				switch {
				case d.Severity == diag.Error:
					t.Fatal(diags.Err())
				case d.Summary == "Nobody is in the group":
					warned = append(warned, d.Detail)
				}
			}
			if got := strings.Join(warned, " "); (row.warns == "") != (got == "") || !strings.Contains(got, row.warns) {
				t.Errorf("warned %q, want %q", got, row.warns)
			}
		})
	}
}
