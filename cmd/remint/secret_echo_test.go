//go:build linux && !race

package main

import "testing"

// TestSecretsOfACarelessProvider: providers and stores whose errors and panics say
// the secret that they were given. It is known from what they were given, and not
// from what has become of it: a reset that fails keeps none.
func TestSecretsOfACarelessProvider(t *testing.T) {
	total := newLeaks()
	v := newVault(t)
	t.Run("all", func(t *testing.T) {
		for i, w := range v.worlds(t) {
			template := canaryTemplate(t, w)
			calls := []string{"provider.Probe", "provider.Set", "store.Put"}
			if w.name == "x509_certificate" { // it is given none, and makes one
				calls = []string{"provider.Probe", "provider.Mint", "store.Put"}
			}
			for j, how := range []string{"error", "panic"} {
				for _, call := range calls {
					t.Run(w.name+"/"+how+" "+call, func(t *testing.T) {
						t.Parallel()
						d := dress{shared: (i+j)%2 == 0, loud: j == 0}
						v.newCase(t, w, d, template, "scheduled").through(t, total, []string{"REMINT_TEST_ECHO=" + how + " " + call})
					})
				}
			}
		}
	})
	v.after(t, total)
	total.report(t, "by careless providers")
	if total.missed > 0 {
		t.Errorf("%d calls were never made, or of what they were given nothing is known", total.missed)
	}
}
