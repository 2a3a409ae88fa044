package policy

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples are read, and written again as they are.
func TestReadInput(t *testing.T) {
	for _, stage := range []string{"plan", "approval", "result"} {
		raw, err := os.ReadFile("../../schemas/examples/policy-input-" + stage + ".json")
		if err != nil {
			t.Fatal(err)
		}
		in, err := ReadInput(raw)
		if err != nil {
			t.Fatal(stage, err)
		}
		doc, err := in.Document()
		if err != nil {
			t.Fatal(err)
		}
		again, err := ReadInput(doc)
		if err != nil {
			t.Fatal(stage, err)
		}
		if diff := cmp.Diff(in, again); diff != "" {
			t.Error(stage, diff)
		}
	}
}

func TestReadInputRefuses(t *testing.T) {
	const approval = `{"version": "1.0", "stage": "remint.approval", "reason": "scheduled", "mode": "cutover", "now": "2026-12-24T00:00:00Z", "resets": [{"address": "a"}]}`
	if _, err := ReadInput([]byte(approval)); err != nil {
		t.Fatal(err)
	}
	change := func(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(approval) }
	for want, text := range map[string]string{
		"it is no policy input":      `[]`,
		"unknown field":              change(`"now"`, `"nov"`),
		"more behind":                approval + "{}",
		"this program knows":         change(`"1.0"`, `"2.0"`),
		"its stage is":               change(`remint.approval`, `remint.aproval`),
		"its reason is":              change(`scheduled`, `bored`),
		"that of the reason":         change(`cutover`, `contain`),
		"has no now":                 change(`"now": "2026-12-24T00:00:00Z", `, ``),
		"now is in remint.approval":  change(`remint.approval`, `remint.plan`),
		"has none of requirements":   change(`remint.approval`, `remint.plan`, `"now": "2026-12-24T00:00:00Z"`, `"operator": "x"`),
		"has no address of its own":  change(`[{"address": "a"}]`, `[{"address": "a"}, {"address": "a"}]`),
		"has no result":              change(`remint.approval`, `remint.result`, `"now": "2026-12-24T00:00:00Z", `, ``),
		"results are judged one":     change(`remint.approval`, `remint.result`, `"now": "2026-12-24T00:00:00Z", `, ``, `[{"address": "a"}]`, `[]`),
		"which is in remint.result":  change(`"address": "a"`, `"address": "a", "result": {"proof": "tested"}`),
		"cannot unmarshal string in": change(`[{"address": "a"}]`, `"a"`),
	} {
		if _, err := ReadInput([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
