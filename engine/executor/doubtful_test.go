package executor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// A compromised or retired secret is revoked without asking the result policies first:
// they judge the end.
func TestContainIsNotHeldUpByPolicies(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		for _, reason := range []lifecycle.Reason{lifecycle.Compromised, lifecycle.Offboarding} {
			e := start(t, setup{typ: typ, reason: reason, rego: strings.Replace(denyEnd, "r.result.final", "not r.result.final", 1)})
			if out := e.apply(); out.Exit() != diag.ExitOK {
				t.Errorf("%s, %s: %+v", typ, reason, out.reset(t, 0))
			}
		}
	}
}

// The proof of a reset is its weakest.
func TestTheWeakestProofCounts(t *testing.T) {
	t.Parallel()
	for skip, want := range map[int]lifecycle.Proof{99: lifecycle.Tested, 1: lifecycle.Reported, 3: lifecycle.Reported} {
		e := start(t, setup{reason: lifecycle.Compromised})
		e.plan()
		e.w.fail(somebody("Probe", skip, func(w *world) { w.place = "mem://other" }))
		if skip == 1 {
			e.w.fail(somebody("Control", 0, func(w *world) { w.place = "" }))
		}
		if out := e.apply(); out.Exit() != diag.ExitOK || out.reset(t, 0).Proof != want {
			t.Errorf("probe %d: %+v", skip, out.reset(t, 0))
		}
	}
}

// What cannot be sealed is not set, nor tried again: nothing is in doubt.
func TestASecretThatCannotBeSealed(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "seal issue.it", kind: permanent, times: 9})
	r := e.apply().reset(t, 0)
	if r.Outcome != executor.Failed || r.Changed || e.w.count("seal issue.it") != 1 || slices.Contains(e.records(), "issue.it unknown") {
		t.Errorf("%+v, sealed %d times, %v", r, e.w.count("seal issue.it"), e.records())
	}
	e.untouched(t)
}

// An attempt that is found to have had no effect is in doubt no more.
func TestADoubtThatWasTakenAway(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Set", kind: ambiguous})
	e.w.fail(fault{op: "Set", kind: permanent})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Failed || r.Changed || r.Open {
		t.Errorf("%+v, %v", r, e.records())
	}
	for name, tc := range map[string]struct {
		world func(*world)
		f     fault
		want  executor.Outcome
	}{
		"somebody else was there meanwhile": {func(w *world) {
			w.account("a").versions = nil
			w.add(w.account("a"), "", theirs)
		}, fault{}, executor.Refused},
		"the target does not say": {func(*world) {}, fault{op: "Inspect", skip: 2, kind: permanent}, executor.Failed},
	} {
		e := start(t, setup{retry: ptr(once)})
		e.w.fail(fault{op: "Set", kind: crash})
		e.apply()
		tc.world(e.w)
		e.w.fail(tc.f)
		if r := e.resume().reset(t, 0); r.Outcome != tc.want || r.Changed || e.w.count("Set") != 1 {
			t.Errorf("%s: %+v, set %d times", name, r, e.w.count("Set"))
		}
	}
}

// Before something is made again, what was left is revoked: by name, since a call
// without names would revoke everything; and where that fails, nothing is made.
func TestOrphansAreRevokedByName(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_token"})
	e.plan()
	e.w.fail(fault{op: "Mint", kind: ambiguous})
	e.w.fail(fault{op: "Mint", kind: permanent})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Failed || e.w.count("Revoke") > 0 || !e.w.works("a", e.old) {
		t.Errorf("%+v, revoked %d times", r, e.w.count("Revoke"))
	}
	e = start(t, setup{typ: "mem_token"})
	e.plan()
	e.w.fail(fault{op: "Mint", kind: ambiguous, effect: true})
	e.w.fail(fault{op: "Revoke", kind: permanent})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || e.w.count("Mint") != 1 {
		t.Errorf("%+v, minted %d times", r, e.w.count("Mint"))
	}
}

// An interrupted Set is known by its mark, whatever else is listed, and though nobody
// can log in.
func TestAnInterruptedSetIsKnownByItsMark(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key"})
	e.w.fail(fault{op: "Set", kind: crash, effect: true})
	e.apply()
	ours := e.w.account("a").versions[0].id
	e.w.add(e.w.account("a"), "", theirs)
	if out := e.resume(); out.Exit() != diag.ExitOK || !strings.Contains(e.evidence(), `"version":"`+ours+`"`) || !e.w.works("a", theirs) {
		t.Errorf("%+v; theirs works: %v", out.reset(t, 0), e.w.works("a", theirs))
	}
	e = start(t, setup{typ: "mem_key"})
	e.w.fail(fault{op: "Set", kind: crash, effect: true})
	e.apply()
	e.w.account("a").enabled = false
	r := e.resume().reset(t, 0)
	if r.Outcome != executor.RolledBack || e.w.count("Set") != 1 || len(e.w.account("a").versions) != 1 {
		t.Errorf("%+v, set %d times, %v", r, e.w.count("Set"), e.w.account("a").versions)
	}
}

// Whoever says that the new one is not accepted is named as the reason.
func TestWhoSaidThatItIsNotAccepted(t *testing.T) {
	t.Parallel()
	d := doubts()["a key's login, no answer"]
	e, c := d.into(t, false)
	c.answer("alice", event.AnswerNotDone, false)
	d.over(e)
	probes := e.w.count("Probe")
	want := "the new secret is not accepted: refused at mem-1 (alice says so); the new one was taken back, the old one was not touched"
	if r := e.resume(c.real).reset(t, 0); r.Outcome != executor.RolledBack || r.Error != want || e.w.count("Probe") != probes {
		t.Errorf("%+v", r)
	}
}

// In place, what a person says was set has no mark, and is no stranger's.
func TestAWordWithoutAMark(t *testing.T) {
	t.Parallel()
	d := doubts()["a set in contain"]
	e, c := d.into(t, true)
	c.answer("alice", event.AnswerDone, false)
	d.over(e)
	for i := range e.w.account("a").versions {
		e.w.account("a").versions[i].label = ""
	}
	if out := e.resume(c.real); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// What a target does not have any more is dead by its records.
func TestWhatIsGoneIsDead(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", reason: lifecycle.Offboarding, stores: []string{}})
	e.w.retires = true
	out := e.apply()
	if r := out.reset(t, 0); out.Exit() != diag.ExitOK || r.Proof != lifecycle.Reported || !strings.Contains(e.evidence(), "the target does not have the credential any more") {
		t.Errorf("%+v", r)
	}
	e = start(t, setup{typ: "mem_key", reason: lifecycle.Offboarding, retry: ptr(once)})
	e.plan()
	e.w.fail(fault{op: "Control", kind: permanent})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || r.Step != "prove.dead" || r.Error != "Control failed (permanent)" {
		t.Errorf("%+v", r)
	}
}

// What is asked, of a login that came to nothing: whether it is accepted, where no
// clear answer was had; whether to go on at all, where the answer was clear, or where
// somebody stopped the run before anybody looked again.
func TestWhichQuestionIsAsked(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		faults []fault
		rests  bool
		asked  bool
		step   string
	}{
		"no clear answer":       {[]fault{{op: "Probe", skip: 1, kind: unclear}}, false, true, "confirm.it"},
		"no more logins":        {[]fault{{op: "Probe", skip: 1, kind: unclear, times: 1000}}, true, true, "confirm.it"},
		"a failure for good":    {[]fault{{op: "Probe", skip: 1, kind: permanent}}, false, true, ""},
		"it is not accepted":    {[]fault{somebody("Probe", 1, func(w *world) { w.account("a").broken = true })}, false, true, ""},
		"an effect in doubt":    {[]fault{{op: "Put", kind: ambiguous}}, false, true, `distribute.it["mem.value"]`},
		"no effect":             {[]fault{{op: "Put", kind: permanent}}, false, true, ""},
		"somebody stopped it":   {[]fault{{op: "Put", kind: transient, before: func(*world) {}}}, false, false, ""},
		"the gates are closed…": {[]fault{{op: "Put", kind: crash, effect: true}}, false, false, ""},
	} {
		e := start(t, setup{retry: ptr(once)})
		if strings.HasPrefix(name, "the gates") {
			e = start(t, setup{typ: "mem_key", retry: ptr(once)})
		}
		e.plan()
		for _, f := range tc.faults {
			if !tc.asked && f.kind == transient {
				f.before = func(*world) { e.last.halt() }
			}
			e.w.fail(f)
		}
		out := e.apply()
		for range 6 {
			if tc.rests {
				out = e.resume()
			}
		}
		if out.died {
			out = e.resume(held)
		}
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || (r.Question != nil) != tc.asked || tc.asked && r.Question.Step != tc.step {
			t.Errorf("%s: %+v, question %+v", name, r, r.Question)
		}
	}
}

// wordy is a target that quotes what it was given, and names a version though it failed.
type wordy struct {
	controlled
	fails bool
}

func (t wordy) Set(ctx context.Context, m provider.Mutation, s secret.Material) (provider.Applied, error) {
	if t.fails {
		return provider.Applied{Version: "v9", At: t.w.now()}, provider.Errorf(provider.Permanent, "no")
	}
	out, err := t.controlled.Set(ctx, m, s)
	out.Detail = "set to " + s.Field("value").RevealString()
	return out, err
}

// What a target says is rid of secrets before it becomes evidence; what it says of a
// change that failed is not taken for one.
func TestWordyTargets(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.wrap = func(c controlled) provider.Provider { return wordy{c, false} }
	if out := e.apply(); out.Exit() != diag.ExitOK || strings.Contains(e.evidence(), e.w.stores["a-value"]) || !strings.Contains(e.evidence(), `"detail":"set to `) {
		t.Errorf("%+v\n%s", out.reset(t, 0), e.evidence())
	}
	e = start(t, setup{})
	e.w.wrap = func(c controlled) provider.Provider { return wordy{c, true} }
	if r := e.apply().reset(t, 0); r.Outcome != executor.Failed || strings.Contains(e.evidence(), `"version_after"`) {
		t.Errorf("%+v\n%s", r, e.evidence())
	}
	// In a resume, the secret comes from the state, and is known all the same.
	e = start(t, setup{typ: "mem_key"})
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	e.w.fail(fault{op: "Put", kind: permanent, effect: true, says: func(w *world) string { return "cannot store " + w.stores["a-private_key"] }})
	r := e.resume().reset(t, 0)
	if canary := e.w.stores["a-private_key"]; !strings.Contains(r.Error, "cannot store ") || strings.Contains(r.Error, canary) || strings.Contains(e.evidence(), canary) {
		t.Errorf("%+v", r)
	}
}

// openings counts how often a sealed secret is opened.
type openings struct {
	sealer
	n *int
}

func (o openings) Unseal(a, b string, c []byte) (secret.Material, error) {
	*o.n++
	return o.sealer.Unseal(a, b, c)
}

// A sealed secret is opened once in a process, however many stores are to have it: its
// key may be far away.
func TestASealedSecretIsOpenedOnce(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", consumers: 1})
	e.w.fail(fault{op: "Put", kind: crash})
	e.apply()
	n := 0
	if out := e.resume(func(p *process, _ *executor.Job) { p.x.Seal = openings{sealer{p}, &n} }); out.Exit() != diag.ExitOK || n != 2 {
		t.Errorf("%+v; opened %d times, want the old one and the new one once each", out.reset(t, 0), n)
	}
}

// What evidence or the journal does not take is not passed over, and not tried again.
func TestARecordThatIsNotTaken(t *testing.T) {
	t.Parallel()
	for skip := 2; skip < 8; skip++ {
		e := start(t, setup{})
		e.plan()
		e.w.fail(fault{op: "sign", skip: skip, kind: permanent, times: 1000})
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || !strings.Contains(r.Error, "evidence cannot be signed") || r.Changed != (e.w.count("Set") > 0) {
			t.Errorf("%d: %+v, set %d times", skip, r, e.w.count("Set"))
		}
		if n := e.w.count("sign"); n != skip+2 { // the step's, and the run's own last word
			t.Errorf("%d: signed %d times", skip, n)
		}
		if e.w.count("Put") > 0 && skip < 7 {
			t.Errorf("%d: it went on", skip)
		}
	}
	e := start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "append", skip: 1, kind: permanent, times: 1000})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || r.Changed || !r.Open || !strings.Contains(r.Error, "the state cannot be written") {
		t.Errorf("an intention: %+v", r)
	}
	e.untouched(t)
	e = start(t, setup{})
	e.plan()
	e.w.fail(fault{op: "Set", kind: transient, before: func(w *world) { w.fail(fault{op: "append", kind: permanent, times: 1000}) }})
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || e.w.count("Set") != 1 {
		t.Errorf("a failure: %+v, set %d times", r, e.w.count("Set"))
	}
}

// Only what may have changed something is in doubt after an error without a class: a
// login that looks is not.
func TestLooksAreNotInDoubt(t *testing.T) {
	t.Parallel()
	for skip, step := range map[int]string{1: "confirm.it", 2: "prove.dead"} {
		e := start(t, setup{retry: ptr(once)})
		e.plan()
		e.w.fail(fault{op: "Probe", skip: skip, kind: unclassed})
		r := e.apply().reset(t, 0)
		if records := e.records(); r.Step != step || !slices.Contains(records, step+" failed") || slices.Contains(records, step+" unknown") {
			t.Errorf("%+v, %v", r, records)
		}
	}
}

// A step that was looked into and waits for its gate is not tried again and again.
func TestAGateIsAskedOnce(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.w.fail(fault{op: "Set", kind: crash})
	e.apply()
	probes := e.w.count("Probe")
	r := e.resume(held).reset(t, 0)
	if n := e.w.count("Probe") - probes; n != 1 || !slices.Contains(e.records(), "install.it failed") || r.Outcome != executor.NotStarted || r.Step != "install.it" {
		t.Errorf("%+v, %d probes, %v", r, n, e.records())
	}
}

// fences keeps the fencing token that each credential's changes carry.
type fences struct {
	controlled
	seen map[string]int64
}

func (t fences) Set(ctx context.Context, m provider.Mutation, s secret.Material) (provider.Applied, error) {
	t.w.mu.Lock()
	t.seen[name(m.Credential)] = m.Fence
	t.w.mu.Unlock()
	return t.controlled.Set(ctx, m, s)
}

// A change carries its own credential's fencing token.
func TestEachCredentialHasItsFence(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	seen := map[string]int64{}
	e.w.wrap = func(c controlled) provider.Provider { return fences{c, seen} }
	e.plan()
	before := e.process()
	for range 2 {
		if _, err := before.journal.Acquire(before.ctx, "run-0", "bob", []journal.Key{{Name: "mem-1 mem_password b"}}); err != nil {
			t.Fatal(err)
		}
		if err := before.journal.Release(before.ctx, "run-0"); err != nil {
			t.Fatal(err)
		}
	}
	before.close()
	if out := e.apply(); out.Exit() != diag.ExitOK || seen["a"] != 1 || seen["b"] != 3 {
		t.Errorf("exit %d, tokens %v", out.Exit(), seen)
	}
}

// The decisions and requirements of the plan are evidence of the run's opening, under
// the name by which the run's own file is known; a reset's has the credential's name.
func TestTheOpeningSaysUnderWhichDecisions(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.file.Plan.Decisions = []plan.Decision{{Source: "house", Rule: "careful", Level: plan.Warn, Message: "be careful"}}
	e.file.Plan.Requirements.Strength = lifecycle.AAL1
	files := map[string]int{}
	e.apply(agreed, func(p *process, _ *executor.Job) { p.x.Archive = shelves{p.x.Archive, files} })
	said := ""
	for id, line := range e.w.filed {
		if strings.Contains(id, "/run/decisions#") {
			said = line
		}
	}
	if !strings.Contains(said, "be careful") || !strings.Contains(said, `"strength":"aal1"`) {
		t.Errorf("decisions: %s", said)
	}
	if files["run-1/run.sigstore.jsonl"] != 4 || files["run-1/mem_password.a.sigstore.jsonl"] != 11 || len(files) != 2 {
		t.Errorf("files: %v", files)
	}
	if strings.Contains(e.evidence(), "no approval was required") || !strings.Contains(e.evidence(), `"approvers":"alice"`) {
		t.Error("who approved is not told")
	}
}

// shelves counts what is filed where.
type shelves struct {
	executor.Archive
	files map[string]int
}

func (s shelves) File(ctx context.Context, list []journal.Bundle) error {
	for _, b := range list {
		s.files[b.File]++
	}
	return s.Archive.File(ctx, list)
}

// A run whose opening nobody can sign says how to file what there is to say, and one
// that could be closed does not.
func TestWhatIsLeftOfAnAbandonedRun(t *testing.T) {
	t.Parallel()
	for times, resume := range map[int]bool{1: false, 20: true} {
		e := start(t, setup{})
		e.plan()
		e.w.fail(fault{op: "sign", kind: permanent, times: times})
		out := e.apply()
		if said := out.diags.Err().Error(); strings.Contains(said, "`remint resume` files") != resume || e.closed() == resume {
			t.Errorf("%d times: closed %v, %s", times, e.closed(), said)
		}
	}
}

// The data key of a run is forgotten with its end, unless something is still sealed
// with it.
func TestADataKeyIsForgotten(t *testing.T) {
	t.Parallel()
	for _, stored := range []bool{true, false} {
		e := start(t, setup{})
		if !stored {
			e = start(t, setup{stores: []string{}})
		}
		e.plan()
		e.w.fail(fault{op: "EndSessions", kind: permanent})
		e.apply()
		err := look(e, func(j journal.Journal) error {
			return j.Append(t.Context(), &journal.Batch{Seal: []journal.Sealed{{Run: e.run, Name: "key", Ciphertext: secret.FromString("key").Reveal()}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		if out := e.resume(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		left := look(e, func(j journal.Journal) []string {
			list, err := j.Secrets(context.Background(), e.run)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, s := range list {
				out = append(out, s.Name)
			}
			slices.Sort(out)
			return out
		})
		if want := []string{"issue.it", "key"}; !stored && !slices.Equal(left, want) || stored && len(left) > 0 {
			t.Errorf("stored %v: left %v", stored, left)
		}
	}
}

// Nothing is said of an old one that there was not, but of a reset that made the first.
func TestAFirstSecretThatIsNotMade(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key"})
	e.w.accounts, e.w.stores = map[string]*account{}, map[string]string{}
	e.plan()
	e.w.fail(fault{op: "Set", kind: permanent})
	e.apply()
	for _, x := range e.last.events.Events() {
		if x.Type == event.ResetFinished && strings.Contains(x.Message, "there was no old one") {
			t.Errorf("%+v", x)
		}
	}
}

// What depends on a reset that failed in an earlier process is not begun in this one.
func TestWhatFailedEarlierHoldsUpWhatDependsOnIt(t *testing.T) {
	t.Parallel()
	e := start(t, setup{two: true})
	e.plan()
	e.w.fail(fault{op: "Set", kind: permanent, before: func(w *world) { w.fail(fault{op: "append filed", kind: crash}) }})
	if out := e.apply(); !out.died {
		t.Fatalf("it lives: %+v", out.Resets)
	}
	out := e.resume()
	a, b := out.reset(t, 0), out.reset(t, 1)
	if a.Outcome != executor.Failed || b.Outcome != executor.NotStarted || b.Open || !strings.Contains(b.Error, "it ended as failed") || e.w.count("Set") != 1 {
		t.Errorf("%+v\n%+v", a, b)
	}
}

// A provider that cannot be opened starts no reset.
func TestAProviderThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.plan()
	e.w.unopenable = "provider"
	e.apply()
	for _, x := range e.last.events.Events() {
		if x.Type == event.ResetStarted {
			t.Errorf("%+v", x)
		}
	}
	// Taking back what did not work goes on when it can be opened again, and not before.
	e = start(t, setup{typ: "mem_key"})
	e.plan()
	e.w.fail(somebody("Probe", 1, func(w *world) {
		w.account("a").broken = true
		w.fail(fault{op: "Revoke", kind: crash})
	}))
	e.apply()
	e.w.unopenable = "provider"
	if r := e.resume().reset(t, 0); r.Outcome != executor.Halted || !r.Open || !r.Changed {
		t.Errorf("%+v", r)
	}
	e.w.unopenable = ""
	if r := e.resume().reset(t, 0); r.Outcome != executor.RolledBack || e.w.live("a", e.old) > 0 {
		t.Errorf("%+v", r)
	}
}
