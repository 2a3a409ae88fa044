package evidence

import (
	"bytes"
	"context"
	"crypto"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

const askedAddress = "credential.htpasswd_user.a"

// trial is a run in which a reset stopped with a question, somebody answered, and
// the reset ended. What a case changes is signed as it is then.
type trial struct {
	halted Reset
	said   Resolution
	step   Step
	end    Reset
	// by signs the answer; forged puts another signature under it.
	by     *Signer
	forged bool
	// again is whether the reset stopped once more before its end.
	again bool
	// between is whether another record stands between question and answer.
	between bool
	// whole is whether the answer stands in the reset's end and in no step.
	whole bool
	// approvers are those known to the verifier.
	approvers []crypto.PublicKey
}

func newTrial(alice *Signer) *trial {
	const asks = "Did consumer command.web pick up the new secret?"
	c := testCommon("r1", 0)
	x := &trial{
		halted: Reset{Address: askedAddress, Outcome: "halted", Question: &event.Question{Run: "r1", Address: askedAddress, Step: "reload.web", Asks: asks, Done: "d", NotDone: "n"}},
		said: Resolution{Run: "r1", PlanID: c.PlanID, PlanDigest: c.PlanDigest, Address: askedAddress, Step: "reload.web", Question: asks,
			Answer: event.AnswerDone, Approver: "alice", CreatedAt: testTime},
		step: testStep("r1", askedAddress, "reload.web", 0),
		end:  Reset{Address: askedAddress, Outcome: "finished", Proof: "tested", Judged: testJudged(plan.Allowed)},
		by:   alice,
	}
	x.step.Outcome, x.step.Answer, x.step.AssertedBy = Asserted, event.AnswerDone, "alice"
	return x
}

// report files the run and verifies it.
func (x *trial) report(t *testing.T) *Report {
	t.Helper()
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, ECDSAP256)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	var bundles []journal.Bundle
	var links []RecordLink
	add := func(file, step, outcome string, r Record) string {
		line, err := w.signer.Sign(r)
		must(t, err)
		bundles = append(bundles, journal.Bundle{ID: ID(r), Run: "r1", File: "r1/" + file, Line: line})
		links = append(links, RecordLink{Sequence: len(links) + 1, Step: step, Outcome: outcome, Record: LineDigest(line)})
		return LineDigest(line)
	}
	reset := func(r Reset) string {
		r.Common, r.Records, r.Total = testCommon("r1", len(links)+1), slices.Clone(links), len(links)+1
		return add("htpasswd_user.a.sigstore.jsonl", "", r.Outcome, r)
	}
	add(RunFile, "", "", Run{Common: testCommon("r1", 1), Event: "opened", Addresses: []string{askedAddress}})
	links = nil
	record := reset(x.halted)
	if x.said.Record == "" {
		x.said.Record = record
	}
	if x.between {
		add("htpasswd_user.a.sigstore.jsonl", "reload.web", "unknown", func() Step {
			s := testStep("r1", askedAddress, "reload.web", len(links)+1)
			s.Outcome = "unknown"
			return s
		}())
	}
	var doc []byte
	if x.by != nil {
		doc, err = SignResolution(x.by, x.said)
		must(t, err)
		if x.forged {
			i := bytes.Index(doc, []byte(`"sig":"`)) + 12
			doc[i] = map[bool]byte{true: 'B', false: 'A'}[doc[i] == 'A']
		}
	}
	if x.whole {
		x.end.Resolution = bytes.TrimSpace(doc)
	} else {
		x.step.Common = testCommon("r1", len(links)+1)
		if doc != nil {
			x.step.Resolution = bytes.TrimSpace(doc)
		}
		add("htpasswd_user.a.sigstore.jsonl", x.step.Step, x.step.Outcome, x.step)
	}
	if x.again {
		reset(Reset{Address: askedAddress, Outcome: "halted"})
	}
	last := reset(x.end)
	add(RunFile, "", "", Run{Common: testCommon("r1", 2), Event: "closed", Total: 2, Resets: []ResetLink{{Address: askedAddress, Outcome: x.end.Outcome, Record: last}}})
	must(t, a.File(context.Background(), bundles))
	r, err := Verify(context.Background(), VerifyOptions{Dir: w.dir, PublicKeys: []crypto.PublicKey{w.signer.Public()}, LedgerKey: w.ledger, People: peopleWith(x.approvers)})
	must(t, err)
	return r
}

// What stands in evidence on a person's word is sound only with her signature, for
// this question, and nothing that only a proof can say rests on one.
func TestVerifyAsserted(t *testing.T) {
	alice, mallory := testSigner(t, Ed25519), testSigner(t, ECDSAP256)
	giveUp := func(x *trial) {
		x.whole, x.said.Step, x.said.Answer, x.end.Outcome, x.end.Proof, x.end.AssertedBy = true, "", event.AnswerNotDone, Abandoned, "", "alice"
	}
	for name, tc := range map[string]struct {
		change func(x *trial)
		// says is what a finding says, "" for none.
		says string
	}{
		"done": {func(*trial) {}, ""},
		"not done": {func(x *trial) {
			x.said.Answer, x.step.Answer = event.AnswerNotDone, event.AnswerNotDone
		}, ""},
		"given up": {giveUp, ""},
		"a mint that ends it": {func(x *trial) {
			x.halted.Question.Step, x.said.Step, x.step.Step, x.step.Phase, x.end.Outcome, x.end.Proof = "issue.it", "issue.it", "issue.it", "issue", Abandoned, ""
		}, ""},
		"no signature":         {func(x *trial) { x.by = nil }, "nobody's signed answer stands in it"},
		"somebody else's key":  {func(x *trial) { x.by = mallory }, "no known approver's"},
		"nobody is known":      {func(x *trial) { x.approvers = nil }, "no known approver's"},
		"forged":               {func(x *trial) { x.forged = true }, "signature of an answer by alice is wrong"},
		"another name":         {func(x *trial) { x.step.AssertedBy = "bob" }, "the signed answer says alice"},
		"another answer":       {func(x *trial) { x.step.Answer = event.AnswerNotDone }, "the signed answer says alice, done"},
		"another step":         {func(x *trial) { x.said.Step = "notify.owner" }, "the signed answer says alice, done, notify.owner"},
		"another question":     {func(x *trial) { x.said.Question = "Are you well?" }, "another question than the one that was asked"},
		"another record":       {func(x *trial) { x.said.Record = strings.Repeat("0", 64) }, "does not stand just before it"},
		"too late":             {func(x *trial) { x.between = true }, "does not stand just before it"},
		"nothing was asked":    {func(x *trial) { x.halted.Question = nil }, "does not stand just before it"},
		"another run":          {func(x *trial) { x.said.Run = "r2" }, "another run, plan or credential"},
		"another plan":         {func(x *trial) { x.said.PlanDigest = "sha256:" + strings.Repeat("0", 64) }, "another run, plan or credential"},
		"another credential":   {func(x *trial) { x.said.Address = "credential.htpasswd_user.b" }, "another run, plan or credential"},
		"a step that was done": {func(x *trial) { x.step.Outcome = "done" }, "only what is asserted can"},
		"a proof":              {func(x *trial) { x.step.Proof = "tested" }, "a person's word stands for a proof"},
		"a proof's step":       {func(x *trial) { x.step.Step, x.step.Phase = "prove.refused", "prove" }, "a person's word stands for a proof"},
		"abandoned by nobody":  {func(x *trial) { x.end.Outcome, x.end.Proof = Abandoned, "" }, "nobody's signed answer stands in it"},
		"given up by another":  {func(x *trial) { giveUp(x); x.end.AssertedBy = "bob" }, "does not give the reset up, or is not bob's"},
		"finished on a word":   {func(x *trial) { giveUp(x); x.end.Outcome, x.end.Proof = "finished", "tested" }, "only an abandoned one can"},
		"a step's answer gives up": {func(x *trial) {
			giveUp(x)
			x.said.Step = "reload.web"
		}, "does not give the reset up"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newTrial(alice)
			x.approvers = []crypto.PublicKey{testSigner(t, Ed25519).Public(), alice.Public()}
			tc.change(x)
			r := x.report(t)
			if tc.says == "" {
				if !r.Sound() || r.Asserted != 1 {
					t.Errorf("%d asserted, %v", r.Asserted, r.Findings)
				}
				return
			}
			n := 1
			if x.step.Phase == "prove" { // nobody can sign an answer for that step: it is for another
				n = 2
			}
			if len(r.Findings) != n || r.Findings[0].Code != CodeAssertion || !strings.Contains(r.Findings[0].Message, tc.says) {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

func testResolution() Resolution {
	return Resolution{Run: "r1", PlanID: "p1", PlanDigest: "sha256:" + strings.Repeat("ab", 32), Address: askedAddress, Step: "reload.web", Question: "q?",
		Record: strings.Repeat("0", 64), Answer: event.AnswerDone, Approver: "alice", CreatedAt: testTime, Nonce: "n1"}
}

// No one signs what no answer can say.
func TestResolutionRefused(t *testing.T) {
	s := testSigner(t, Ed25519)
	for name, change := range map[string]func(*Resolution){
		"no run": func(r *Resolution) { r.Run = "" }, "no plan": func(r *Resolution) { r.PlanDigest = "" }, "no address": func(r *Resolution) { r.Address = "" },
		"no question": func(r *Resolution) { r.Question = "" }, "no record": func(r *Resolution) { r.Record = "" },
		"perhaps": func(r *Resolution) { r.Answer = "perhaps" }, "a proof": func(r *Resolution) { r.Step = "prove.refused" },
		"a book":   func(r *Resolution) { r.Comment = strings.Repeat("x", maxComment+1) },
		"all done": func(r *Resolution) { r.Step = "" },
	} {
		r := testResolution()
		change(&r)
		if _, err := SignResolution(s, r); err == nil {
			t.Errorf("%s: was signed", name)
		}
	}
	doc, err := SignResolution(s, testResolution())
	must(t, err)
	if _, err := VerifyResolution(doc, testSigner(t, Ed25519).Public()); !errors.Is(err, ErrKey) {
		t.Errorf("another key: %v", err)
	}
	if _, err := ParseApproval(doc); err == nil {
		t.Error("an answer is no approval")
	}
	approval, err := SignApproval(s, testApproval())
	must(t, err)
	if _, err := VerifyResolution(approval, s.Public()); err == nil {
		t.Error("an approval is no answer")
	}
}

func FuzzParseResolution(f *testing.F) {
	s := testSigner(f, Ed25519)
	b, err := SignResolution(s, testResolution())
	must(f, err)
	f.Add(b)
	f.Add([]byte(`{}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := VerifyResolution(b, s.Public()); err == nil && r.Nonce != "n1" {
			t.Fatalf("a forged answer was accepted: %+v", r)
		}
	})
}

// peopleWith are people of whom nothing is known but their keys.
func peopleWith(keys []crypto.PublicKey) []Person {
	var out []Person
	for _, k := range keys {
		out = append(out, Person{Key: k})
	}
	return out
}
