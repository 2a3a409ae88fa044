//go:build !race

package main

import "testing"

// TestCrashesOfResumesWrites is TestCrashesOfResume for what the kernel is asked to do.
func TestCrashesOfResumesWrites(t *testing.T) {
	total := newTally()
	t.Run("all", func(t *testing.T) {
		killedInTheMiddle(t, func(t *testing.T, b breaking) {
			t.Helper()
			b.total = total
			c := newCase(t, b.world, b.template, b.reason)
			c.apply(b.first[0])
			seen, out, code := c.watched("", "", "resume")
			if code != 0 {
				t.Fatalf("unbroken: exit %d\n%s", code, out)
			}
			if err := c.finished(t); err != nil {
				t.Fatalf("unbroken: %v", err)
			}
			b.writes(t, seen.found, 20)
		})
	})
	total.report(t, "durable writes of a resume")
	total.allReached(t)
}
