package config_test

import (
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
)

// faults are what is wrong with a workspace of one file.
func faults(t *testing.T, text string) diag.Diagnostics {
	t.Helper()
	o := options(workspace(t, map[string]string{"a.remint.hcl": text}))
	o.Vars = nil
	_, diags := config.Load(o)
	return diags
}

// What nothing could be sealed to is found before anything has to be.
func TestSealRecipients(t *testing.T) {
	const public = "age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj"
	for given, want := range map[string]string{
		`"` + public + `"`: "", "": "",
		`"` + public + `", "AGE-SECRET-KEY-1QQQQ"`: "recipients must be public keys, and number 2 looks like a private key.",
		`"age1x"`: "recipients must be age or SSH public keys: number 1 is not",
	} {
		text := "remint {\n  seal { recipients = [" + given + "] }\n}\n"
		diags := faults(t, text)
		switch {
		case want == "" && len(diags) > 0:
			t.Errorf("%s: %v", given, diags.Err())
		case want != "" && (len(diags) != 1 || !strings.HasPrefix(diags[0].Detail, want) || diags[0].Range == nil || diags[0].Range.Start.Line != 2):
			t.Errorf("%s: %+v", given, diags)
		}
	}
}
