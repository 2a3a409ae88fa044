package config_test

import (
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
)

// What the pinned digest does not cover lowers nothing: a credential's environment
// does not count below production unless its provider block says the same.
func TestPinnedEnvironment(t *testing.T) {
	const each = `  for_each = { a = "test", b = "production" }` + "\n"
	for name, row := range map[string]struct {
		provider, credential string
		pinned               bool
		want                 string // the environment, or a part of the fault
		faults               int
	}{
		"lowered":             {"", `environment = "test"`, true, `credential.htpasswd_user.ann cannot make itself "test"`, 1},
		"lowered by each":     {"", each + "environment = each.value", true, `cannot make itself "test"`, 1},
		"lowered, unpinned":   {"", `environment = "test"`, false, "test", 0},
		"of the provider":     {`environment = "test"`, "", true, "test", 0},
		"as the provider":     {`environment = "test"`, `environment = "test"`, true, "test", 0},
		"below the provider":  {`environment = "staging"`, `environment = "test"`, true, `Provider htpasswd.site says "staging"`, 1},
		"raised":              {`environment = "test"`, `environment = "production"`, true, "production", 0},
		"another production":  {"", `environment = "live"`, true, "live", 0},
		"nothing is said":     {"", "", true, "production", 0},
		"production is named": {"", `environment = "production"`, true, "production", 0},
	} {
		t.Run(name, func(t *testing.T) {
			user := `"ann"`
			if strings.Contains(row.credential, "for_each") {
				user = "each.key"
			}
			o := options(workspace(t, map[string]string{"main.remint.hcl": "provider \"htpasswd\" \"site\" {\n  file = \"site\"\n  " + row.provider + "\n}\n" +
				"credential \"htpasswd_user\" \"ann\" {\n  provider = htpasswd.site\n  user = " + user + "\n  " + row.credential + "\n}\n"}))
			o.Vars, o.Pinned = nil, row.pinned
			w, diags := config.Load(o)
			if len(diags) != row.faults {
				t.Fatalf("%d faults: %v", len(diags), diags)
			}
			if row.faults == 0 {
				if got := w.Credentials[0].Environment; got != row.want {
					t.Errorf("it is %q", got)
				}
				return
			}
			if d := diags[0]; !strings.Contains(d.Detail, row.want) || diags.Exit() != diag.ExitDenied || d.Snippet == nil {
				t.Errorf("exit %d, %+v", diags.Exit(), d)
			}
		})
	}
}
