package executor

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// Once a result has made the overrides worth nothing, that is why gated steps may not
// begin, in every reset of the run; before, and where nothing was lifted, it is not.
func TestOverridesThatAreVoid(t *testing.T) {
	t.Parallel()
	by := []gate.Override{
		{Approver: config.Approver{Name: "bob"}, Document: gate.Document{Name: "o.json"}}, {Approver: config.Approver{Name: "eve"}, Document: gate.Document{Name: "p.json"}},
	}
	const first = "The override by bob (o.json) is void: house/x (the whole plan) denies too, and it does not name that."
	const both = first + " The override by eve (p.json) is void: house/x (the whole plan) denies too, and it does not name that."
	shut := &Held{Exit: diag.ExitDenied, Why: "The gates are shut."}
	for name, tc := range map[string]struct {
		lifting gate.Lifting
		want    string
	}{
		"nothing is lifted":    {gate.Lifting{Overrides: by}, ""},
		"there is no override": {gate.Lifting{Lifted: []gate.Lifted{{}}}, ""},
		"one":                  {gate.Lifting{Lifted: []gate.Lifted{{}}, Overrides: by[:1]}, first},
		"two":                  {gate.Lifting{Lifted: []gate.Lifted{{}}, Overrides: by}, both},
	} {
		for _, before := range []*Held{nil, shut} {
			r := bare(lifecycle.Cutover, lifecycle.Overlapping)
			r.job.Gate.Lifting, r.job.Held = tc.lifting, before
			if got := r.job.held(); got != before {
				t.Errorf("%s: before: %+v", name, got)
			}
			denied := []plan.Decision{{Source: "house", Rule: "x", Level: plan.Deny}, {Source: "house", Rule: "y", Level: plan.Warn}}
			if got := r.voids(denied); got != tc.want || r.void != tc.want {
				t.Errorf("%s: %q, kept %q", name, got, r.void)
			}
			want := before
			if tc.want != "" {
				want = &Held{Exit: diag.ExitDenied, Why: tc.want + " What rested on it does not begin"}
			}
			if diff := cmp.Diff(want, r.job.held()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
			if tc.want != "" { // why it was first stays
				other := &reset{job: r.job}
				if other.voids(append(denied, denied...)); other.void == tc.want || r.job.held().Why != want.Why {
					t.Errorf("%s: %q, then %q", name, other.void, r.job.held().Why)
				}
			}
		}
	}
}

// Why the overrides of a run are worth nothing stands in the end of any of its resets,
// and nowhere else.
func TestWhereVoidOverridesAreFound(t *testing.T) {
	t.Parallel()
	void, none := [2]string{"ended", `{"facts":{"override_void":"it is void"}}`}, [2]string{"ended", `{"facts":{}}`}
	for _, tc := range []struct {
		records [][2]string
		want    string
	}{
		{nil, ""}, {[][2]string{none}, ""}, {[][2]string{void}, "it is void"}, {[][2]string{none, void}, "it is void"}, {[][2]string{void, none}, "it is void"},
		{[][2]string{{"note", void[1]}, none}, ""}, {[][2]string{{"done", void[1]}}, ""},
	} {
		if got, err := Voided(t.Context(), kept(tc.records...), "run-1"); got != tc.want || err != nil {
			t.Errorf("%v: %q, %v", tc.records, got, err)
		}
	}
}
