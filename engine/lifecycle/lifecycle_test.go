package lifecycle

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestOrders(t *testing.T) {
	want := map[Mode][]Phase{
		Cutover: {"verify", "approve", "issue", "install", "confirm", "distribute", "reload", "revoke", "terminate", "prove", "notify"},
		Contain: {"verify", "approve", "revoke", "terminate", "prove", "issue", "install", "confirm", "distribute", "reload", "terminate", "prove", "notify"},
		Retire:  {"verify", "approve", "revoke", "terminate", "prove", "distribute", "notify"},
	}
	for m, order := range want {
		if diff := cmp.Diff(order, m.Order()); diff != "" {
			t.Errorf("%s: %s", m, diff)
		}
	}
}

func TestModesFollowFromReasons(t *testing.T) {
	want := map[Reason]Mode{Scheduled: Cutover, Expiring: Cutover, Forgotten: Cutover, Compromised: Contain, Offboarding: Retire}
	for _, r := range Reasons() {
		if r.Mode() != want[r] {
			t.Errorf("%s gives %s, want %s", r, r.Mode(), want[r])
		}
	}
}

// Whatever is required must exist in the mode: a runbook could not have it otherwise.
func TestRequiredPhasesExist(t *testing.T) {
	for _, m := range Modes() {
		for _, k := range []Kind{InPlace, Overlapping, Minted} {
			for _, p := range m.Required(k, true) {
				if !m.Has(p) {
					t.Errorf("%s requires %s, which it does not run", m, p)
				}
			}
		}
	}
}

func TestStrengthOrder(t *testing.T) {
	if !AAL2.AtLeast(AAL1) || AAL1.AtLeast(AAL2) || Strength("aal9").AtLeast(None) || !None.AtLeast(None) {
		t.Error("strengths are not ordered")
	}
}

func TestUnsetEnvironmentIsProduction(t *testing.T) {
	for e, want := range map[string]bool{"": true, "production": true, "prod": true, "Staging": true, "staging": false, "test": false, "development": false} {
		if IsProduction(e) != want {
			t.Errorf("IsProduction(%q) is %v", e, !want)
		}
	}
}
