package gate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
)

func decided(decision string, at time.Time) func(*evidence.Approval) {
	return func(a *evidence.Approval) { a.Decision, a.CreatedAt = decision, at }
}

// Who has said what, in any order of the documents, and how many of them count.
func TestDecisions(t *testing.T) {
	f := file()
	early, late := now.Add(-30*time.Minute), now.Add(-10*time.Minute)
	for name, tc := range map[string]struct {
		docs    func(p *people) []Document
		cap     time.Duration
		same    [2]string // two of the people who are one
		counts  int
		blocked bool
		why     string
	}{
		"approved": {docs: func(p *people) []Document { return []Document{p.by("ann", f)} }, counts: 1},
		"withdrawn": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Approve, early)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, why: "withdrew it at"},
		"withdrawn in the same instant": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Approve, late)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, why: "withdrew it at"},
		"approved again": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Withdraw, early)), p.by("ann", f, decided(evidence.Approve, late))}
		}, counts: 1},
		"another's withdrawal": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Approve, early)), p.by("bob", f, decided(evidence.Withdraw, late))}
		}, counts: 1},
		"withdrawn under the other key": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Approve, early)), p.by("bob", f, decided(evidence.Withdraw, late))}
		}, same: [2]string{"ann", "bob"}, why: "withdrew it at"},
		"rejected": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f), p.by("bob", f, decided(evidence.Reject, early))}
		}, counts: 1, blocked: true},
		"rejected, taken back": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, early)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, why: "took her rejection back"},
		"rejected in the same instant": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, late)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, blocked: true},
		"two keys, one person": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f), p.by("bob", f)}
		}, same: [2]string{"ann", "bob"}, counts: 1, why: "share an identity"},
		"found in two places": {docs: func(p *people) []Document {
			d := p.by("ann", f)
			return []Document{d, {Name: "elsewhere", Content: append(slices.Clone(d.Content), '\n')}}
		}, counts: 1, why: "has approved already"},
		"capped": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Approve, early))}
		}, cap: 20 * time.Minute, why: "approvals count for 20m0s at most"},
		"under the cap": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Approve, early))}
		}, cap: time.Hour, counts: 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeople(t)
			for i, a := range p.list {
				if slices.Contains(tc.same[:], a.Name) {
					p.list[i].Identities = slices.Concat(a.Identities, []string{[]string{"One@example.com", "one@example.COM"}[i%2]})
				}
			}
			docs := tc.docs(p)
			for range 2 {
				a := Ask(Question{File: f, Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 1}}}, Approvers: p.list, Documents: docs, Anyone: true, MaxExpires: tc.cap, Now: now})
				if len(a.Approvals) != tc.counts || (len(a.Rejections) > 0) != tc.blocked || a.Passed() != (tc.counts > 0 && !tc.blocked) {
					t.Errorf("%d count, rejections %q, missing %q, ignored %q", len(a.Approvals), a.Rejections, a.Missing, a.Ignored)
				}
				for i, u := range a.Uses {
					if slices.ContainsFunc(a.Uses[:i], func(x Use) bool { return x.ID == u.ID }) || len(a.Uses) == 0 {
						t.Errorf("uses: %+v", a.Uses)
					}
				}
				if said := strings.Join(a.Ignored, " "); !strings.Contains(said, tc.why) || (said == "") != (tc.why == "") {
					t.Errorf("it says %q, want %q", said, tc.why)
				}
				slices.Reverse(docs)
			}
		})
	}
}

// What bars a person bars every key of hers, and she is offered once.
func TestOnePersonManyKeys(t *testing.T) {
	p, f := newPeople(t), file()
	for i := range p.list {
		switch p.list[i].Name {
		case "ann":
			p.list[i].Identities = []string{"a@example.com", "github:ann"}
		case "bob":
			p.list[i].Identities = []string{"GitHub:ann", "b@example.com"}
		}
	}
	q := Question{File: f, Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 2, Group: "payments"}, {Count: 3}}}, Approvers: p.list, Anyone: true, Now: now}
	if a := Ask(q); len(a.Needs[1].May) != 2 {
		t.Errorf("may: %q", a.Needs[1].May)
	}
	q.Operators = []string{"a@example.com"}
	q.Documents = []Document{p.by("bob", f)}
	a := Ask(q)
	if len(a.Approvals) != 0 || len(a.Ignored) != 1 || !strings.Contains(a.Ignored[0], "bob is the operator") {
		t.Errorf("%+v", a)
	}
	if diff := cmp.Diff([]string{"carol"}, a.Needs[0].May); diff != "" {
		t.Error(diff)
	}
	// With either key, and the groups of both.
	q.Operators, q.Documents = nil, []Document{p.by("ann", f), p.by("bob", f)}
	a = Ask(q)
	if len(a.Approvals) != 1 || a.Needs[0].Got != 1 || a.Needs[1].Got != 1 {
		t.Errorf("%+v", a)
	}
	three := Persons([]config.Approver{{Name: "x", Identities: []string{"1"}}, {Name: "y", Identities: []string{"1", "2"}}, {Name: "z", Identities: []string{"2"}}, {Name: "w"}})
	if person(three[0]) != person(three[2]) || person(three[0]) == person(three[3]) {
		t.Errorf("%+v", three)
	}
}
