package executor_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/policy"
)

// unread is a resume without policies: neither those of today, nor those that the run keeps.
func unread(p *process, j *executor.Job) {
	gone := diag.Errored(diag.ExitDenied, "A policy folder is missing", "Policy house names the folder rules, which is not there.")
	j.Held = &executor.Held{Exit: diag.ExitDenied, Why: "the policies cannot be read"}
	p.x.Policies = policy.Options{}.Unread(p.e.file.Plan.PolicyDigest, gone)
}

// Wherever a run was killed, a resume without policies restores what it can, begins
// nothing, calls nothing finished, and loses nothing; with them the run comes to its end.
func TestWithoutPolicies(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		for skip := range 40 {
			l := &life{env: start(t, s), Rand: rand.New(rand.NewPCG(1, 1))}
			l.tell("killed at write %d", skip)
			l.plan()
			l.w.fail(fault{op: "append", kind: crash, skip: skip, effect: skip%2 == 0})
			if out := l.next(false); !out.died { // there are no more writes
				if skip < 8 {
					t.Errorf("only %d writes", skip)
				}
				return
			}
			l.w.faults = nil
			if !l.closed() {
				l.withoutPolicies()
			}
			out := l.next(false)
			if l.closed() && out.Result != nil && out.Exit() != diag.ExitOK {
				l.wrong("exit %d in the end", out.Exit())
			}
			l.last(out)
		}
	})
}

// withoutPolicies resumes twice without policies.
func (l *life) withoutPolicies() {
	l.t.Helper()
	var before []string
	for range 2 {
		if l.closed() { // all was said before the crash
			return
		}
		recorded := len(l.records())
		revoked := slices.Contains(l.records(), "revoke.old intend") || slices.Contains(l.records(), "revoke.old done")
		out := l.resume(unread)
		if out.Result == nil {
			l.wrong("no result: %v", out.diags.Err())
			return
		}
		l.tell("without policies: %+v", out.Resets)
		l.stop(out)
		r := out.Resets[0]
		ended := slices.Contains(l.records()[:recorded], "ended") && r.Outcome == executor.Finished // before the crash
		if !ended && (r.Outcome != executor.Halted && r.Outcome != executor.NotStarted || !r.Open || out.Closed) {
			l.wrong("it came to an end without policies: %+v", r)
		}
		if !ended && !revoked && !l.w.works("a", l.old) && l.setup.typ != "mem_password" {
			l.wrong("the old one was killed, and nothing allowed that")
		}
		if r.Outcome == executor.NotStarted && out.Exit() != diag.ExitDenied {
			l.wrong("nothing was begun: exit %d", out.Exit())
		}
		if r.Outcome == executor.Halted && r.Error == "" || strings.Contains(fmt.Sprint(r.Question), "<nil>") && strings.Contains(r.Error, "could not be asked") {
			l.wrong("it names nothing that it waits for: %+v", r)
		}
		after := outside(l.w)
		if before != nil && !slices.Equal(before, after) {
			l.wrong("twice is not once: %v, then %v", before, after)
		}
		before = after
	}
}

// outside is what a run may have changed, without secrets that differ from one run to another.
func outside(w *world) []string {
	var out []string
	for _, v := range w.account("a").versions {
		out = append(out, fmt.Sprint(v))
	}
	for _, name := range slices.Sorted(maps.Keys(w.stores)) {
		out = append(out, name+"="+w.stores[name])
	}
	return append(out, fmt.Sprint(w.count("Reload"), w.count("Revoke"), w.count("Set"), w.count("Mint")))
}
