package executor_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// A sealed secret is forgotten when nobody needs it any more, and not before.
func TestWhatStaysSealed(t *testing.T) {
	t.Parallel()
	broken := somebody("Probe", 1, func(w *world) { w.account("a").broken = true })
	for name, tc := range map[string]struct {
		s      setup
		faults []fault
		want   executor.Outcome
		sealed []string
	}{
		"every store has it":          {s: setup{typ: "mem_key"}, want: executor.Finished},
		"no store":                    {s: setup{stores: []string{}}, want: executor.Finished, sealed: []string{"issue.it"}},
		"no store, contain":           {s: setup{stores: []string{}, reason: lifecycle.Compromised}, want: executor.Finished, sealed: []string{"issue.it"}},
		"no store, retire":            {s: setup{stores: []string{}, reason: lifecycle.Offboarding}, want: executor.Finished},
		"only the public half stored": {s: setup{typ: "mem_key", stores: []string{"public_key"}}, want: executor.Finished, sealed: []string{"issue.it"}},
		"only the private half stored": {
			s: setup{typ: "mem_key", stores: []string{"private_key"}}, want: executor.Finished,
		},
		"a certificate without its key": {
			s: setup{typ: "mem_token", stores: []string{"certificate"}}, want: executor.Finished, sealed: []string{"issue.it"},
		},
		"a key without its certificate": {
			s: setup{typ: "mem_token", stores: []string{"private_key"}}, want: executor.Finished, sealed: []string{"issue.it"},
		},
		"contained, the private half distributed nowhere": {
			s:    setup{typ: "mem_key", reason: lifecycle.Compromised, steps: map[string]string{"distribute": `when = each.value.name != "private_key"`}},
			want: executor.Finished, sealed: []string{"issue.it"},
		},
		"never set": {
			s: setup{}, faults: []fault{{op: "Set", kind: permanent}}, want: executor.Failed,
		},
		"taken back": {s: setup{typ: "mem_key"}, faults: []fault{broken}, want: executor.RolledBack},
		"denied at the end, stored": {
			s: setup{rego: denyEnd}, want: executor.Denied,
		},
		"denied at the end, in no store": {
			s: setup{rego: denyEnd, stores: []string{}}, want: executor.Denied, sealed: []string{"issue.it"},
		},
		"halted before the stores have it": {
			s: setup{}, faults: []fault{{op: "Put", kind: permanent}}, want: executor.Halted, sealed: []string{"issue.it", "old"},
		},
		"halted between two stores": {
			s: setup{typ: "mem_key"}, faults: []fault{{op: "Put", skip: 1, kind: permanent}}, want: executor.Halted, sealed: []string{"issue.it", "old"},
		},
		"halted before the proof": {
			s: setup{}, faults: []fault{{op: "EndSessions", kind: permanent}}, want: executor.Halted, sealed: []string{"issue.it", "old"},
		},
		"halted in contain before there is a new one": {
			s: setup{reason: lifecycle.Compromised}, faults: []fault{{op: "EndSessions", kind: permanent}}, want: executor.Halted, sealed: []string{"old"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, tc.s)
			e.plan()
			for _, f := range tc.faults {
				e.w.fail(f)
			}
			r := e.apply().reset(t, 0)
			want := append([]string{}, tc.sealed...)
			if diff := cmp.Diff(want, e.sealedNames()); r.Outcome != tc.want || diff != "" {
				t.Errorf("%+v, want %s; sealed (-want +got):\n%s", r, tc.want, diff)
			}
			if stays := !r.Open && slices.Contains(want, "issue.it"); r.Sealed != stays {
				t.Errorf("sealed: said %v, want %v", r.Sealed, stays)
			}
		})
	}
}

// A step that may be passed over does not let the old one be revoked while
// somebody still needs it.
func TestPassedOverDoesNotRevoke(t *testing.T) {
	t.Parallel()
	for _, typ := range []string{"mem_key", "mem_token"} {
		e := start(t, setup{typ: typ, consumers: 2, steps: map[string]string{"reload": `on_failure = "continue"`}})
		e.w.fail(fault{op: "Reload", kind: permanent})
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Halted || !r.Open || !r.Changed || out.Exit() != diag.ExitUnfinished || !strings.HasPrefix(r.Step, "reload.") {
			t.Errorf("%s: %+v, exit %d", typ, r, out.Exit())
		}
		if e.w.count("Revoke") > 0 || !e.w.works("a", e.old) || e.w.count("Reload") != 2 {
			t.Errorf("%s: revoked %d times, old works %v, %d reloads", typ, e.w.count("Revoke"), e.w.works("a", e.old), e.w.count("Reload"))
		}
		if out := e.resume(); out.Exit() != diag.ExitOK || e.w.count("Reload") != 3 {
			t.Errorf("%s: %+v, %d reloads", typ, out.reset(t, 0), e.w.count("Reload"))
		}
	}
}

// What depends on a reset that did not finish is not begun; it is left for a
// resume if that reset is.
func TestWhatDependsOnAnother(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		typ   string
		fault fault
		// world is changed between plan and apply.
		world func(*world)
		want  executor.Outcome
		open  bool
		exit  diag.Exit
	}{
		"failed":      {fault: fault{op: "Set", kind: permanent}, want: executor.Failed, exit: diag.ExitError},
		"refused":     {world: func(w *world) { w.add(w.account("a"), "", theirs) }, want: executor.Refused, exit: diag.ExitStale},
		"rolled back": {typ: "mem_key", fault: somebody("Probe", 1, func(w *world) { w.account("a").broken = true }), want: executor.RolledBack, exit: diag.ExitUnfinished},
		"halted":      {fault: fault{op: "Put", kind: permanent}, want: executor.Halted, open: true, exit: diag.ExitUnfinished},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{typ: tc.typ, two: true})
			e.plan()
			if tc.world != nil {
				tc.world(e.w)
			}
			if tc.fault.op != "" {
				e.w.fail(tc.fault)
			}
			out := e.apply()
			a, b := out.reset(t, 0), out.reset(t, 1)
			if a.Outcome != tc.want || a.Open != tc.open || out.Exit() != tc.exit {
				t.Errorf("the first: %+v, exit %d", a, out.Exit())
			}
			if b.Outcome != executor.NotStarted || b.Open != tc.open || b.Changed || b.Error == "" || !e.w.works("b", e.old) || e.w.live("b", e.old) > 0 {
				t.Errorf("the second: %+v", b)
			}
			if out.Closed == tc.open || e.closed() == tc.open {
				t.Errorf("closed: said %v, is %v", out.Closed, e.closed())
			}
			if !tc.open {
				return
			}
			out = e.resume()
			if out.Exit() != diag.ExitOK || e.w.works("a", e.old) || e.w.works("b", e.old) || !e.closed() {
				t.Errorf("resumed: exit %d, %+v", out.Exit(), out.Resets)
			}
		})
	}
}

func TestDeniedAtTheEnd(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		s.rego = denyEnd
		e := start(t, s)
		out := e.apply()
		r := out.reset(t, 0)
		if r.Outcome != executor.Denied || !r.Changed || r.Open || out.Exit() != diag.ExitUnfinished || !out.Closed || !e.closed() {
			t.Errorf("%+v, exit %d, closed %v", r, out.Exit(), out.Closed)
		}
		if !strings.Contains(r.Error, "no end is good enough") || e.w.works("a", e.old) {
			t.Errorf("%q; the old one works: %v", r.Error, e.w.works("a", e.old))
		}
		if last := e.w.notices[len(e.w.notices)-1]; last.Kind != "halted" {
			t.Errorf("the owner was last told %q", last.Kind)
		}
	})
}

func TestDeniedBeforeRevoke(t *testing.T) {
	t.Parallel()
	rego := strings.Replace(denyEnd, "r.result.final", "not r.result.final", 1)
	for _, typ := range []string{"mem_key", "mem_token"} {
		e := start(t, setup{typ: typ, rego: rego})
		out := e.apply()
		for range 2 {
			r := out.reset(t, 0)
			if r.Outcome != executor.Halted || !r.Open || r.Step != "revoke.old" || out.Exit() != diag.ExitUnfinished || out.Closed {
				t.Errorf("%s: %+v, exit %d", typ, r, out.Exit())
			}
			if !e.w.works("a", e.old) || e.w.count("Revoke") > 0 {
				t.Errorf("%s: the old one works: %v; revoked %d times", typ, e.w.works("a", e.old), e.w.count("Revoke"))
			}
			out = e.resume()
		}
	}
}

// The exit code of every two ends, by its words in the manual.
func TestExit(t *testing.T) {
	t.Parallel()
	var all []executor.ResetResult
	for _, o := range []executor.Outcome{
		executor.Finished, executor.RolledBack, executor.Denied, executor.Superseded, executor.Halted, executor.Failed, executor.Refused, executor.NotStarted,
	} {
		for _, changed := range []bool{false, true} {
			for _, x := range []diag.Exit{0, diag.ExitError, diag.ExitDenied, diag.ExitMissing, diag.ExitStale} {
				all = append(all, executor.ResetResult{Outcome: o, Changed: changed, Exit: x})
			}
		}
	}
	for _, a := range all {
		for _, b := range all {
			for i := range 4 {
				r := executor.Result{Resets: []executor.ResetResult{a, b}, Closed: i&1 > 0, Filed: i&2 > 0}
				want, word := max(diag.ExitError, a.Exit, b.Exit), "nothing_changed"
				switch {
				case a.Outcome == executor.Finished && b.Outcome == executor.Finished && r.Closed && r.Filed:
					want, word = diag.ExitOK, "finished"
				case a.Changed || b.Changed || a.Outcome == executor.Finished || b.Outcome == executor.Finished:
					want, word = diag.ExitUnfinished, "unfinished"
				}
				if got := r.Exit(); got != want || r.Outcome() != word {
					t.Fatalf("exit %d %s, want %d %s: %+v", got, r.Outcome(), want, word, r)
				}
			}
		}
	}
}

// What is not filed is not finished, whatever it says where.
func TestNotFiledIsNotFinished(t *testing.T) {
	t.Parallel()
	for skip := 1; skip < 4; skip++ {
		e := start(t, setup{})
		e.w.fail(fault{op: "file", skip: skip, kind: permanent, times: 100})
		out := e.apply()
		if out.Filed { // there are no more batches than that
			break
		}
		if out.Exit() != diag.ExitUnfinished || out.Outcome() != "unfinished" || out.Error == "" {
			t.Errorf("%d: exit %d, %s, %q", skip, out.Exit(), out.Outcome(), out.Error)
		}
		said := 0
		for _, x := range e.last.events.Events() {
			if x.Type == event.Evidence {
				t.Errorf("%d: evidence is said to be filed", skip)
			}
			if x.Type == "run_closed" {
				said++
				if x.Outcome != "unfinished" {
					t.Errorf("%d: run_closed says %q", skip, x.Outcome)
				}
			}
		}
		if said != 1 {
			t.Errorf("%d: run_closed was said %d times", skip, said)
		}
	}
}

// A denial that was interrupted is finished as a denial, and spends no plan.
func TestADenialThatWasInterrupted(t *testing.T) {
	t.Parallel()
	for _, f := range []fault{
		{op: "append", kind: crash}, {op: "append", kind: crash, effect: true}, {op: "append", kind: permanent},
		{op: "sign", kind: permanent}, {op: "sign", kind: crash, skip: 2}, {op: "file", kind: crash}, {op: "file", kind: crash, effect: true},
		{op: "append filed", kind: crash},
	} {
		t.Run(fmt.Sprint(f.op, f.kind, f.effect), func(t *testing.T) {
			t.Parallel()
			e := start(t, setup{})
			e.plan()
			e.run = "denied-1"
			e.w.fail(f)
			p := e.process()
			if err := p.x.Deny(p.ctx, p.job(), []string{"house/no: not today"}); err == nil {
				t.Error("nothing went wrong")
			}
			p.close()
			ended := e.closed()
			p = e.process()
			var err error
			if ended {
				err = p.x.FileEvidence(p.ctx)
			} else {
				err = p.x.FinishDenial(p.ctx, p.job(), []string{"house/no: not today"})
			}
			p.close()
			if err != nil || !e.closed() || len(e.w.filed) != 3 {
				t.Errorf("%v; closed %v, filed %v", err, e.closed(), e.w.order)
			}
			said := false
			for _, line := range e.w.filed {
				said = said || strings.Contains(line, "not today")
			}
			outcome := look(e, func(j journal.Journal) string {
				r, err := j.Run(t.Context(), e.run)
				if err != nil {
					t.Fatal(err)
				}
				return r.Outcome
			})
			if !said || outcome != "denied" || e.w.count("Inspect")+e.w.count("Set") > 0 {
				t.Errorf("the reason is filed: %v; the run ended as %q; the target was called %d times", said, outcome, e.w.count("Inspect")+e.w.count("Set"))
			}
			e.run = "run-1"
			if out := e.apply(); out.Exit() != diag.ExitOK {
				t.Errorf("the plan is spent: %+v", out.diags.Err())
			}
		})
	}
}

// Once the journal takes no more, nothing is begun, and nothing is claimed that
// is not in it.
func TestAJournalThatTakesNoMore(t *testing.T) {
	t.Parallel()
	effects := []string{"Set", "Mint", "Revoke", "EndSessions", "Put", "Empty", "Reload", "Send"}
	each(t, func(t *testing.T, s setup) {
		for skip := 0; ; skip++ {
			e := start(t, s)
			e.plan()
			var at int
			e.w.fail(fault{op: "append", skip: skip, kind: permanent, times: 1000})
			out := e.apply()
			seen := 0
			for i, c := range e.w.calls {
				if c == "append" {
					if seen++; seen == skip+1 {
						at = i
					}
				}
			}
			if seen <= skip {
				if out.Exit() != diag.ExitOK || skip < 8 {
					t.Errorf("%d writes, exit %d", skip, out.Exit())
				}
				return
			}
			for _, c := range e.w.calls[at:] {
				if slices.Contains(effects, c) {
					t.Errorf("%d: %s was called after the journal had failed", skip, c)
				}
			}
			if out.Result == nil {
				if skip > 0 || !out.diags.HasErrors() {
					t.Errorf("%d: no result: %v", skip, out.diags.Err())
				}
				continue
			}
			r, records := out.reset(t, 0), e.records()
			intended := slices.ContainsFunc(records, func(x string) bool { return strings.HasSuffix(x, " intend") && !strings.HasPrefix(x, "prove.") })
			if r.Changed != intended {
				t.Errorf("%d: changed %v, with the records %v", skip, r.Changed, records)
			}
			if !slices.Contains(records, "ended") && (r.Outcome != executor.Halted || !r.Open) {
				t.Errorf("%d: its end is not written down: %+v", skip, r)
			}
			if out.Closed || e.closed() || out.Exit() == diag.ExitOK || out.Outcome() == "finished" || out.Error == "" {
				t.Errorf("%d: closed %v, exit %d, %s, %q", skip, out.Closed, out.Exit(), out.Outcome(), out.Error)
			}
			e.w.faults = nil
			if out := e.resume(); out.Exit() != diag.ExitOK {
				t.Errorf("%d: resumed: %+v", skip, out.reset(t, 0))
			}
		}
	})
}

// What a person asserts about a store is no store's word: the sealed copy stays.
func TestAnAssertedStoreKeepsTheSealedCopy(t *testing.T) {
	t.Parallel()
	for _, typ := range types {
		e := start(t, setup{typ: typ})
		field := probeField(typ)
		e.w.fail(fault{op: "Put", kind: permanent})
		e.w.fail(fault{op: "Put", kind: permanent})
		e.apply()
		step := fmt.Sprintf("distribute.it[%q]", "mem."+field)
		err := look(e, func(j journal.Journal) error {
			return j.Append(t.Context(), &journal.Batch{Records: []journal.Record{{
				Run: e.run, Address: "credential." + typ + ".a", Step: step, Kind: journal.Asserted, At: e.w.now(), Data: json.RawMessage(`{"answer":"done"}`),
			}}})
		})
		if err != nil {
			t.Fatal(err)
		}
		e.w.faults = nil
		puts := e.w.count("Put")
		out := e.resume()
		r := out.reset(t, 0)
		if out.Exit() != diag.ExitOK || !r.Sealed || !slices.Equal(e.sealedNames(), []string{"issue.it"}) {
			t.Errorf("%s: %+v, exit %d, sealed %v", typ, r, out.Exit(), e.sealedNames())
		}
		if n := e.w.count("Put") - puts; n != len(e.setup.stores)-1 {
			t.Errorf("%s: %d stores were written to", typ, n)
		}
	}
}

// Twice equals once, even for whoever resumes a run that is closed.
func TestResumingWhatIsClosedChangesNothing(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, s setup) {
		e := start(t, s)
		if out := e.apply(); out.Exit() != diag.ExitOK {
			t.Fatalf("%+v", out.reset(t, 0))
		}
		calls := map[string]int{}
		for _, op := range []string{"Set", "Mint", "Revoke", "EndSessions", "Put", "Empty", "Reload", "Send", "Probe"} {
			calls[op] = e.w.count(op)
		}
		before := len(e.records())
		if out := e.resume(); out.Result != nil || out.diags.HasErrors() || len(e.records()) != before {
			t.Errorf("a closed run was resumed: %+v, %v", out.Result, out.diags.Err())
		}
		for op, n := range calls {
			if got := e.w.count(op); got != n {
				t.Errorf("%s was called %d more times", op, got-n)
			}
		}
	})
}

// Whatever is left to do has a command.
func TestNext(t *testing.T) {
	t.Parallel()
	done := executor.ResetResult{Address: "credential.t.a", Outcome: executor.Finished, Changed: true}
	gone := executor.ResetResult{Address: `credential.t.b["x y"]`, Outcome: executor.Abandoned, Changed: true}
	many := []executor.ResetResult{done}
	for range 21 {
		many = append(many, gone)
	}
	for name, tc := range map[string]struct {
		r    executor.Result
		want []string
	}{
		"done":      {executor.Result{Resets: []executor.ResetResult{done}, Closed: true, Filed: true}, nil},
		"open":      {executor.Result{Resets: []executor.ResetResult{done, gone}, Filed: true}, []string{"remint resume r1"}},
		"not filed": {executor.Result{Resets: []executor.ResetResult{done}, Closed: true}, []string{"remint resume r1"}},
		"closed":    {executor.Result{Resets: []executor.ResetResult{done, gone}, Closed: true, Filed: true}, []string{`remint plan -reason=compromised 'credential.t.b["x y"]'`}},
		"many":      {executor.Result{Resets: many, Closed: true, Filed: true}, []string{"remint runs r1", "remint plan -reason=compromised ADDRESS…"}},
	} {
		tc.r.Run, tc.r.Reason = "r1", lifecycle.Compromised
		if diff := cmp.Diff(tc.want, tc.r.Next()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
