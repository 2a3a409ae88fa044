package evidence

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// blame is a finding without its words.
type blame struct {
	Code Code
	File string
	Line int
}

func blames(r *Report) []blame {
	var out []blame
	for _, f := range r.Findings {
		out = append(out, blame{f.Code, f.File, f.Line})
	}
	return out
}

// TestVerifyForgedOnce: one fault is one finding, at its place: what follows from
// it is not blamed on other records too, and what stands beside it is still seen.
func TestVerifyForgedOnce(t *testing.T) {
	step := func(f *forgery, i int) *Step { return f.record[forgedFile][i].(*Step) }
	reset := func(f *forgery) *Reset { return f.record[forgedFile][2].(*Reset) }
	const own, file = "r1/" + RunFile, "r1/" + forgedFile
	for name, tc := range map[string]struct {
		forge func(*forgery)
		want  []blame
	}{
		"the reset's record links to more": {func(f *forgery) {
			f.relink = func(l []RecordLink) []RecordLink {
				return append(l, RecordLink{Sequence: 3, Record: strings.Repeat("0", 64)})
			}
		}, []blame{{CodeChain, file, 3}}},
		"a step of another run": {func(f *forgery) { step(f, 0).Run = "r2" }, []blame{{CodePlace, file, 1}}},
		"the reset of another run": {func(f *forgery) { reset(f).Run, reset(f).Sequence, reset(f).Total = "r2", 7, 7 },
			[]blame{{CodeMissing, file, 3}, {CodePlace, file, 3}}},
		"the reset of another credential": {func(f *forgery) {
			reset(f).Address, reset(f).Total, reset(f).AssertedBy = "credential.htpasswd_user.b", 7, "alice"
			f.reclose = func(l []ResetLink) []ResetLink { l[0].Address = forgedAddress; return l }
		}, []blame{{CodeMissing, file, 3}, {CodePlace, file, 3}}},
		"the reset of no credential": {func(f *forgery) {
			reset(f).Address = "nobody"
			f.reclose = func(l []ResetLink) []ResetLink { l[0].Address = forgedAddress; return l }
		}, []blame{{CodeMissing, file, 3}, {CodePlace, file, 3}}},
		"the run's end in a credential's file": {func(f *forgery) {
			f.record[forgedFile] = []Record{step(f, 0), &Run{Common: testCommon("r1", 2), Event: "closed", Total: 7}, reset(f)}
		}, []blame{{CodePlace, file, 2}}},
		"a reset that ended twice": {func(f *forgery) {
			again := *reset(f)
			again.Sequence, again.Total = 4, 4
			f.record[forgedFile] = append(f.record[forgedFile], &again)
			f.reclose = func(l []ResetLink) []ResetLink { return l[1:] }
		}, []blame{{CodeSequence, file, 4}}},
		"a step after the end": {func(f *forgery) {
			end := reset(f)
			end.Sequence, end.Total, step(f, 1).Sequence = 2, 2, 3
			f.record[forgedFile] = []Record{step(f, 0), end, step(f, 1)}
		}, []blame{{CodeMissing, file, 3}, {CodeSequence, file, 3}}},
		"a halt that is called an end": {func(f *forgery) {
			halt := *reset(f)
			halt.Sequence, halt.Total, halt.Outcome = 2, 2, halted
			step(f, 1).Sequence, reset(f).Sequence, reset(f).Total = 3, 4, 4
			f.record[forgedFile] = []Record{step(f, 0), &halt, step(f, 1), reset(f)}
			f.relink = func(l []RecordLink) []RecordLink {
				if len(l) == 3 {
					l[1].Outcome = "finished"
				}
				return l
			}
			f.reclose = func(l []ResetLink) []ResetLink { return l[1:] }
		}, []blame{{CodeChain, file, 4}}},
		"a reset that nothing is known of": {func(f *forgery) {
			f.reclose = func(l []ResetLink) []ResetLink {
				return append(l, ResetLink{Address: "nobody", Outcome: "finished", Record: strings.Repeat("0", 64)})
			}
		}, []blame{{CodeMissing, "nobody", 0}}},
		"a reset whose file is gone": {func(f *forgery) {
			f.reclose = func(l []ResetLink) []ResetLink {
				return append(l, ResetLink{Address: "credential.htpasswd_user.b", Outcome: "finished", Record: strings.Repeat("0", 64)})
			}
		}, []blame{{CodeMissing, "r1/htpasswd_user.b" + fileSuffix, 0}}},
		"a reset that was not begun": {func(f *forgery) {
			f.reclose = func(l []ResetLink) []ResetLink {
				return append(l, ResetLink{Address: "credential.htpasswd_user.b", Outcome: "not_started"})
			}
		}, nil},
		"the plan's name alone is another": {func(f *forgery) { reset(f).PlanID = "another" }, []blame{{CodeSubject, file, 3}}},
		"a wrong number, and another plan": {func(f *forgery) { step(f, 1).Sequence, step(f, 1).PlanID = 7, "another" },
			[]blame{{CodeSequence, file, 2}, {CodeSubject, file, 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newForgery()
			tc.forge(f)
			r := f.file(t).verify(t)
			if d := cmp.Diff(tc.want, blames(r)); d != "" {
				t.Errorf("%v\n%s", r.Findings, d)
			}
		})
	}
}

// TestVerifyDamagedOnce: the same of files that were damaged after they were filed.
// What is gone or edited is missed by the ledger as well, which is left out here.
func TestVerifyDamagedOnce(t *testing.T) {
	sound := newForgery().file(t)
	const own, file, other = "r1/" + RunFile, "r1/" + forgedFile, "r1/htpasswd_user.b" + fileSuffix
	for name, tc := range map[string]struct {
		damage func(w *world)
		want   []blame
	}{
		"a file of nothing of ours": {func(w *world) { w.put(t, other, []byte("not ours")) }, []blame{{CodeFormat, other, 1}}},
		"the run's file is not ours": {func(w *world) { w.put(t, own, []byte("not ours")) },
			[]blame{{CodeMissing, own, 0}, {CodeOpen, own, 0}, {CodeFormat, own, 1}}},
		"the run's file is empty": {func(w *world) { w.put(t, own) }, []blame{{CodeMissing, own, 0}, {CodeOpen, own, 0}}},
		"the run's first record is edited": {func(w *world) {
			l := w.lines(t, own)
			l[0][bytes.Index(l[0], []byte(linePay))+len(linePay)+100] ^= 1
			w.put(t, own, l...)
		}, []blame{{CodeMissing, own, 0}, {CodeSignature, own, 1}}},
		"a step is edited": {func(w *world) {
			l := w.lines(t, file)
			l[0][bytes.Index(l[0], []byte(linePay))+len(linePay)+100] ^= 1
			w.put(t, file, l...)
		}, []blame{{CodeChain, file, 1}, {CodeSignature, file, 1}}},
		"a step's line is too long": {func(w *world) {
			must(t, os.WriteFile(w.path(file), append(w.lines(t, file)[0], lineHint...), 0o644))
			must(t, os.Truncate(w.path(file), maxLine+64<<10))
		}, []blame{{CodeMissing, file, 1}, {CodeFormat, file, 2}}},
		"many are cut": {func(w *world) {
			for _, name := range []string{"b", "c", "d"} {
				path := w.path("r1/htpasswd_user." + name + fileSuffix)
				must(t, os.WriteFile(path, []byte(lineHint), 0o644))
				must(t, os.Truncate(path, 2*largeLine))
			}
		}, []blame{{CodeFormat, other, 1}, {CodeFormat, "r1/htpasswd_user.c" + fileSuffix, 1}, {CodeFormat, "r1/htpasswd_user.d" + fileSuffix, 1}}},
	} {
		t.Run(name, func(t *testing.T) {
			w := sound.clone(t)
			tc.damage(w)
			r := w.verify(t)
			var got []blame
			for _, b := range blames(r) {
				if b.File != "r1" {
					got = append(got, b)
				}
			}
			if d := cmp.Diff(tc.want, got); d != "" {
				t.Errorf("%v\n%s", r.Findings, d)
			}
		})
	}
}

// A bundle that was edited is missed by its own leaf, and by no other: neither is
// another's leaf taken for it.
func TestVerifyMissesEachLeaf(t *testing.T) {
	sound := newForgery().file(t)
	for _, tc := range []struct {
		file string
		line int
		name string
	}{
		{RunFile, 0, "r1/run/opened#1"}, {RunFile, 1, "r1/run/closed#2"}, {forgedFile, 0, "install.user#1"},
		{forgedFile, 1, "prove.refused#2"}, {forgedFile, 2, "reset#3"},
	} {
		w := sound.clone(t)
		l := w.lines(t, "r1/"+tc.file)
		l[tc.line][bytes.Index(l[tc.line], []byte(linePay))+len(linePay)+100] ^= 1
		w.put(t, "r1/"+tc.file, l...)
		var missed []string
		for _, f := range w.verify(t).Findings {
			if f.File == "r1" {
				missed = append(missed, f.Message)
			}
		}
		if len(missed) != 1 || !strings.Contains(missed[0], tc.name) {
			t.Errorf("%s: %q", tc.name, missed)
		}
	}
	w := sound.clone(t)
	must(t, os.RemoveAll(w.path("r1")))
	if r := w.verify(t); len(r.Findings) != 1 || !strings.Contains(r.Findings[0].Message, "the ledger has 5 records of it") {
		t.Error(r.Findings)
	}
}
