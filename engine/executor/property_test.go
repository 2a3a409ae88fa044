package executor_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// lives is how many random lives are lived for every type in every mode.
const lives = 24

// denyEnd is a house rule that accepts no end.
const denyEnd = "package remint.result\nimport rego.v1\ndeny contains {\"id\": \"never\", \"msg\": \"no end is good enough\"} if {\n some r in input.resets\n r.result.final\n}\n"

// theirs is a secret that somebody else set.
const theirs = "THEIRS"

// Whatever goes wrong, in whatever order and however often: a run comes to an
// end once nothing goes wrong any more, and what it said at every stop was true.
// `go test -run 'TestWhateverGoesWrong/TYPE/MODE/SEED$'` lives one life again.
func TestWhateverGoesWrong(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		for seed := range uint64(lives) {
			t.Run(fmt.Sprint(seed), func(t *testing.T) {
				t.Parallel()
				newLife(t, s, seed).live()
			})
		}
	})
}

// life is one random sequence of faults, processes and strangers.
type life struct {
	*env
	*rand.Rand
	// stranger is whether somebody else changes the target between two processes; undoer,
	// whether all that she does is to put the old secret back.
	stranger, undoer bool
	// back is whether she put the old secret back, of which the state then had a copy;
	// odd, whether she did anything else.
	back, odd bool
	story     []string
}

func newLife(t testing.TB, s setup, seed uint64) *life {
	// The type and the mode are in the seed: the same faults everywhere are fewer faults.
	second := uint64(len(s.typ))<<8 + uint64(len(s.reason))
	r := rand.New(rand.NewPCG(seed, second)) //nolint:gosec // it is to be repeatable
	s.consumers = r.IntN(3)
	fields := s.fields()
	switch r.IntN(5) {
	case 0:
		s.stores = []string{}
	case 1:
		s.stores = fields[:1]
	case 2:
		s.stores = fields[len(fields)-1:]
	}
	s.steps = map[string]string{}
	for _, phase := range []string{"reload", "notify"} {
		if r.IntN(4) == 0 {
			s.steps[phase] = `on_failure = "continue"`
		}
	}
	if r.IntN(6) == 0 {
		s.rego = denyEnd
	}
	l := &life{env: start(t, s), Rand: r}
	who := r.IntN(6)
	l.stranger, l.undoer = who < 3, who > 0
	l.w.controller = r.IntN(5) > 0
	if r.IntN(4) == 0 {
		l.w.settle = 6 * time.Millisecond
	}
	l.w.account("a").sessions = []time.Time{l.w.now()}
	l.tell("stores %v, consumers %d, steps %v, denied %v, stranger %v, undoer %v, settle %v, control %v",
		s.stores, s.consumers, s.steps, s.rego != "", l.stranger, l.undoer, l.w.settle, l.w.controller)
	return l
}

func (l *life) tell(format string, args ...any) {
	l.story = append(l.story, fmt.Sprintf(format, args...))
}

// wrong fails the test, with all that led there.
func (l *life) wrong(format string, args ...any) {
	l.t.Helper()
	l.t.Errorf("%s\n  %s\n  records: %s", fmt.Sprintf(format, args...), strings.Join(l.story, "\n  "), strings.Join(l.records(), ", "))
}

var faultOps = []string{
	"Identity", "Inspect", "Probe", "Probe", "Control", "Set", "Set", "Mint", "Mint", "Revoke", "Revoke", "EndSessions", "Check", "Get",
	"Put", "Put", "Holds", "Empty", "Reload", "Send", "seal issue.it", "seal old", "sign", "file", "append", "append", "append filed", "open",
}

var faultKinds = []string{permanent, transient, transient, ambiguous, ambiguous, "conflict", "not_found", unclassed, crash, crash, crash, unclear}

// plague lays out what goes wrong in the next process.
func (l *life) plague() {
	l.w.faults = nil
	for range 1 + l.IntN(3) {
		f := fault{op: faultOps[l.IntN(len(faultOps))], kind: faultKinds[l.IntN(len(faultKinds))], times: 1 + l.IntN(4), effect: l.IntN(2) == 0}
		if f.op == "append" || f.op == "sign" {
			f.skip = l.IntN(24)
		} else if l.IntN(2) == 0 {
			f.skip = l.IntN(5)
		}
		if slices.Contains([]string{permanent, transient, "conflict", "not_found"}, f.kind) && !strings.HasPrefix(f.op, "append") && f.op != "open" && f.op != "file" {
			f.effect = false // a provider that says so knows that it had none
		}
		l.tell("fault %s %s, after %d, %d times, effect %v", f.op, f.kind, f.skip, f.times, f.effect)
		l.w.fail(f)
	}
}

// interfere is somebody else's doing at the target.
func (l *life) interfere() {
	a := l.w.account("a")
	move := l.IntN(4)
	if l.undoer {
		move = 3
	}
	records := l.records()
	if n := len(records); move > 2 && n > 1 && records[n-1] == "ended" && strings.HasSuffix(records[n-2], " done") {
		return // whoever puts it back after the end is seen by nobody
	}
	kept := slices.Contains(l.sealedNames(), executor.OldSecret)
	l.back, l.odd = l.back || move > 2 && kept, l.odd || move <= 2 || !kept
	switch move {
	default:
		l.tell("somebody put the old one back; it is sealed: %v", kept)
		a.versions, a.enabled, a.exists = []version{{id: "v0", value: l.old}}, true, true
	case 0:
		l.tell("somebody set a secret")
		if l.setup.typ == "mem_password" {
			a.versions = nil
		}
		l.w.add(a, "", theirs)
	case 1:
		l.tell("somebody disabled it")
		a.enabled = false
	case 2:
		l.tell("somebody enabled it")
		a.enabled = true
	}
}

// live lives: a few processes that things happen to, then as many as may be
// needed that nothing happens to.
func (l *life) live() {
	l.plan()
	var out outcome
	for i := range 1 + l.IntN(4) {
		if l.stranger && i > 0 && l.IntN(2) == 0 {
			l.interfere()
		}
		l.plague()
		if out = l.next(l.IntN(4) == 0); l.closed() {
			break
		}
		if l.IntN(3) == 0 {
			l.w.clock = l.w.clock.Add(31 * time.Minute)
		}
	}
	l.w.faults = nil
	for range 6 {
		if l.closed() {
			break
		}
		l.w.clock = l.w.clock.Add(31 * time.Minute)
		out = l.next(false)
	}
	l.last(out)
}

// next is one process: apply, if the plan is not spent, or resume.
func (l *life) next(heldGates bool) outcome {
	opened := look(l.env, func(j journal.Journal) bool {
		_, err := j.Run(context.Background(), l.run)
		if err != nil && !errors.Is(err, journal.ErrNotFound) {
			l.t.Fatal(err)
		}
		return err == nil
	})
	var out outcome
	switch {
	case !opened:
		l.tell("apply")
		out = l.apply()
	case heldGates:
		l.tell("resume, held")
		out = l.resume(held)
	default:
		l.tell("resume")
		out = l.resume()
	}
	if out.Result == nil {
		l.tell("= %v, died %v", out.diags.Err(), out.died)
	} else {
		l.tell("= exit %d %s closed %v filed %v died %v %s: %+v", out.Exit(), out.Outcome(), out.Closed, out.Filed, out.died, out.Error, out.Resets)
	}
	l.stop(out)
	return out
}

// stop is what holds whenever a process ends, however it ends.
func (l *life) stop(out outcome) {
	l.t.Helper()
	l.recoverable()
	if out.Result == nil || out.died {
		return
	}
	r := out.Resets[0]
	alive := l.w.works("a", l.old)
	if out.Exit() == diag.ExitOK && (alive || r.Outcome != executor.Finished || !out.Closed || !out.Filed || !l.closed()) {
		l.wrong("exit 0, and the old one works: %v", alive)
	}
	if (out.Outcome() == "finished") != (out.Exit() == diag.ExitOK) {
		l.wrong("%q with exit %d", out.Outcome(), out.Exit())
	}
	if out.Closed != l.closed() && out.Error == "" {
		l.wrong("closed: said %v, is %v", out.Closed, l.closed())
	}
	if r.Open && out.Closed {
		l.wrong("closed with something left to do")
	}
	if r.Outcome == executor.Halted && r.Error == "" {
		l.wrong("halted without a reason")
	}
	if out.Exit() != diag.ExitOK && out.Exit() != diag.ExitUnfinished || !r.Changed {
		l.untouched(fmt.Sprintf("exit %d, changed %v", out.Exit(), r.Changed))
	}
}

// untouched is what "nothing outside was changed" promises.
func (l *life) untouched(said string) {
	l.t.Helper()
	if l.w.count("Set")+l.w.count("Mint")+l.w.count("Revoke") > 0 && l.w.live("a", l.old, theirs) > 0 {
		l.wrong("%s, and a new version lives", said)
	}
	if !l.stranger && !l.w.works("a", l.old) {
		l.wrong("%s, and the old one is dead", said)
	}
	for _, f := range l.setup.stores {
		if got := l.w.stores["a-"+f]; !strings.HasPrefix(got, "OLD") {
			l.wrong("%s, and store %s was changed", said, f)
		}
	}
}

// recoverable is promise 1: somebody has a secret that works. Before install a
// contain has none, and a retire never has. Where somebody put the old one back, its
// holders may have the new one by now: in a cutover the state, or a store, has the old.
func (l *life) recoverable() {
	l.t.Helper()
	if l.odd || l.setup.reason == lifecycle.Offboarding || !l.back && l.works(nil) || l.back && l.setup.reason == lifecycle.Compromised {
		return
	}
	if l.setup.reason == lifecycle.Compromised {
		installed := slices.Contains(l.records(), "install.it done")
		if l.setup.typ == "mem_token" {
			installed = slices.Contains(l.records(), "issue.it done")
		} else if l.w.live("a", l.old) > 0 {
			installed = true // had its effect, recorded or not
		}
		if !installed {
			return
		}
	}
	sealed := l.sealed()
	for _, m := range sealed {
		if l.works(func(f string) string { return m.Field(f).RevealString() }) {
			return
		}
	}
	if l.works(func(f string) string { return l.w.stores["a-"+f] }) {
		return
	}
	l.wrong("no working secret can be recovered: sealed %v, stores %v", l.sealedNames(), l.w.stores)
}

// works reports whether the old one does, or what field gives, with everything
// that its holder needs to use it.
func (l *life) works(field func(string) string) bool {
	if field == nil {
		return l.w.works("a", l.old)
	}
	v := field(probeField(l.setup.typ))
	if l.setup.typ == "mem_token" && v != l.old && field("private_key") != "key of "+v {
		return false
	}
	return l.w.works("a", v)
}

// last is what holds when nothing goes wrong any more.
func (l *life) last(out outcome) {
	l.t.Helper()
	if !l.closed() {
		if out.Result == nil || !l.stranger || out.Resets[0].Error == "" || out.Resets[0].Step == "" {
			l.wrong("the run does not end, and names nothing that it waits for")
		}
		return
	}
	if out.Result == nil || out.died {
		return // its end was reached by a process that did not live to tell, or told that nothing was begun
	}
	r := out.Resets[0]
	alive, others := l.w.works("a", l.old), l.w.live("a", l.old, theirs)
	want := 1
	if l.setup.reason == lifecycle.Offboarding {
		want = 0
	}
	switch r.Outcome {
	case executor.Finished, executor.Denied:
		if alive || others != want && !l.stranger || others > want {
			l.wrong("%s: old works %v, %d new versions live, want %d", r.Outcome, alive, others, want)
		}
		if l.setup.typ == "mem_password" && len(l.w.account("a").sessions) > 0 {
			l.wrong("%s, with a session of the old one", r.Outcome)
		}
		if (r.Outcome == executor.Denied) != (l.setup.rego != "") {
			l.wrong("%s, rule %v", r.Outcome, l.setup.rego != "")
		}
		if l.setup.reason != lifecycle.Offboarding && !l.stranger && r.Sealed && !slices.Contains(l.sealedNames(), "issue.it") {
			l.wrong("sealed: said %v, is %v", r.Sealed, l.sealedNames())
		}
	case executor.Superseded:
		if !l.stranger || others > 1 {
			l.wrong("superseded by nobody; or %d new versions live", others)
		}
		if sealed := slices.Contains(l.sealedNames(), executor.OldSecret); r.SealedOld != sealed {
			l.wrong("the old secret is sealed: said %v, is %v", r.SealedOld, sealed)
		}
	case executor.Failed, executor.Refused, executor.RolledBack, executor.NotStarted:
		if !alive && !l.stranger || others > 0 {
			l.wrong("%s: old works %v, %d new versions live", r.Outcome, alive, others)
		}
		if n := l.sealedNames(); len(n) > 0 {
			l.wrong("%s, and sealed: %v", r.Outcome, n)
		}
	default:
		l.wrong("closed as %s", r.Outcome)
	}
	if r.Outcome != executor.Superseded && slices.Contains(l.sealedNames(), executor.OldSecret) {
		l.wrong("the old secret is sealed in a closed run")
	}
	if out.Filed {
		l.evidenced()
	}
}

// evidenced is promise 9: what the journal has done is in evidence, once.
func (l *life) evidenced() {
	l.t.Helper()
	waiting := look(l.env, func(j journal.Journal) int {
		n := 0
		for _, err := range j.Unfiled(context.Background(), "") {
			if err != nil {
				l.t.Fatal(err)
			}
			n++
		}
		return n
	})
	filed := 0
	for id := range l.w.filed {
		if strings.Contains(id, ".a/") || strings.HasSuffix(strings.Split(id, "#")[0], ".a") {
			filed++
		}
	}
	owed := 0
	for _, rec := range l.records() {
		if !strings.HasSuffix(rec, " "+string(journal.Intend)) {
			owed++
		}
	}
	if waiting > 0 || filed != owed {
		l.wrong("%d bundles wait; %d of %d records are in evidence", waiting, filed, owed)
	}
}
