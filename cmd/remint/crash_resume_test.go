//go:build !race

package main

import (
	"os"
	"testing"
)

// TestCrashesOfResume breaks every operation of the resume of a reset that was killed in
// its middle, right after the target had changed and before anything could be recorded:
// one type in `make test`, all of them in `make torture`.
func TestCrashesOfResume(t *testing.T) {
	total := newTally()
	t.Run("all", func(t *testing.T) {
		each := func(t *testing.T, b breaking) {
			t.Helper()
			b.total = total
			b.calls(t, resumed(t, b.world, b.template, b.reason, b.first[0]), 3)
		}
		killedInTheMiddle(t, each)
		if os.Getenv("REMINT_TORTURE") == "" { // where it is among the calls of each type's resumes
			w := crashWorlds(t)[0]
			b := breaking{world: w, template: prepared(t, w), reason: "scheduled", first: []string{killAfter + " " + installs(w)}, total: total}
			total.add(waitsInResume + "#1")
			b.breaks(t, waitsInResume+"#1", []string{killBefore, killAfter, transient, permanent, lostReply, interruptTwo})
		}
	})
	total.breaks(t, []string{waitsInResume})
	total.report(t, "calls of a resume")
	total.allReached(t)
}

// killedInTheMiddle gives resets that are resumed.
func killedInTheMiddle(t *testing.T, each func(t *testing.T, b breaking)) {
	t.Helper()
	worlds := crashWorlds(t)
	if os.Getenv("REMINT_TORTURE") == "" {
		worlds = worlds[1:2] // the one that leaves most to find
	}
	for _, w := range worlds {
		template := prepared(t, w)
		for _, reason := range []string{"scheduled", "compromised"} {
			t.Run(w.name+"/"+reason, func(t *testing.T) {
				t.Parallel()
				each(t, breaking{world: w, template: template, reason: reason, first: []string{killAfter + " " + installs(w)}})
			})
		}
	}
}

// installs is the operation with which a world's target has the new secret.
func installs(w world) string {
	if w.name == "x509_certificate" {
		return "provider.Mint#1"
	}
	return "provider.Set#1"
}
