package evidence

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/plan"
)

// What policies allowed or denied stands on a decision that is there.
func TestVerifyDecisions(t *testing.T) {
	const file, own = "r1/htpasswd_user.a.sigstore.jsonl", "r1/" + RunFile
	end := func(f *forgery) *Reset { return f.record["htpasswd_user.a.sigstore.jsonl"][2].(*Reset) }
	revoke := func(f *forgery) *Step {
		s := testStep("r1", forgedAddress, "revoke.old", 1)
		s.Facts = map[string]string{"versions": "[v1]"}
		f.record["htpasswd_user.a.sigstore.jsonl"][0] = &s
		f.record[RunFile][0].(*Run).Mode = "cutover"
		return &s
	}
	decisions := func(f *forgery, judged []plan.Judgement, events ...string) {
		opened := f.record[RunFile][0]
		closed := f.record[RunFile][1].(*Run)
		f.record[RunFile] = []Record{opened, &Run{Common: testCommon("r1", 2), Event: "decisions", Judged: judged}}
		for _, e := range events {
			f.record[RunFile] = append(f.record[RunFile], &Run{Common: testCommon("r1", len(f.record[RunFile])+1), Event: e})
		}
		closed.Sequence = len(f.record[RunFile]) + 1
		closed.Total = closed.Sequence
		f.record[RunFile] = append(f.record[RunFile], closed)
	}
	type finding struct {
		Code Code
		File string
		Line int
	}
	for name, row := range map[string]struct {
		forge func(*forgery)
		want  []finding
	}{
		"none for a finished reset":       {func(f *forgery) { end(f).Judged = nil }, []finding{{CodeDecision, file, 3}}},
		"a finished one was denied":       {func(f *forgery) { end(f).Judged = testJudged(plan.Denied) }, []finding{{CodeDecision, file, 3}}},
		"a finished one was not answered": {func(f *forgery) { end(f).Judged = testJudged(plan.Unanswered) }, []finding{{CodeDecision, file, 3}}},
		"denied and asked again":          {func(f *forgery) { end(f).Judged = append(testJudged(plan.Denied), testJudged(plan.Allowed)...) }, nil},
		"by other policies":               {func(f *forgery) { end(f).Judged[0].PolicyDigest = "sha256:other" }, []finding{{CodeDecision, file, 3}}},
		"without an id":                   {func(f *forgery) { end(f).Judged[0].ID = "" }, []finding{{CodeDecision, file, 3}}},
		"of another stage":                {func(f *forgery) { end(f).Judged = append(end(f).Judged, testGates(plan.Allowed, plan.Allowed)[0]) }, []finding{{CodeDecision, file, 3}}},
		"its result is not what was said": {func(f *forgery) { end(f).Judged[0].Decisions = testJudged(plan.Denied)[0].Decisions }, []finding{{CodeDecision, file, 3}}},
		"a revocation that was allowed":   {func(f *forgery) { revoke(f).Judged = testJudged(plan.Allowed) }, nil},
		"a revocation that nobody judged": {func(f *forgery) { revoke(f) }, []finding{{CodeDecision, file, 1}}},
		"a revocation of what leaked":     {func(f *forgery) { revoke(f); f.record[RunFile][0].(*Run).Mode = "contain" }, nil},
		"a revocation that was denied":    {func(f *forgery) { revoke(f).Judged = testJudged(plan.Denied) }, []finding{{CodeDecision, file, 1}}},
		"begun as allowed":                {func(f *forgery) { decisions(f, testGates(plan.Allowed, plan.Allowed)) }, nil},
		"begun without decisions":         {func(f *forgery) { decisions(f, nil) }, []finding{{CodeDecision, own, 2}, {CodeDecision, own, 2}}},
		"begun without an approval's":     {func(f *forgery) { decisions(f, testGates(plan.Allowed, plan.Allowed)[:1]) }, []finding{{CodeDecision, own, 2}}},
		"begun though denied":             {func(f *forgery) { decisions(f, testGates(plan.Denied, plan.Allowed)) }, []finding{{CodeDecision, own, 2}}},
		// The statement itself is made up here, which is found besides.
		"begun though denied, and lifted":   {func(f *forgery) { decisions(f, testGates(plan.Denied, plan.Allowed), "override") }, []finding{{CodeAssertion, own, 3}}},
		"begun though unanswered, overrode": {func(f *forgery) { decisions(f, testGates(plan.Allowed, plan.Unanswered), "override") }, []finding{{CodeDecision, own, 2}, {CodeAssertion, own, 3}}},
	} {
		t.Run(name, func(t *testing.T) {
			f := newForgery()
			row.forge(f)
			r := f.file(t).verify(t)
			var got []finding
			for _, x := range r.Findings {
				got = append(got, finding{x.Code, x.File, x.Line})
			}
			if d := cmp.Diff(row.want, got); d != "" {
				t.Errorf("%v\n%s", r.Findings, d)
			}
		})
	}
}
