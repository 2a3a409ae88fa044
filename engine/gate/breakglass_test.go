package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

var mayBreak = &config.BreakGlass{Group: "security", MaxTargets: 1, MaxExpires: 2 * time.Hour}

// breaking signs a statement about f, changed first.
func (p *people) breaking(name string, f *plan.File, change func(*evidence.BreakGlass)) Document {
	p.t.Helper()
	b := evidence.BreakGlass{Member: name, Reason: "r", Binding: evidence.Binding{PlanID: f.ID, PlanDigest: f.Digest, PolicyDigest: "p", TrustDigest: "t",
		Targets: Targets(f), CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)}}
	if change != nil {
		change(&b)
	}
	doc, err := evidence.SignBreakGlass(p.signers[name], b)
	if err != nil {
		p.t.Fatal(err)
	}
	return Document{Name: name + ".breakglass.json", Content: doc}
}

// The glass is broken by a member who is verified for the plan, within the bounds.
func TestBreak(t *testing.T) {
	p := newPeople(t)
	at := func(address, who string, bound bool) []verify.Accepted {
		return []verify.Accepted{{Address: address, Verified: provider.Verified{Identity: who, Strength: "aal2", Bound: bound}}}
	}
	aal1 := []verify.Accepted{{Verified: provider.Verified{Identity: "ann@example.com", Strength: "aal1", Bound: true}}}
	good := at("", "ann@example.com", true)
	for name, tc := range map[string]struct {
		may      *config.BreakGlass
		by       string
		change   func(*evidence.BreakGlass)
		accepted []verify.Accepted
		resets   int
		missing  string
		ignored  string
	}{
		"as it should be":             {may: mayBreak, by: "ann", accepted: good},
		"no block":                    {by: "ann", accepted: good, missing: "no break_glass block"},
		"nobody signed":               {may: mayBreak, accepted: good, missing: "No member of the group security"},
		"not a member":                {may: mayBreak, by: "carol", accepted: good, missing: "No member", ignored: "not in the group"},
		"expired":                     {may: mayBreak, by: "ann", accepted: good, change: func(b *evidence.BreakGlass) { b.ExpiresAt = now }, missing: "No member", ignored: "expired"},
		"for too long":                {may: mayBreak, by: "ann", accepted: good, change: func(b *evidence.BreakGlass) { b.ExpiresAt = now.Add(2 * time.Hour) }, missing: "No member", ignored: "longer than"},
		"another plan":                {may: mayBreak, by: "ann", accepted: good, change: func(b *evidence.BreakGlass) { b.PlanID = "x" }, missing: "No member", ignored: "another plan"},
		"not verified":                {may: mayBreak, by: "ann", missing: "verified at aal2"},
		"verified at aal1":            {may: mayBreak, by: "ann", accepted: aal1, missing: "verified at aal2"},
		"verified, not for this plan": {may: mayBreak, by: "ann", accepted: at("", "ann@example.com", false), missing: "bound to this plan"},
		"somebody else is verified":   {may: mayBreak, by: "ann", accepted: at("", "bob@example.com", true), missing: "verified at aal2"},
		"verified as a subject":       {may: mayBreak, by: "ann", accepted: at("a", "ann@example.com", true), missing: "verified at aal2"},
		"too many":                    {may: mayBreak, by: "ann", accepted: good, resets: 2, missing: "max_targets"},
	} {
		t.Run(name, func(t *testing.T) {
			f := file()
			for len(f.Plan.Resets) < tc.resets {
				f.Plan.Resets = append(f.Plan.Resets, f.Plan.Resets[0])
			}
			var documents []Document
			if tc.by != "" {
				documents = append(documents, p.breaking(tc.by, f, tc.change))
			}
			got := Question{File: f, Approvers: p.list, Now: now, Verified: verify.Outcome{Accepted: tc.accepted}}.Break(tc.may, documents)
			missing, ignored := strings.Join(got.Missing, " "), strings.Join(got.Ignored, " ")
			if (missing != "") != (tc.missing != "") || !strings.Contains(missing, tc.missing) || (ignored != "") != (tc.ignored != "") || !strings.Contains(ignored, tc.ignored) {
				t.Errorf("missing %q, ignored %q", missing, ignored)
			}
		})
	}
}

// A broken glass leaves one approver, who is not the member, and nothing mandatory.
func TestLowered(t *testing.T) {
	p := newPeople(t)
	f := file()
	three := plan.Requirements{Approvals: []plan.Approvals{{Count: 3}, {Count: 1, Group: "payments"}}, Strength: "aal1"}
	outcome := verify.Outcome{Identity: "ann@example.com", Strength: "aal2", Accepted: []verify.Accepted{{Verified: provider.Verified{Identity: "ann@example.com", Strength: "aal2", Bound: true}}}}
	for name, tc := range map[string]struct {
		documents []Document
		passed    bool
	}{
		"nobody else":         {},
		"herself":             {documents: []Document{p.by("ann", f)}},
		"one other":           {documents: []Document{p.by("bob", f)}, passed: true},
		"another who says no": {documents: []Document{p.by("bob", f), p.by("carol", f, func(a *evidence.Approval) { a.Decision = evidence.Reject })}},
	} {
		q := Question{File: f, Requirements: three, Approvers: p.list, Documents: tc.documents, Verified: outcome, Now: now}
		g := q.Break(mayBreak, []Document{p.breaking("ann", f, nil)})
		if got := Ask(q.Lowered(g)); got.Passed() != tc.passed || len(g.Missing) > 0 {
			t.Errorf("%s: %v %v %v", name, got.Missing, got.Rejections, g.Missing)
		}
		if Ask(q).Passed() {
			t.Errorf("%s: it passes without", name)
		}
		mandatory := denied("remint.plan", "never", "a")
		mandatory.Overridable = false
		if l := g.LiftAll([]Denial{denied("remint.plan", "freeze", "a"), mandatory}, Lifting{}); len(l.Lifted) != 1 || len(l.Left) != 1 || l.Left[0].Rule != "never" {
			t.Errorf("%s: %+v", name, l)
		}
	}
}
