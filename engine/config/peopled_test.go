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
			o := options(workspace(t, map[string]string{"main.remint.hcl": person + "notifier \"webhook\" \"soc\" { url = \"https://soc\" }\n" + row.text, "keys/alice.pub": string(key)}))
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

// Where the glass may be broken, somebody can be told of it at once.
func TestWhoIsToldOfBrokenGlass(t *testing.T) {
	const log, more, web = "notifier \"log\" \"here\" {}\n", "notifier \"log\" \"there\" {}\n", "notifier \"webhook\" \"soc\" { url = \"https://soc\" }\n"
	glass := func(via string) string {
		return "break_glass {\n  group = \"sec\"\n  notify = [\"ciso@example.com\", \"cto@example.com\"]\n  max_targets = 1\n  review_within = \"1h\"\n" + via + "}\n"
	}
	const none, file = "Nobody can be told that the glass is broken", "That the glass is broken is only written down"
	for name, row := range map[string]struct {
		text, summary, detail string
		severity              diag.Severity
	}{
		"no notifier":          {glass(""), none, "notify names ciso@example.com, cto@example.com, and no notifier is declared", diag.Error},
		"a file":               {log + glass(""), file, "all that tells them is log.here, which writes into a file", diag.Warning},
		"files":                {log + more + glass(""), file, "log.here, log.there, which writes", diag.Warning},
		"one that sends too":   {log + web + glass(""), "", "", ""},
		"only one that sends":  {log + web + glass("  via = [\"webhook.soc\"]\n"), "", "", ""},
		"only the file":        {log + web + glass("  via = [\"log.here\"]\n"), file, "log.here, which writes", diag.Warning},
		"one that there isn't": {web + glass("  via = [\"log.here\"]\n"), "There is no such notifier", "", diag.Error},
		"no kind of notifier":  {"notifier \"pigeon\" \"soc\" {}\n" + glass(""), "There is no such notifier", "", diag.Error},
		"no glass":             {log, "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := options(workspace(t, map[string]string{"main.remint.hcl": row.text}))
			o.Vars = nil
			w, diags := config.Load(o)
			if w != nil {
				diags = append(diags, w.Unreached()...)
			}
			var found []diag.Diagnostic
			for _, d := range diags {
				if d.Summary != "Nobody is in the group" {
					found = append(found, d)
				}
			}
			if row.summary == "" && len(found) == 0 {
				return
			}
			if len(found) != 1 || found[0].Summary != row.summary || found[0].Severity != row.severity || !strings.Contains(found[0].Detail, row.detail) ||
				found[0].Range == nil || found[0].Range.Start.Line == 0 {
				t.Errorf("got %+v", found)
			}
		})
	}
}
