package config_test

import (
	"fmt"
	"strings"
	"testing"
)

// Of a secret that is written into a workspace, no fault says or shows anything, however
// the line is wrong.
func TestFaultsQuoteNoSecret(t *testing.T) {
	const canary = "S3cr3t"
	state := func(line string) string { return "remint {\n  state \"postgresql\" {\n    " + line + "\n  }\n}\n" }
	hook := func(line string) string { return "notifier \"mail\" \"m\" {\n  " + line + "\n}\n" }
	for name, text := range map[string]string{
		"no quotes":              state(`url = postgres://admin:S3cr3t@h/db`),
		"no quotes, in one line": "remint {\n  state \"postgresql\" { url = postgres://admin:S3cr3t@h/db }\n}\n",
		"no quotes, a word":      hook(`password = S3cr3t`),
		"no quotes, a call":      hook(`password = S3cr3t("x")`),
		"no quotes, a path":      hook(`password = S3cr3t.x`),
		"a template by mistake":  hook(`password = "a${S3cr3t}b"`),
		"a quoted name":          state(`"url" = "postgres://admin:S3cr3t@h/db"`),
		"no equals sign":         state(`url "postgres://admin:S3cr3t@h/db"`),
		"misspelt":               state(`urll = "postgres://admin:S3cr3t@h/db"`),
		"a capital":              state(`Url = "postgres://admin:S3cr3t@h/db"`),
		"another name":           state(`conn = "postgres://admin:S3cr3t@h/db"`),
		"misspelt, in one line":  "remint {\n  state \"postgresql\" { urll = \"postgres://admin:S3cr3t@h/db\" }\n}\n",
		"misspelt default":       "variable \"p\" {\n  defalut = \"S3cr3t\"\n  sensitive = true\n}\n",
		"a default, no quotes":   "variable \"p\" {\n  sensitive = true\n  default = S3cr3t\n}\n",
		"a private key":          "approver \"a\" {\n  public_key = \"-----BEGIN PRIVATE KEY-----\\nS3cr3t\\n-----END PRIVATE KEY-----\\n\"\n}\n",
		"its lines":              "approver \"a\" {\n  public_key = \"-----BEGIN PRIVATE KEY-----\nS3cr3t\n-----END PRIVATE KEY-----\"\n}\n",
		"beside an environment":  site + "credential \"htpasswd_user\" \"u\" {\n  consumer \"command\" \"c\" { env = { DB_PASSWORD = \"S3cr3t\" }, oops = 1 }\n}\n",
		"in an environment":      site + "credential \"htpasswd_user\" \"u\" {\n  consumer \"command\" \"c\" {\n    env = { DB_PASSWORD = S3cr3t }\n  }\n}\n",
		"a seal's private key":   "remint {\n  seal { recipients = [\"AGE-SECRET-KEY-1QQQQS3cr3t\"] }\n}\n",
		"a seal's identity":      "remint {\n  seal {\n    recipients = []\n    identities = [\"AGE-SECRET-KEY-1QQQQS3cr3t\"]\n  }\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.ReplaceAll(text, "AGE-SECRET-KEY-1QQQQS3cr3t", "AGE-SECRET-KEY-1QQQQ"+strings.ToUpper(canary))
			diags := faults(t, text)
			if len(diags) == 0 {
				t.Fatal("no fault")
			}
			for _, d := range diags {
				said := fmt.Sprintf("%s: %s: %+v", d.Summary, d.Detail, d.Snippet)
				if strings.Contains(strings.ToUpper(said), strings.ToUpper(canary)) {
					t.Error(said)
				}
				if d.Range == nil || d.Snippet == nil {
					t.Errorf("no place: %s", said)
				}
			}
		})
	}
}
