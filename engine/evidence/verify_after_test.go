package evidence

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// TestAfterTheEnd: what comes after the record that ended a reset is found fault
// with, also where a later record links to all of it; after one that only halted,
// a resume goes on.
func TestAfterTheEnd(t *testing.T) {
	for outcome, sound := range map[string]bool{"finished": false, "failed": false, "superseded": false, "halted": true} {
		t.Run(outcome, func(t *testing.T) {
			w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
			w.key, w.ledger = testLedgerKey(t)
			const address, file = "credential.htpasswd_user.a", "htpasswd_user.a" + fileSuffix
			var bundles []journal.Bundle
			var links []RecordLink
			add := func(file string, r Record) string {
				line, err := w.signer.Sign(r)
				must(t, err)
				bundles = append(bundles, journal.Bundle{ID: ID(r), Run: "r1", File: "r1/" + file, Line: line})
				return LineDigest(line)
			}
			step := func(name string) {
				n := len(links) + 1
				links = append(links, RecordLink{Sequence: n, Step: name, Outcome: "done", Record: add(file, testStep("r1", address, name, n))})
			}
			end := func(outcome string) string {
				n := len(links) + 1
				digest := add(file, Reset{Common: testCommon("r1", n), Address: address, CredentialType: "htpasswd_user", Outcome: outcome, Judged: testJudged(plan.Allowed),
					Proof: "tested", Planned: 2, Records: append([]RecordLink{}, links...), Total: n})
				links = append(links, RecordLink{Sequence: n, Outcome: outcome, Record: digest})
				return digest
			}
			add(RunFile, Run{Common: testCommon("r1", 1), Event: "opened", Operator: "op", Mode: "cutover", Addresses: []string{address}})
			step("install.user")
			end(outcome)
			step("prove.refused")
			last := end("finished")
			add(RunFile, Run{Common: testCommon("r1", 2), Event: "closed", Outcome: "finished", Total: 2,
				Resets: []ResetLink{{Address: address, Outcome: "finished", Proof: "tested", Record: last}}})
			a, err := OpenArchive(w.dir, w.key)
			must(t, err)
			must(t, a.File(context.Background(), bundles))
			r := w.verify(t)
			if r.Sound() != sound {
				t.Fatalf("sound is %v: %v", r.Sound(), r.Findings)
			}
			if !sound && (r.Findings[0].Code != CodeSequence || !strings.Contains(r.Findings[0].Message, "ended the reset")) {
				t.Fatalf("%v", r.Findings)
			}
		})
	}
}
