//go:build linux && !race

package main

import (
	"testing"
)

// TestSecretsOfACarelessProvider: providers and stores whose errors and panics say
// the secret that they were given.
func TestSecretsOfACarelessProvider(t *testing.T) {
	total := &leaks{}
	t.Run("all", func(t *testing.T) {
		for _, w := range secretWorlds(t, "http://127.0.0.1:1/") {
			if w.name == "x509_certificate" { // it is given none
				continue
			}
			template := canaryTemplate(t, w)
			for _, how := range []string{"error", "panic"} {
				for _, call := range []string{"provider.Probe", "provider.Set", "store.Put"} {
					t.Run(w.name+"/"+how+" "+call, func(t *testing.T) {
						t.Parallel()
						newSecretCase(t, w, template, "scheduled").through(t, total, []string{"REMINT_TEST_ECHO=" + how + " " + call})
					})
				}
			}
		}
	})
	total.report("by careless providers")
}
