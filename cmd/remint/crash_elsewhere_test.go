//go:build !race

package main

import "testing"

// TestCrashesElsewhere is TestCrashes for what a store holds and the target knows
// otherwise: a key under another comment alone, and a certificate that the index does
// not have. Nothing but the store leads to it, and it must be dead at the end all the same.
func TestCrashesElsewhere(t *testing.T) {
	for _, row := range []struct {
		what    string
		w       world
		reasons []string
	}{
		// Nobody can say whose the listed key is, so that no cutover is begun.
		{"calls, of a key that is listed under another comment", listedElsewhere(), []string{"compromised", "offboarding"}},
		{"calls, of a certificate that the index does not have", issuedElsewhere(), reasons},
	} {
		enumerateCrashes(t, row.what, []world{row.w}, row.reasons, 6)
	}
}

// listedElsewhere is the world of an SSH key that authorized_keys has under the comment
// of another machine.
func listedElsewhere() world {
	w := sshWorld()
	setup := w.setup
	w.setup = func(t *testing.T, dir string) {
		setup(t, dir)
		run(t, dir, "sed", "-i", "s/ ci@example.com$/ ci@elsewhere/", "authorized_keys")
	}
	return w
}

// issuedElsewhere is the world of a certificate from before the index was kept.
func issuedElsewhere() world {
	w := x509World()
	setup := w.setup
	w.setup = func(t *testing.T, dir string) {
		setup(t, dir)
		run(t, dir, "rm", "ca.crl.index.jsonl")
	}
	return w
}
