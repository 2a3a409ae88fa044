package policy

import (
	"fmt"
	"os"
	"runtime"
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
		"it is no policy input":              `[]`,
		"unknown field":                      change(`"now"`, `"nov"`),
		"more behind":                        approval + "{}",
		"this program knows":                 change(`"1.0"`, `"2.0"`),
		"its stage is":                       change(`remint.approval`, `remint.aproval`),
		"its reason is":                      change(`scheduled`, `bored`),
		"that of the reason":                 change(`cutover`, `contain`),
		"has no now":                         change(`"now": "2026-12-24T00:00:00Z", `, ``),
		"now is in remint.approval":          change(`remint.approval`, `remint.plan`),
		"has none of requirements":           change(`remint.approval`, `remint.plan`, `"now": "2026-12-24T00:00:00Z"`, `"operator": "x"`),
		"has no address of its own":          change(`[{"address": "a"}]`, `[{"address": "a"}, {"address": "a"}]`),
		"has no result":                      change(`remint.approval`, `remint.result`, `"now": "2026-12-24T00:00:00Z", `, ``),
		"results are judged one":             change(`remint.approval`, `remint.result`, `"now": "2026-12-24T00:00:00Z", `, ``, `[{"address": "a"}]`, `[]`),
		"which is in remint.result":          change(`"address": "a"`, `"address": "a", "result": {"proof": "tested"}`),
		"a text stands where a list must be": change(`[{"address": "a"}]`, `"a"`),
		"reset 0 has no address":             change(`{"address": "a"}`, `{}`+strings.Repeat(`,{}`, 1_000_000)),
		"more values than its size":          change(`"address": "a"`, `"address": "a", "steps": [{}`+strings.Repeat(`,{}`, 1_000_000)+`]`),
		"more than 100000 resets":            change(`{"address": "a"}`, numbered(100_001)),
	} {
		if _, err := ReadInput([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}

// numbered are that many resets that have nothing but an address.
func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{"address": "credential.htpasswd_user.number_%d"},`, i)
	}
	return strings.TrimSuffix(b.String(), ",")
}

// A document of resets or steps that say nothing costs no more memory than it is long.
func TestReadInputHoldsNoEmptyElements(t *testing.T) {
	const head = `{"version": "1.0", "stage": "remint.plan", "reason": "scheduled", "mode": "cutover", `
	for name, text := range map[string]string{
		"resets":    head + `"resets": [{}` + strings.Repeat(`,{}`, 500_000) + `]}`,
		"RESETS":    head + `"RESETS": [{}` + strings.Repeat(`,{}`, 500_000) + `]}`,
		"steps":     head + `"resets": [{"address": "a", "steps": [{}` + strings.Repeat(`,{}`, 500_000) + `]}]}`,
		"left_out":  head + `"targets": {"left_out": [{}` + strings.Repeat(`,{}`, 500_000) + `]}}`,
		"any value": head + `"resets": [{"address": "a", "attributes": {"x": [0` + strings.Repeat(`,0`, 500_000) + `]}}]}`,
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadInput([]byte(text))
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it was read", name)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: %d bytes were allocated for %d", name, got, len(text))
		}
	}
}
