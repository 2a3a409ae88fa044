package executor_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// declare changes the workspace.
func (e *env) declare(old, with string) {
	e.t.Helper()
	path := filepath.Join(e.dir, "main.remint.hcl")
	b, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(b), old) {
		e.t.Fatalf("%q is not in the workspace: %v", old, err)
	}
	if err := os.WriteFile(path, []byte(strings.Replace(string(b), old, with, 1)), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// timeless is a target that does not tell when a change took effect, nor anything else
// of it, and whose clock is slow.
type timeless struct{ controlled }

func (t timeless) Set(ctx context.Context, m provider.Mutation, s secret.Material) (provider.Applied, error) {
	out, err := t.controlled.Set(ctx, m, s)
	out.At, out.Detail = time.Time{}, ""
	return out, err
}

func (t timeless) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	obs, err := t.controlled.Inspect(ctx, c)
	obs.Now = obs.Now.Add(-5 * time.Hour)
	return obs, err
}

// skewed is a target whose clock goes wrong by so much.
type skewed struct {
	controlled
	by time.Duration
}

func (t skewed) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	obs, err := t.controlled.Inspect(ctx, c)
	obs.Now = obs.Now.Add(t.by)
	return obs, err
}

func (t skewed) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	out, err := t.controlled.EndSessions(ctx, m, cutoff)
	out.Now = out.Now.Add(t.by)
	return out, err
}

// leaping is a target whose clock shows the very end of the window at once.
type leaping struct{ controlled }

func (t leaping) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	out, err := t.controlled.EndSessions(ctx, m, cutoff)
	out.Now = out.Now.Add(t.w.settle)
	return out, err
}

// single is a target that calls the one version it has by the same name for good.
type single struct{ controlled }

func (t single) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	obs, err := t.controlled.Inspect(ctx, c)
	obs.Versions = nil
	if obs.Exists {
		obs.Versions = []provider.Version{{ID: "only"}}
	}
	return obs, err
}

func (t single) Set(ctx context.Context, m provider.Mutation, s secret.Material) (provider.Applied, error) {
	out, err := t.controlled.Set(ctx, m, s)
	out.Version = "only"
	return out, err
}

// refusing is a target where the provider's own login is not accepted.
type refusing struct{ controlled }

func (t refusing) Control(ctx context.Context, c provider.Credential) (provider.Probe, error) {
	p, err := t.controlled.Control(ctx, c)
	p.Verdict = provider.Refused
	return p, err
}

// cancelled is a target that calls a change which was cancelled under way a failure
// for good.
type cancelled struct {
	controlled
	cause error
}

func (t cancelled) Set(ctx context.Context, m provider.Mutation, s secret.Material) (provider.Applied, error) {
	if t.w.count("Set") > 0 {
		return t.controlled.Set(ctx, m, s)
	}
	_, err := t.controlled.Set(ctx, m, s)
	return provider.Applied{}, errors.Join(err, provider.Errorf(provider.Permanent, "it was cut short"), t.cause)
}

// What a target cannot do is said when it is needed, and nothing is made up for it.
func TestAbilitiesThatAreMissing(t *testing.T) {
	t.Parallel()
	type setter struct {
		provider.Provider
		provider.Setter
	}
	type minter struct {
		provider.Provider
		provider.Minter
	}
	broken := somebody("Probe", 1, func(w *world) { w.account("a").broken = true })
	for name, tc := range map[string]struct {
		s    setup
		wrap func(controlled) provider.Provider
		f    fault
		step string
		says string
	}{
		"taking back": {setup{typ: "mem_key"}, func(c controlled) provider.Provider { return setter{c, c} }, broken, "roll_back.new", "cannot revoke"},
		"revoking":    {setup{typ: "mem_key"}, func(c controlled) provider.Provider { return setter{c, c} }, fault{}, "revoke.old", "cannot revoke"},
		"sessions":    {setup{}, func(c controlled) provider.Provider { return setter{c, c} }, fault{}, "terminate.sessions", "cannot end sessions of"},
		"an orphan": {setup{typ: "mem_token"}, func(c controlled) provider.Provider { return minter{c, c} },
			fault{op: "Mint", kind: ambiguous, effect: true}, "issue.it", "cannot revoke"},
	} {
		e := start(t, tc.s)
		e.w.wrap = tc.wrap
		e.plan()
		e.w.fail(tc.f)
		r := e.apply().reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || r.Step != tc.step || !strings.Contains(r.Error, "the provider "+tc.says+" credentials of this type") {
			t.Errorf("%s: %+v", name, r)
		}
		if n := e.w.count("Revoke") + e.w.count("EndSessions") + e.w.count("Mint"); n > 1 || tc.s.typ == "mem_key" && !e.w.works("a", e.old) {
			t.Errorf("%s: %d calls; the old one works: %v", name, n, e.w.works("a", e.old))
		}
	}
}

// Sessions are ended up to the change by the target's clock, whatever the target tells
// of the change.
func TestWhichSessionsAreEnded(t *testing.T) {
	t.Parallel()
	t.Run("no time is told", func(t *testing.T) {
		t.Parallel()
		e := start(t, setup{})
		e.w.wrap = func(c controlled) provider.Provider { return timeless{c} }
		e.w.account("a").sessions = []time.Time{e.w.now()}
		if out := e.apply(); out.Exit() != diag.ExitOK || len(e.w.account("a").sessions) > 0 || strings.Contains(e.evidence(), `"detail":""`) {
			t.Errorf("%+v, sessions %v", out.reset(t, 0), e.w.account("a").sessions)
		}
	})
	t.Run("the target's clock is behind, and nothing settles", func(t *testing.T) {
		t.Parallel()
		e := start(t, setup{})
		e.w.wrap = func(c controlled) provider.Provider { return skewed{c, -300 * time.Millisecond} }
		if out := e.apply(); out.Exit() != diag.ExitOK || e.w.count("EndSessions") != 1 {
			t.Errorf("%+v, swept %d times", out.reset(t, 0), e.w.count("EndSessions"))
		}
	})
	t.Run("the target's clock leaps over the window", func(t *testing.T) {
		t.Parallel()
		for _, reason := range reasons {
			e := start(t, setup{reason: reason})
			e.w.settle = 400 * time.Millisecond // of which half passes with each sweep
			e.w.wrap = func(c controlled) provider.Provider { return leaping{c} }
			begun, late := e.w.now(), false
			e.w.fail(somebody("EndSessions", 1, func(w *world) { w.account("a").sessions, late = []time.Time{begun}, true }))
			if out := e.apply(); out.Exit() != diag.ExitOK || !late || len(e.w.account("a").sessions) > 0 {
				t.Errorf("%s: %+v, swept %d times, sessions %v", reason, out.reset(t, 0), e.w.count("EndSessions"), e.w.account("a").sessions)
			}
		}
	})
	t.Run("it leaps while nobody is at work", func(t *testing.T) {
		t.Parallel()
		e := start(t, setup{})
		e.w.settle = 400 * time.Millisecond
		e.plan()
		e.w.fail(fault{op: "EndSessions", kind: crash})
		if out := e.apply(); !out.died {
			t.Fatal("it lives")
		}
		e.w.clock = e.w.clock.Add(time.Hour) // everybody's, and nobody waited
		begun, late := e.w.now().Add(-2*time.Hour), false
		e.w.fail(somebody("EndSessions", 1, func(w *world) { w.account("a").sessions, late = []time.Time{begun}, true }))
		if out := e.resume(); out.Exit() != diag.ExitOK || !late || len(e.w.account("a").sessions) > 0 {
			t.Errorf("%+v, swept %d times, sessions %v", out.reset(t, 0), e.w.count("EndSessions"), e.w.account("a").sessions)
		}
	})
	t.Run("after a word, by the target's clock", func(t *testing.T) {
		t.Parallel()
		d := doubts()["a set, no clear login"]
		e, c := d.into(t, true)
		c.answer("alice", event.AnswerDone, false)
		d.over(e)
		e.w.wrap = func(c controlled) provider.Provider { return skewed{c, 5 * time.Hour} }
		e.w.account("a").sessions = []time.Time{e.w.now().Add(4 * time.Hour)}
		if out := e.resume(c.real); out.Exit() != diag.ExitOK || len(e.w.account("a").sessions) > 0 {
			t.Errorf("%+v, sessions %v", out.reset(t, 0), e.w.account("a").sessions)
		}
	})
	t.Run("after a word, no clock", func(t *testing.T) {
		t.Parallel()
		d := doubts()["a set, no clear login"]
		e, c := d.into(t, true)
		c.answer("alice", event.AnswerDone, false)
		d.over(e)
		e.w.fail(fault{op: "Inspect", skip: 1, kind: permanent})
		if r := e.resume(c.real).reset(t, 0); r.Step != "terminate.sessions" || e.w.count("EndSessions") > 0 {
			t.Errorf("%+v, swept %d times", r, e.w.count("EndSessions"))
		}
	})
	t.Run("one from the future, where there is no new one", func(t *testing.T) {
		t.Parallel()
		for _, reason := range []lifecycle.Reason{lifecycle.Compromised, lifecycle.Offboarding} {
			e := start(t, setup{reason: reason, consumers: 1})
			e.w.settle = 400 * time.Millisecond
			ahead, late := e.w.now().Add(2*time.Hour), false // by the clock as it was
			e.w.account("a").sessions = []time.Time{ahead}
			// One whose login took its time, and a new one's, which stays.
			e.w.fail(somebody("EndSessions", 1, func(w *world) { w.account("a").sessions, late = []time.Time{ahead}, true }))
			e.w.fail(somebody("Reload", 0, func(w *world) { w.account("a").sessions = append(w.account("a").sessions, w.tick()) }))
			out := e.apply()
			if want := e.w.count("Reload"); out.Exit() != diag.ExitOK || !late || len(e.w.account("a").sessions) != want || slices.Contains(e.w.account("a").sessions, ahead) {
				t.Errorf("%s: %+v, sessions %v", reason, out.reset(t, 0), e.w.account("a").sessions)
			}
		}
	})
	t.Run("in contain up to install", func(t *testing.T) {
		t.Parallel()
		e := start(t, setup{reason: lifecycle.Compromised})
		e.plan()
		e.w.fail(somebody("Set", 0, func(w *world) { w.account("a").sessions = append(w.account("a").sessions, w.tick()) }))
		if out := e.apply(); out.Exit() != diag.ExitOK || len(e.w.account("a").sessions) > 0 {
			t.Errorf("%+v, sessions %v", out.reset(t, 0), e.w.account("a").sessions)
		}
	})
}

// A target with one name for whatever version it has: the new one is not taken for
// the old, and one that is disabled is not taken for alive.
func TestOneNameForEveryVersion(t *testing.T) {
	t.Parallel()
	for _, reason := range reasons {
		e := start(t, setup{reason: reason})
		e.w.wrap = func(c controlled) provider.Provider { return single{c} }
		if out := e.apply(); out.Exit() != diag.ExitOK {
			t.Errorf("%s: %+v", reason, out.reset(t, 0))
		}
	}
}

// Dead is tested only beside something that lives: the provider's own login that is
// refused as well shows nothing.
func TestAControlThatIsRefused(t *testing.T) {
	t.Parallel()
	e := start(t, setup{typ: "mem_key", reason: lifecycle.Offboarding})
	e.w.wrap = func(c controlled) provider.Provider { return refusing{c} }
	if out := e.apply(); out.Exit() != diag.ExitOK || out.reset(t, 0).Proof != lifecycle.Reported {
		t.Errorf("%+v", out.reset(t, 0))
	}
}

// A change that was cut short may have happened, whatever the provider calls it.
func TestACancelledChangeIsInDoubt(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{context.Canceled, context.DeadlineExceeded} {
		e := start(t, setup{retry: ptr(once)})
		e.w.wrap = func(c controlled) provider.Provider { return cancelled{c, cause} }
		r := e.apply().reset(t, 0)
		if !slices.Contains(e.records(), "install.it unknown") || r.Outcome != executor.Halted || !r.Changed {
			t.Errorf("%v: %+v, %v", cause, r, e.records())
		}
		if out := e.resume(); out.Exit() != diag.ExitOK || e.w.count("Set") != 1 {
			t.Errorf("%v: %+v, set %d times", cause, out.reset(t, 0), e.w.count("Set"))
		}
	}
}

// What the target's records say where the old secret itself is not known.
func TestRecordsAlone(t *testing.T) {
	t.Parallel()
	back := func(w *world) {
		a := w.account("a")
		a.versions, a.enabled = append(a.versions, version{id: "v1", value: "somewhat"}), false
	}
	for name, tc := range map[string]struct {
		s      setup
		faults []fault
		want   executor.Outcome
		proof  lifecycle.Proof
		step   string
		says   string
	}{
		"the old one is listed, and disabled": {
			setup{typ: "mem_key", reason: lifecycle.Offboarding, stores: []string{}}, []fault{somebody("Inspect", 1, back)},
			executor.Halted, "", "prove.dead", "nothing shows that the old secret is dead",
		},
		"a foreign one that is disabled": {
			setup{typ: "mem_key", reason: lifecycle.Compromised}, []fault{somebody("Control", 0, nil), somebody("Probe", 1, func(w *world) {
				w.add(w.account("a"), "", theirs)
				w.account("a").enabled = false
			})}, executor.Halted, lifecycle.Tested, "prove.dead#2", "which somebody added after this reset began",
		},
		"no record is kept any more": {
			setup{typ: "mem_key", stores: []string{}}, []fault{somebody("Revoke", 0, unrecorded)},
			executor.Finished, lifecycle.Reported, "", "",
		},
		"the target's word, and no list": {
			setup{typ: "mem_key"}, []fault{somebody("Revoke", 0, func(w *world) { unlisted(w); w.basis = lifecycle.Reported })},
			executor.Finished, lifecycle.Reported, "", "",
		},
		"refused elsewhere, and no list": {
			setup{typ: "mem_key"}, []fault{somebody("Revoke", 0, func(w *world) { unlisted(w); w.place = "mem://other" })},
			executor.Halted, "", "prove.dead", "so that may have another reason",
		},
	} {
		e := start(t, tc.s)
		e.plan()
		for _, f := range tc.faults {
			e.w.fail(f)
		}
		r := e.apply().reset(t, 0)
		if r.Outcome != tc.want || r.Proof != tc.proof || r.Step != tc.step || !strings.Contains(r.Error, tc.says) {
			t.Errorf("%s: %+v", name, r)
		}
		if strings.Contains(e.evidence(), "the target does not have the credential any more") {
			t.Errorf("%s: evidence says that it is gone", name)
		}
	}
}

// In place, a word for the change, no list before it and no old secret: that a list
// shows up in the end shows nothing of what was before.
func TestAListThatShowsUpLater(t *testing.T) {
	t.Parallel()
	d := doubts()["a set, no clear login"]
	d.s.stores = []string{}
	d.after = func(w *world) { w.account("a").unlisted = false }
	e := start(t, d.s)
	unlisted(e.w)
	c := newCourt(e)
	e.plan()
	e.w.fail(fault{op: "Set", kind: ambiguous, effect: true, before: func(w *world) { w.fail(fault{op: "Probe", kind: unclear, times: 1000}) }})
	e.apply(c.real)
	c.answer("alice", event.AnswerDone, false)
	d.over(e)
	if r := e.resume(c.real).reset(t, 0); r.Outcome != executor.Halted || r.Step != "prove.dead" || r.Proof != "" {
		t.Errorf("%+v", r)
	}
}

// Where the first store has something else, the place of the proof is where the old
// secret was accepted.
func TestThePlaceOfTheOldSecret(t *testing.T) {
	t.Parallel()
	e := start(t, setup{})
	e.declare(`owner = "o@example.com"`, "owner = \"o@example.com\"\n store \"mem\" \"aside\" {\n key = \"a-aside\"\n field = \"value\"\n }")
	e.w.stores["a-aside"] = "another"
	e.plan()
	e.w.fail(somebody("Probe", 0, func(w *world) { w.place = "mem://aside" }))
	e.w.fail(somebody("Probe", 0, func(w *world) { w.place = "" }))
	out := e.apply()
	if r := out.reset(t, 0); out.Exit() != diag.ExitOK || r.Proof != lifecycle.Tested || e.w.count("Probe") != 5 {
		t.Errorf("%+v, %d probes", r, e.w.count("Probe"))
	}
}
