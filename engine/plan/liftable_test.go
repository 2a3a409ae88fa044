package plan

import "testing"

// A plan is liftable only where an override could lift everything that denies it.
func TestLiftable(t *testing.T) {
	deny := func(overridable bool) Decision { return Decision{Level: Deny, Overridable: overridable} }
	read := []Reset{{Observed: Observed{Target: "t"}}}
	for name, tc := range map[string]struct {
		plan Plan
		want bool
	}{
		"nothing denied":          {Plan{Resets: read, Decisions: []Decision{{Level: Warn}}}, false},
		"overridable":             {Plan{Resets: read, Decisions: []Decision{{Level: Warn}, deny(true)}}, true},
		"mandatory":               {Plan{Resets: read, Decisions: []Decision{deny(false)}}, false},
		"one of them mandatory":   {Plan{Resets: read, Decisions: []Decision{deny(true), deny(false)}}, false},
		"offline":                 {Plan{Resets: []Reset{{}}, Decisions: []Decision{deny(true)}}, false},
		"advisory is no denial":   {Plan{Resets: read, Decisions: []Decision{{Level: Overridden}}}, false},
		"a second one not read":   {Plan{Resets: []Reset{read[0], {}}, Decisions: []Decision{deny(true)}}, false},
		"overridable, two resets": {Plan{Resets: []Reset{read[0], read[0]}, Decisions: []Decision{deny(true)}}, true},
	} {
		if got := tc.plan.Liftable(); got != tc.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
