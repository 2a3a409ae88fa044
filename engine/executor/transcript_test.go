package executor_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

var update = flag.Bool("update", false, "write the golden files anew")

// transcript is what people get to read of what was done: the results, the events,
// the evidence and the notices, without what differs from run to run. A time is
// left out where there is one.
type transcript struct {
	strings.Builder
	filed, notices int
}

var (
	digests = regexp.MustCompile(`(sha256:)?[0-9a-f]{64}`)
	times   = regexp.MustCompile(`20\d\d-\d\d-\d\dT[0-9:.]+Z`)
	// What the policies answered has an id and a time taken, which differ each time.
	judgements = regexp.MustCompile(`"judged":\[\{.*?"took_ns":\d+\}\],?`)
	stamps     = regexp.MustCompile(`,?"\w+":"TIME"`)
)

// add takes in what one process did.
func (s *transcript) add(e *env, out outcome) {
	say := func(format string, args ...any) {
		text := strings.ReplaceAll(fmt.Sprintf(format, args...), e.file.ID, "PLAN")
		text = judgements.ReplaceAllString(text, "")
		text = times.ReplaceAllString(digests.ReplaceAllString(text, "DIGEST"), "TIME")
		s.WriteString(stamps.ReplaceAllString(text, "") + "\n")
	}
	if out.Result == nil {
		say("no result, exit %d: %v", out.diags.Exit(), out.diags.Err())
	} else {
		say("exit %d, %s, closed %v, filed %v, error %q", out.Exit(), out.Outcome(), out.Closed, out.Filed, out.Error)
		for _, r := range out.Resets {
			say("  %s exit %d", encoded(r), r.Exit)
		}
	}
	say("events")
	for _, x := range e.last.events.Events() {
		if x.Run != e.run || x.Timestamp.IsZero() || x.Step != "" && x.Address == "" {
			e.t.Errorf("whose is it, and when was it? %+v", x)
		}
		say("  %s%s %s%s", x.Level, spaced(string(x.Type), x.Phase), x.Message, more(x))
	}
	say("evidence")
	for _, id := range e.w.order[s.filed:] {
		say("  %s %s", strings.TrimPrefix(id, e.run+"/"), heard(e, e.w.filed[id]))
	}
	say("notices")
	for _, n := range e.w.notices[s.notices:] {
		say("  %s", encoded(n))
	}
	s.filed, s.notices = len(e.w.order), len(e.w.notices)
}

// more is what an event says beside its message.
func more(x event.Event) string {
	var b strings.Builder
	for _, m := range []struct {
		name  string
		value any
		is    bool
	}{
		{"attempt", x.Attempt, x.Attempt > 1 || x.Attempt == 0 && x.Type == event.StepStarted}, {"done", x.Done, x.Done > 0},
		{"total", x.Total, x.Total > 0}, {"outcome", x.Outcome, x.Outcome != ""}, {"proof", x.Proof, x.Proof != ""},
		{"detail", x.Detail, x.Detail != ""}, {"counts", x.Counts, x.Counts != nil}, {"until", "later", x.Until != nil},
		{"question", encoded(x.Question), x.Question != nil},
	} {
		if m.is {
			fmt.Fprintf(&b, "; %s: %+v", m.name, m.value)
		}
	}
	return b.String()
}

func spaced(words ...string) string {
	var b strings.Builder
	for _, w := range words {
		if w != "" {
			b.WriteString(" " + w)
		}
	}
	return b.String()
}

func encoded(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// common are members that every record has; its name has its step and its number.
var common = []string{
	"run", "plan_id", "plan_digest", "workspace_digest", "policy_digest", "trust_digest", "trust", "program", "runbook", "credential_type",
	"address", "decisions", "requirements", "sequence", "step", "phase",
}

// heard is an evidence record without what is common to all.
func heard(e *env, line string) string {
	e.t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(line), &all); err != nil {
		e.t.Fatal(err)
	}
	for k, v := range all {
		if slices.Contains(common, k) || v == nil || v == "" {
			delete(all, k)
		}
	}
	if links, ok := all["records"].([]any); ok {
		var names []string
		for _, l := range links {
			link := l.(map[string]any)
			names = append(names, fmt.Sprint(link["step"], " ", link["outcome"]))
		}
		all["records"] = strings.Join(names, ", ")
	}
	return encoded(all)
}

// story is one thing that may happen to a run.
type story struct {
	s setup
	// world is changed before planning, faults meet what follows.
	world  func(*world)
	faults []fault
	// change is made to the job.
	change func(*process, *executor.Job)
	// plan is changed after planning.
	plan func(*env)
	// resumes is how often the run is resumed.
	resumes int
	// heal ends what went wrong before the first resume.
	heal func(*world)
}

func stories() map[string]story {
	contain, retire := lifecycle.Compromised, lifecycle.Offboarding
	broken := somebody("Probe", 1, func(w *world) { w.account("a").broken = true })
	verified := func(_ *process, j *executor.Job) {
		j.Verified = verify.Outcome{Identity: "carol", Strength: lifecycle.AAL2, Bound: true, Accepted: []verify.Accepted{
			{Verifier: "oidc.corp", Method: "oidc", Verified: provider.Verified{Bound: true, Identity: "carol", Strength: lifecycle.AAL2}},
			{Verifier: "totp.corp", Method: "totp", Verified: provider.Verified{Identity: "carol", Strength: lifecycle.AAL1}},
			{Verifier: "desk.help", Address: addressA, Method: "statement", Verified: provider.Verified{Identity: "dave", Strength: lifecycle.AAL1}},
			{Verifier: "desk.help", Address: addressA, Method: "statement", Verified: provider.Verified{Identity: "eve", Strength: lifecycle.AAL1}},
			{Verifier: "desk.help", Address: "credential.mem_password.b", Method: "statement", Verified: provider.Verified{Identity: "dave", Strength: lifecycle.AAL3}},
		}}
		j.Facts, j.Operator = map[string]string{"ci": "true"}, "op"
	}
	out := map[string]story{
		"first":          {s: setup{typ: "mem_key"}, world: func(w *world) { w.accounts, w.stores = map[string]*account{}, map[string]string{} }},
		"unstored":       {s: setup{stores: []string{}}},
		"failed":         {s: setup{}, faults: []fault{{op: "Set", kind: permanent}}},
		"tried-again":    {s: setup{consumers: 1}, faults: []fault{{op: "Set", kind: transient, times: 2}, {op: "Put", kind: ambiguous}, {op: "Reload", kind: unclassed}}},
		"rolled-back":    {s: setup{typ: "mem_key"}, faults: []fault{broken}},
		"not-taken-back": {s: setup{typ: "mem_token"}, faults: []fault{broken, {op: "Revoke", kind: permanent}}, resumes: 1},
		"halted":         {s: setup{}, faults: []fault{{op: "Put", kind: permanent}}, resumes: 1},
		"continued":      {s: setup{typ: "mem_key", consumers: 2, steps: map[string]string{"reload": `on_failure = "continue"`}}, faults: []fault{{op: "Reload", kind: permanent}}},
		"alive": {s: setup{typ: "mem_key"}, faults: []fault{somebody("Revoke", 0, func(w *world) {
			w.fail(fault{op: "Probe", before: func(w *world) { w.add(w.account("a"), "", "OLD") }})
		})}},
		"denied":       {s: setup{rego: denyEnd}},
		"set-already":  {s: setup{typ: "mem_key"}, faults: []fault{{op: "Set", kind: crash, effect: true}}, resumes: 1},
		"minted-twice": {s: setup{typ: "mem_token"}, faults: []fault{{op: "Mint", kind: crash, effect: true}}, resumes: 1},
		"superseded": {s: setup{}, faults: []fault{{op: "Put", kind: crash}}, resumes: 1, heal: func(w *world) {
			w.account("a").versions = nil
			w.add(w.account("a"), "", theirs)
		}},
		"drifted":     {s: setup{two: true}, faults: []fault{{op: "Check", kind: crash}}, resumes: 1, heal: func(w *world) { w.account("a").enabled = false }},
		"two":         {s: setup{two: true, typ: "mem_key"}, faults: []fault{{op: "Put", kind: permanent}}, resumes: 1},
		"interrupted": {s: setup{two: true}, change: func(p *process, _ *executor.Job) { p.halt() }, resumes: 1},
		"refused": {s: setup{two: true}, change: func(_ *process, j *executor.Job) {
			j.Resets, j.Refused = j.Resets[1:], map[string]string{addressA: "it drifted"}
		}},
		"verified":    {s: setup{}, change: verified, plan: func(e *env) { e.file.Plan.Resets[0].Subject = "dave" }},
		"no-control":  {s: setup{typ: "mem_key", reason: retire}, world: func(w *world) { w.controller = false }},
		"unknown-old": {s: setup{typ: "mem_key", stores: []string{}}, faults: []fault{somebody("Revoke", 0, unlisted)}},
		"retired":     {s: setup{reason: retire}, world: func(w *world) { w.retires = true }},
		"disabled":    {s: setup{reason: contain}, faults: []fault{somebody("EndSessions", 0, func(w *world) { w.account("a").enabled = true })}},
		"held":        {s: setup{reason: contain}, faults: []fault{{op: "Inspect", kind: crash}}, change: held, resumes: 1},
	}
	for _, typ := range types {
		for _, reason := range reasons {
			out[strings.TrimPrefix(typ, "mem_")+"-"+string(reason.Mode())] = story{s: setup{typ: typ, reason: reason, consumers: 1}, world: func(w *world) {
				w.settle = 40 * time.Millisecond
				w.account("a").sessions = []time.Time{w.tick(), w.tick()}
			}}
		}
	}
	return out
}

// What people get to read, of every way in which a run may go.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for name, st := range stories() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, st.s)
			if st.world != nil {
				st.world(e.w)
			}
			e.plan()
			if st.plan != nil {
				st.plan(e)
			}
			for _, f := range st.faults {
				e.w.fail(f)
			}
			var change []func(*process, *executor.Job)
			if st.change != nil {
				change = append(change, st.change)
			}
			var s transcript
			s.add(e, e.apply(change...))
			if name != "held" {
				change = nil
			}
			for range st.resumes {
				if st.heal != nil {
					st.heal(e.w)
				}
				s.add(e, e.resume(change...))
			}
			path := filepath.Join("testdata", "transcripts", name+".txt")
			if *update {
				if err := os.WriteFile(path, []byte(s.String()), 0o644); err != nil { //nolint:gosec // it is checked in
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), s.String()); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}
