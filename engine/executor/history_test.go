package executor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// recorded is the history of records, each "KIND STEP DATA"; the step "-" is none.
func recorded(t *testing.T, lines ...string) *history {
	t.Helper()
	h := newHistory()
	for i, line := range lines {
		part := strings.SplitN(line, " ", 3)
		step := strings.TrimPrefix(part[1], "-")
		if err := h.read(journal.Record{Seq: int64(i), Run: "r", Step: step, Kind: journal.Kind(part[0]), Attempt: 1, Data: json.RawMessage(part[2])}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// Whether anything outside may have been changed follows from what was intended, and
// not from what only looked or was taken back by an observation.
func TestWhatWasTouched(t *testing.T) {
	t.Parallel()
	no, yes := `{"answer":"not-done"}`, `{"answer":"done"}`
	for name, tc := range map[string]struct {
		lines          []string
		touched, begun bool
	}{
		"nothing":                         {nil, false, false},
		"what has no effect":              {[]string{"done verify.x {}", "done confirm.x {}"}, false, false},
		"an intention":                    {[]string{"intend install.x {}"}, true, true},
		"a failure without effect":        {[]string{"intend install.x {}", "failed install.x {}"}, false, false},
		"a failure that is not known":     {[]string{"intend install.x {}", "unknown install.x {}"}, true, true},
		"done":                            {[]string{"intend install.x {}", "done install.x {}"}, true, true},
		"done without an intention":       {[]string{"done install.x {}"}, false, false},
		"a proof":                         {[]string{"intend prove.dead {}", "unknown prove.dead {}"}, false, false},
		"a step that only begins so":      {[]string{"intend proved.dead {}"}, true, true},
		"a word that it was done":         {[]string{"intend install.x {}", "unknown install.x {}", "asserted install.x " + yes}, true, true},
		"a word that it was not":          {[]string{"intend install.x {}", "unknown install.x {}", "asserted install.x " + no}, false, true},
		"such a word, and a failure":      {[]string{"intend install.x {}", "asserted install.x " + no, "intend install.x {}", "failed install.x {}"}, false, true},
		"a word about what has no effect": {[]string{"failed confirm.x {}", "asserted confirm.x " + no}, false, false},
	} {
		h := recorded(t, tc.lines...)
		if h.touched() != tc.touched || h.begun() != tc.begun {
			t.Errorf("%s: touched %v, begun %v", name, h.touched(), h.begun())
		}
		if h.touchedBut("install.x") && !strings.Contains(name, "only begins") {
			t.Errorf("%s: something else was touched", name)
		}
	}
}

// The history of a reset is its signed records, and the last word about each step.
func TestWhatTheJournalTells(t *testing.T) {
	t.Parallel()
	probe := `{"subject":"old","verdict":"accepted","at":"2026-01-01T00:00:00Z"}`
	h := recorded(t,
		`note - {"before":["v1"],"probes":[`+probe+`]}`,
		`intend install.x {}`,
		`done install.x {"sequence":1,"evidence":"aa","probes":[`+probe+`]}`,
		`note confirm.x {"before":["v9"]}`,
		`failed prove.x {"sequence":2,"evidence":"bb","probes":[`+probe+`,{"subject":"new","verdict":"refused","at":"2026-01-01T00:00:01Z"}]}`,
		`done - {}`, // of no step
		`ended - {"sequence":3,"evidence":"cc","outcome":"halted","question":{"asks":"?"}}`,
	)
	if diff := cmp.Diff([]evidence.RecordLink{
		{Sequence: 1, Step: "install.x", Outcome: "done", Record: "aa"}, {Sequence: 2, Step: "prove.x", Outcome: "failed", Record: "bb"},
		{Sequence: 3, Outcome: "halted", Record: "cc"},
	}, h.links); diff != "" || h.lastLine != "cc" {
		t.Errorf("last %q, links (-want +got):\n%s", h.lastLine, diff)
	}
	if len(h.probes) != 2 || h.probes[0].Subject != "old" || h.probes[1].Subject != "new" {
		t.Errorf("probes %+v", h.probes)
	}
	if h.baseline == nil || cmp.Diff([]string{"v1"}, h.baseline.Before) != "" {
		t.Errorf("baseline %+v", h.baseline)
	}
	if q := h.open(); q == nil || q.Asks != "?" || !h.steps["install.x"].done() || h.steps["prove.x"].done() || len(h.steps) != 3 {
		t.Errorf("question %+v, steps %+v", q, h.steps)
	}
	for _, next := range []string{"intend prove.x {}", `ended - {"outcome":"finished","question":{"asks":"?"}}`, "note - {}"} {
		h := recorded(t, `ended - {"sequence":3,"outcome":"halted","question":{"asks":"?"}}`, next)
		if q := h.open(); q != nil {
			t.Errorf("%s: what was asked before is still asked: %+v", next, q)
		}
	}
	if h := recorded(t, `failed prove.x {"outcome":"halted"}`); h.halted || h.open() != nil {
		t.Error("a step's record is taken for a reset's")
	}
}

// The last word about a step counts, a person's as little as is hers to say.
func TestTheLastWordAboutAStep(t *testing.T) {
	t.Parallel()
	type word struct{ Done, ToldNot, Uncertain, Effect, Intended, Denied bool }
	for line, want := range map[string]word{
		`intend s {}`:                        {Uncertain: true, Effect: true, Intended: true},
		`unknown s {}`:                       {Uncertain: true, Effect: true},
		`failed s {}`:                        {},
		`failed s {"answer":"done"}`:         {},
		`failed s {"answer":"not-done"}`:     {},
		`done s {}`:                          {Done: true, Effect: true},
		`asserted s {"answer":"done"}`:       {Done: true, Effect: true},
		`asserted s {"answer":"not-done"}`:   {ToldNot: true, Denied: true},
		`asserted s {"answer":"what else?"}`: {},
	} {
		p := recorded(t, line).steps["s"]
		if diff := cmp.Diff(want, word{p.done(), p.toldNot(), p.uncertain(), p.effect(), p.intended, p.denied}); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

// Lock-out policies count what was not accepted, and so does remint: six in half an
// hour, with other than its own login. The message says when the next one may be tried.
func TestWhatRestsALogin(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	refused := func(ago ...time.Duration) (out []evidence.Probe) {
		for _, a := range ago {
			out = append(out, evidence.Probe{Subject: "new", Verdict: string(provider.Refused), At: now.Add(-a)})
		}
		return out
	}
	six := []time.Duration{20 * time.Minute, 5 * time.Minute, 4 * time.Minute, 3 * time.Minute, 2 * time.Minute, time.Minute}
	five := append(refused(six[1:]...), evidence.Probe{Subject: "new", Verdict: string(provider.Accepted), At: now}, evidence.Probe{Subject: subjectControl, Verdict: string(provider.Unclear), At: now})
	for name, tc := range map[string]struct {
		probes []evidence.Probe
		until  string
	}{
		"none": {nil, ""}, "five, and others": {five, ""},
		"six":                        {refused(six...), "12:10:00Z"},
		"six, but one is long ago":   {slices.Concat(five, refused(30*time.Minute+1)), ""},
		"the first just counts":      {slices.Concat(five, refused(30*time.Minute)), "12:00:00Z"},
		"the clock stepped back":     {append(refused(six[1:]...), refused(25*time.Minute)...), "12:05:00Z"},
		"seven, the oldest is first": {append(refused(29*time.Minute), refused(six...)...), "12:01:00Z"},
		"the clock was years ahead":  {refused(slices.Repeat([]time.Duration{-10 * 365 * 24 * time.Hour}, 9)...), ""},
		"the clock was a bit ahead":  {slices.Concat(five, refused(-time.Minute)), "12:25:00Z"},
		"one is just too far ahead":  {slices.Concat(five, refused(-30*time.Minute-1)), ""},
		"one is just not too far":    {slices.Concat(five, refused(-30*time.Minute)), "12:25:00Z"},
	} {
		r := &reset{x: &Executor{Now: func() time.Time { return now }}, past: &history{probes: tc.probes}, target: accepting{}}
		var e entry
		p, err := r.probe(t.Context(), "new", secret.Material{}, &e)
		if tc.until == "" {
			if err != nil || p.Verdict != provider.Accepted || len(e.Probes) != 1 || !e.Probes[0].At.Equal(now) {
				t.Errorf("%s: %+v, %v", name, p, err)
			}
			continue
		}
		if want := "logins were not accepted in the last half hour: `remint resume` after 2026-01-01T" + tc.until; !errors.Is(err, errResting) || !strings.HasSuffix(err.Error(), want) || len(e.Probes) > 0 {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
}

// accepting is a target that accepts whatever it is given.
type accepting struct{ provider.Provider }

// Probe accepts.
func (accepting) Probe(_ context.Context, _ provider.Credential, _ secret.Material) (provider.Probe, error) {
	return provider.Probe{Verdict: provider.Accepted, Basis: lifecycle.Tested}, nil
}

// There is no old one only where the target has nothing and lists nothing.
func TestWhichSecretIsTheFirst(t *testing.T) {
	t.Parallel()
	for _, exists := range []bool{false, true} {
		for _, versions := range [][]string{nil, {"v1"}} {
			p := &plan.Reset{Observed: plan.Observed{Exists: exists, Versions: versions}}
			if got := first(p); got != (!exists && versions == nil) {
				t.Errorf("exists %v, versions %v: %v", exists, versions, got)
			}
		}
	}
}

// What a journal says of a damaged record names it.
func TestADamagedEntryIsNamed(t *testing.T) {
	t.Parallel()
	_, err := decodeEntry(journal.Record{Run: "r", Seq: 7, Data: json.RawMessage("[]")})
	if err == nil || fmt.Sprint(err) != "journal record 7 of run r is damaged" {
		t.Error(err)
	}
}

// Two resets of one credential are told apart from a state that is older than its target.
func TestWhichStateIsOld(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		seen, lease int64
		old         bool
		shared      bool
	}{
		{0, 0, false, false}, {0, 1, false, false}, {1, 1, true, false}, {2, 1, true, false}, {1, 2, false, false},
		{1, 1, false, true}, {2, 1, true, true}, {1, 2, false, true},
	} {
		leases := map[string]journal.Lease{"a": {Key: "db ann", Fence: tc.lease}, "b": {Key: "db bob", Fence: tc.lease}}
		if tc.shared { // another address of the same account
			leases["c"] = leases["a"]
		}
		r := &reset{address: "a", job: &Job{Leases: leases}}
		err := r.behind(provider.Observation{Fence: tc.seen})
		if (err != nil) != tc.old || tc.old && provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// A runner that lost the run, or cannot tell, is told so, and changes nothing more.
func TestWhoseRunItIs(t *testing.T) {
	t.Parallel()
	unknown := errors.New("the state does not answer")
	for _, tc := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{journal.ErrLost, errPoisoned.Error() + ": " + journal.ErrLost.Error() + "; this one changes nothing more"},
		{unknown, errPoisoned.Error() + ": the state does not answer"},
	} {
		r := &reset{x: &Executor{Journal: holder{err: tc.err}}, job: &Job{Run: "r"}}
		err := r.mine(t.Context())
		if (err == nil) != (tc.want == "") || err != nil && (err.Error() != tc.want || !errors.Is(err, errPoisoned) || !errors.Is(err, tc.err)) {
			t.Errorf("%v: %v", tc.err, err)
		}
	}
}

// holder is a journal that knows only whether it holds a run.
type holder struct {
	journal.Journal
	err error
}

// Holds says so.
func (h holder) Holds(context.Context, string) error { return h.err }

// A state whose next token a target has seen is older than the target, unless the
// target keeps none.
func TestWhichTokensAreOld(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		seen, lease int64
		old         bool
	}{{0, 0, false}, {0, 1, false}, {1, 1, true}, {2, 1, true}, {1, 2, false}} {
		p := &planner.Reset{Plan: &plan.Reset{Address: "a"}, Fence: tc.seen}
		r := &run{job: &Job{Resets: []*planner.Reset{p}, Leases: map[string]journal.Lease{"a": {Fence: tc.lease}}}}
		diags := r.older()
		if diags.HasErrors() != tc.old || tc.old && (diags.Exit() != diag.ExitError || diags[0].Address != "a") {
			t.Errorf("%+v: %v", tc, diags.Err())
		}
	}
}

// Evidence and the state have times in UTC, wherever a runner is.
func TestTimesAreInUTC(t *testing.T) {
	t.Parallel()
	there := time.FixedZone("there", 3600)
	at := time.Date(2026, 1, 1, 13, 0, 0, 0, there)
	x := &Executor{Now: func() time.Time { return at }}
	if got := x.now(); !got.Equal(at) || got.Location() != time.UTC {
		t.Error(got)
	}
}

// A new one is taken back only while nothing needs it, the old one is untouched and
// lives, and it can be named.
func TestWhatMayBeTakenBack(t *testing.T) {
	t.Parallel()
	named, stepDone := `done install.it {"version":"v2"}`, "{}"
	for name, tc := range map[string]struct {
		kind  lifecycle.Kind
		mode  lifecycle.Mode
		lines []string
		want  bool
	}{
		"a key, installed":            {lifecycle.Overlapping, lifecycle.Cutover, []string{named}, true},
		"a certificate, made":         {lifecycle.Minted, lifecycle.Cutover, []string{named, "failed distribute.it " + stepDone}, true},
		"a password":                  {lifecycle.InPlace, lifecycle.Cutover, []string{named}, false},
		"in contain":                  {lifecycle.Overlapping, lifecycle.Contain, []string{named}, false},
		"without a name":              {lifecycle.Overlapping, lifecycle.Cutover, []string{"done install.it {}"}, false},
		"a store has it":              {lifecycle.Overlapping, lifecycle.Cutover, []string{named, "done distribute.it " + stepDone}, false},
		"a store may have it":         {lifecycle.Overlapping, lifecycle.Cutover, []string{named, "intend distribute.it " + stepDone}, false},
		"the old one is revoked":      {lifecycle.Overlapping, lifecycle.Cutover, []string{named, "done revoke.it " + stepDone}, false},
		"the old one may be revoked":  {lifecycle.Overlapping, lifecycle.Cutover, []string{named, "unknown revoke.it " + stepDone}, false},
		"something else was done too": {lifecycle.Overlapping, lifecycle.Cutover, []string{named, "done confirm.it " + stepDone}, true},
	} {
		r := &reset{past: recorded(t, tc.lines...), job: &Job{File: &plan.File{Plan: plan.Plan{Mode: tc.mode}}}, Reset: &planner.Reset{
			Plan: &plan.Reset{}, Credential: &config.Credential{Type: &provider.CredentialType{Kind: tc.kind}},
		}}
		for _, phase := range []lifecycle.Phase{lifecycle.Install, lifecycle.Confirm, lifecycle.Distribute, lifecycle.Revoke} {
			st := config.Step{Addr: addrs.Step{Phase: string(phase), Name: "it"}, Phase: phase}
			r.steps = append(r.steps, st)
			r.Plan.Steps = append(r.Plan.Steps, plan.Step{Address: st.Addr.String(), Phase: phase})
		}
		if got := r.mayRollBack(); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
