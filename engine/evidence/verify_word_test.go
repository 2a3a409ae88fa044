package evidence

import (
	"bytes"
	"context"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// A person's word in a run's own records is about that plan, under its judges, and says
// what the record makes of it, whoever holds the evidence key.
func TestVerifyWords(t *testing.T) {
	alice := testSigner(t, Ed25519)
	c := testCommon("r1", 2)
	approval := Approval{PlanID: c.PlanID, PlanDigest: c.PlanDigest, PolicyDigest: c.PolicyDigest, TrustDigest: c.TrustDigest, Targets: []string{},
		Decision: Approve, Approver: "alice", CreatedAt: testTime, ExpiresAt: testTime.Add(time.Hour)}
	bound := Binding{PlanID: c.PlanID, PlanDigest: c.PlanDigest, PolicyDigest: c.PolicyDigest, TrustDigest: c.TrustDigest, Targets: []string{},
		CreatedAt: testTime, ExpiresAt: testTime.Add(time.Hour)}
	other := "sha256:" + strings.Repeat("00", 32)
	approves := func(change func(*Approval)) func(*Run) {
		return func(r *Run) {
			a := approval
			change(&a)
			doc, err := SignApproval(alice, a)
			must(t, err)
			r.Event, r.Approval = "approval", bytes.TrimSpace(doc)
		}
	}
	overrides := func(change func(*Binding)) func(*Run) {
		return func(r *Run) {
			o := Override{Binding: bound, Denials: []Denial{{Stage: stagePlan, Source: "house", Rule: "no"}}, Approver: "alice", Reason: "r", Ticket: "t"}
			change(&o.Binding)
			doc, err := SignOverride(alice, o)
			must(t, err)
			r.Event, r.Override = "override", bytes.TrimSpace(doc)
		}
	}
	breaks := func(change func(*Binding)) func(*Run) {
		return func(r *Run) {
			g := BreakGlass{Binding: bound, Member: "alice", Reason: "r"}
			change(&g.Binding)
			doc, err := SignBreakGlass(alice, g)
			must(t, err)
			r.Event, r.BreakGlass, r.ReviewDue = "break_glass", bytes.TrimSpace(doc), testTime
		}
	}
	for name, tc := range map[string]struct {
		word func(*Run)
		says string
	}{
		"an approval":                   {approves(func(*Approval) {}), ""},
		"a rejection":                   {approves(func(a *Approval) { a.Decision = Reject }), "what stands as alice's approval says: reject"},
		"a withdrawal":                  {approves(func(a *Approval) { a.Decision = Withdraw }), "what stands as alice's approval says: withdraw"},
		"an approval of another plan":   {approves(func(a *Approval) { a.PlanID = "p2" }), "about another plan"},
		"approved under other policies": {approves(func(a *Approval) { a.PolicyDigest = other }), "under other policies"},
		"approved under another base":   {approves(func(a *Approval) { a.TrustDigest = other }), "under other policies or another trust base"},
		"an override":                   {overrides(func(*Binding) {}), ""},
		"an override of another plan":   {overrides(func(b *Binding) { b.PlanID = "p2" }), "about another plan"},
		"overridden under other rules":  {overrides(func(b *Binding) { b.PolicyDigest = other }), "under other policies"},
		"overridden under another base": {overrides(func(b *Binding) { b.TrustDigest = other }), "under other policies or another trust base"},
		"the glass":                     {breaks(func(*Binding) {}), ""},
		"the glass, for another plan":   {breaks(func(b *Binding) { b.PlanID = "p2" }), "for another plan"},
		"the glass, under other rules":  {breaks(func(b *Binding) { b.PolicyDigest = other }), "under other policies"},
		"the glass, under another base": {breaks(func(b *Binding) { b.TrustDigest = other }), "under other policies or another trust base"},
	} {
		t.Run(name, func(t *testing.T) {
			w := words(t, tc.word)
			o := w.options()
			o.People, o.Now = []Person{{Names: []string{"alice"}, Key: alice.Public()}}, testTime
			r, err := Verify(context.Background(), o)
			must(t, err)
			if tc.says == "" {
				if !r.Sound() || r.Unchecked > 0 {
					t.Errorf("%d unchecked, %v", r.Unchecked, r.Findings)
				}
				return
			}
			if len(r.Findings) != 1 || r.Findings[0].Code != CodeAssertion || !strings.Contains(r.Findings[0].Message, tc.says) {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

// An override lifts the denials that it names, and no others; broken glass those of
// overridable policies. No run is begun in spite of any other.
func TestVerifyLifted(t *testing.T) {
	alice := testSigner(t, Ed25519)
	c := testCommon("r1", 1)
	bound := Binding{PlanID: c.PlanID, PlanDigest: c.PlanDigest, PolicyDigest: c.PolicyDigest, TrustDigest: c.TrustDigest, Targets: []string{},
		CreatedAt: testTime, ExpiresAt: testTime.Add(time.Hour)}
	deny := func(rule, address string, overridable bool) plan.Decision {
		return plan.Decision{Source: "house", Rule: rule, Level: plan.Deny, Message: "m", Address: address, Controls: []string{}, Overridable: overridable}
	}
	override := func(r *Run) {
		doc, err := SignOverride(alice, Override{Binding: bound, Approver: "alice", Reason: "r", Ticket: "t",
			Denials: []Denial{{Stage: stageApproval, Source: "house", Rule: "late"}, {Stage: stagePlan, Source: "house", Rule: "no", Address: "a"}}})
		must(t, err)
		r.Event, r.Override = "override", bytes.TrimSpace(doc)
	}
	glass := func(r *Run) {
		doc, err := SignBreakGlass(alice, BreakGlass{Binding: bound, Member: "alice", Reason: "r"})
		must(t, err)
		r.Event, r.BreakGlass, r.ReviewDue = "break_glass", bytes.TrimSpace(doc), testTime
	}
	late := testGates(plan.Denied, plan.Denied)
	late[1].Decisions = []plan.Decision{deny("late", "", true)}
	for name, tc := range map[string]struct {
		word      func(*Run)
		decisions []plan.Decision
		judged    []plan.Judgement
		says      string
	}{
		"what it names":             {override, []plan.Decision{deny("no", "a", true)}, testGates(plan.Denied, plan.Allowed), ""},
		"at both stages":            {override, []plan.Decision{deny("no", "a", true)}, late, ""},
		"another rule":              {override, []plan.Decision{deny("never", "a", true)}, testGates(plan.Denied, plan.Allowed), "house/never (a) denied the run, and no override in it names that"},
		"another credential":        {override, []plan.Decision{deny("no", "a", true), deny("no", "b", true)}, testGates(plan.Denied, plan.Allowed), "house/no (b) denied the run"},
		"another stage":             {override, []plan.Decision{deny("late", "", true)}, testGates(plan.Denied, plan.Allowed), "house/late (the whole plan) denied the run"},
		"a mandatory one":           {override, []plan.Decision{deny("no", "a", false)}, testGates(plan.Denied, plan.Allowed), "its policy is mandatory"},
		"broken glass":              {glass, []plan.Decision{deny("never", "a", true)}, late, ""},
		"a mandatory one, by glass": {glass, []plan.Decision{deny("never", "a", false)}, late, "its policy is mandatory"},
		"said to be allowed":        {func(r *Run) { r.Event = "told" }, []plan.Decision{deny("no", "a", true)}, testGates(plan.Allowed, plan.Allowed), "house/no (a) denied the run"},
		"once, and then no more":    {func(r *Run) { r.Event = "told" }, nil, append(slices.Clone(late), testGates(plan.Allowed, plan.Allowed)...), ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := words(t, tc.word, &Run{Event: "decisions", Decisions: tc.decisions, Judged: tc.judged})
			o := w.options()
			o.People, o.Now = []Person{{Names: []string{"alice"}, Key: alice.Public()}}, testTime
			r, err := Verify(context.Background(), o)
			must(t, err)
			if tc.says == "" {
				if !r.Sound() {
					t.Errorf("%v", r.Findings)
				}
				return
			}
			if len(r.Findings) != 1 || r.Findings[0].Code != CodeDecision || !strings.Contains(r.Findings[0].Message, tc.says) {
				t.Errorf("findings %v", r.Findings)
			}
		})
	}
}

// words files a run that was opened and closed, with a person's word between, which is
// no record that the engine would have written.
func words(t *testing.T, word func(*Run), more ...*Run) *world {
	t.Helper()
	const id = "r1" + Glass
	w := &world{dir: filepath.Join(t.TempDir(), "evidence"), signer: testSigner(t, Ed25519)}
	w.key, w.ledger = testLedgerKey(t)
	a, err := OpenArchive(w.dir, w.key)
	must(t, err)
	said := &Run{}
	word(said)
	records := append([]*Run{{Event: "opened"}}, more...)
	records = append(records, said, &Run{Event: "closed", Total: len(more) + 3, Resets: []ResetLink{}})
	var bundles []journal.Bundle
	for i, r := range records {
		r.Common = testCommon("r1", i+1)
		r.Run = id
		line, err := w.signer.Sign(r)
		must(t, err)
		bundles = append(bundles, journal.Bundle{ID: ID(r), Run: id, File: id + "/" + RunFile, Line: line})
	}
	must(t, a.File(context.Background(), bundles))
	return w
}
