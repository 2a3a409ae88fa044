package executor_test

import (
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// doubt is a state in which nobody can tell whether a step had its effect.
type doubt struct {
	s setup
	// step is the one that is asked about.
	step string
	// op fails from skip on, its effect happening or not as the test wants it, so
	// that it is not known; before is done then, and after when the fault is over.
	op            string
	skip          int
	kind          string
	before, after func(*world)
	// look is what keeps remint from looking into it, "" for nothing.
	look, lookKind string
	// lasting: it stays so that nobody can look.
	lasting bool
	// done and notDone are how the reset ends when the answer is true.
	done, notDone executor.Outcome
	// count is the op that must not happen again after done, and must after notDone.
	count string
}

func doubts() map[string]doubt {
	contain, retire := lifecycle.Compromised, lifecycle.Offboarding
	listed := func(w *world) { w.account("a").unlisted = false }
	fin := executor.Finished
	return map[string]doubt{
		"a mint, no list":              {s: setup{typ: "mem_token"}, step: "issue.it", op: "Mint", before: unlisted, after: listed, done: executor.Abandoned, notDone: fin, count: "Mint"},
		"a mint in contain, no list":   {s: setup{typ: "mem_token", reason: contain}, step: "issue.it", op: "Mint", before: unlisted, lasting: true, done: executor.Abandoned, notDone: fin, count: "Mint"},
		"a set, no clear login":        {step: "install.it", op: "Set", look: "Probe", lookKind: unclear, done: fin, notDone: fin, count: "Set"},
		"a key set, no clear login":    {s: setup{typ: "mem_key"}, step: "install.it", op: "Set", look: "Probe", lookKind: unclear, done: fin, notDone: fin, count: "Set"},
		"a key set in contain":         {s: setup{typ: "mem_key", reason: contain}, step: "install.it", op: "Set", look: "Probe", lookKind: unclear, done: fin, notDone: fin, count: "Set"},
		"a set in contain":             {s: setup{reason: contain}, step: "install.it", op: "Set", look: "Probe", lookKind: unclear, done: fin, notDone: fin, count: "Set"},
		"a login that gives no answer": {step: "confirm.it", op: "Probe", skip: 1, kind: unclear, done: fin, notDone: fin},
		"a key's login, no answer":     {s: setup{typ: "mem_key"}, step: "confirm.it", op: "Probe", skip: 1, kind: unclear, done: fin, notDone: executor.RolledBack},
		"a token's login, no answer":   {s: setup{typ: "mem_token"}, step: "confirm.it", op: "Probe", skip: 1, kind: unclear, done: fin, notDone: executor.RolledBack},
		"a store's reply":              {step: `distribute.it["mem.value"]`, op: "Put", done: fin, notDone: fin, count: "Put"},
		"a store of two":               {s: setup{typ: "mem_key"}, step: `distribute.it["mem.private_key"]`, op: "Put", done: fin, notDone: fin, count: "Put"},
		"a store to be emptied":        {s: setup{typ: "mem_key", reason: retire, stores: []string{"private_key"}}, step: `distribute.it["mem.private_key"]`, op: "Empty", done: fin, notDone: fin, count: "Empty"},
		"a consumer's reply":           {s: setup{consumers: 1}, step: `reload.it["mem.c0"]`, op: "Reload", done: fin, notDone: fin, count: "Reload"},
		"a key's revocation":           {s: setup{typ: "mem_key"}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a token's revocation":         {s: setup{typ: "mem_token"}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a revocation in contain":      {s: setup{reason: contain}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a retirement":                 {s: setup{typ: "mem_token", reason: retire}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a key's revocation, contain":  {s: setup{typ: "mem_key", reason: contain}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a key's retirement":           {s: setup{typ: "mem_key", reason: retire}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a password's retirement":      {s: setup{reason: retire}, step: "revoke.old", op: "Revoke", done: fin, notDone: fin, count: "Revoke"},
		"a password to be emptied":     {s: setup{reason: retire}, step: `distribute.it["mem.value"]`, op: "Empty", done: fin, notDone: fin, count: "Empty"},
		"a login in contain":           {s: setup{reason: contain}, step: "confirm.it", op: "Probe", skip: 2, kind: unclear, done: fin, notDone: fin},
		"a key's login in contain":     {s: setup{typ: "mem_key", reason: contain}, step: "confirm.it", op: "Probe", skip: 2, kind: unclear, done: fin, notDone: fin},
		"sessions in contain":          {s: setup{reason: contain}, step: "terminate.sessions", op: "EndSessions", done: fin, notDone: fin, count: "EndSessions"},
		"sessions after install":       {s: setup{reason: contain}, step: "terminate.sessions#2", op: "EndSessions", skip: 1, done: fin, notDone: fin, count: "EndSessions"},
		"sessions in retire":           {s: setup{reason: retire}, step: "terminate.sessions", op: "EndSessions", done: fin, notDone: fin, count: "EndSessions"},
		"sessions":                     {step: "terminate.sessions", op: "EndSessions", done: fin, notDone: fin, count: "EndSessions"},
		"a notice":                     {step: "notify.owner", op: "Send", done: fin, notDone: fin, count: "Send"},
		"what did not work, taken back": {s: setup{typ: "mem_key"}, step: "roll_back.new", op: "Revoke", before: nil,
			done: executor.RolledBack, notDone: executor.RolledBack, count: "Revoke"},
	}
}

// into brings a reset into the doubt, by an apply and a resume.
func (d doubt) into(t *testing.T, effect bool) (*env, *court) {
	t.Helper()
	e := start(t, d.s)
	c := newCourt(e)
	e.plan()
	kind := d.kind
	if kind == "" {
		kind = ambiguous
	}
	if d.step == "roll_back.new" {
		e.w.fail(somebody("Probe", 1, func(w *world) { w.account("a").broken = true }))
	}
	look := func(w *world) {
		if d.before != nil {
			d.before(w)
		}
		if d.look != "" {
			w.fail(fault{op: d.look, kind: d.lookKind, times: 1000})
		}
	}
	e.w.fail(fault{op: d.op, skip: d.skip, kind: kind, effect: effect, before: look})
	e.w.fail(fault{op: d.op, skip: d.skip, kind: kind, times: 1000}) // whatever is tried again comes to nothing
	// Looking again does not tell, and asks the same again.
	for _, out := range []outcome{e.apply(c.real), e.resume(c.real)} {
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || !r.Changed || out.Closed || out.Exit() != diag.ExitUnfinished {
			t.Fatalf("%+v, exit %d, %v", r, out.Exit(), e.records())
		}
		if r.Question == nil || r.Question.Step != d.step || r.Question.Done == "" || r.Question.NotDone == "" {
			t.Fatalf("question %+v, of %+v", r.Question, r)
		}
	}
	return e, c
}

// over ends what went wrong.
func (d doubt) over(e *env) {
	e.w.faults = nil
	e.w.clock = e.w.clock.Add(time.Hour) // probes are few in half an hour
	if d.after != nil && !d.lasting {
		d.after(e.w)
	}
}
