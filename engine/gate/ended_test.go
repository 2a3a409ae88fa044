package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
)

// A key that ended counts for nothing, also where what it signed is dated before:
// whoever has a stolen key can write any date.
func TestEndedKeysDoNotCount(t *testing.T) {
	now := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	for name, tc := range map[string]struct {
		a    config.Approver
		want string
	}{
		"plain":            {config.Approver{}, ""},
		"still good":       {config.Approver{NotAfter: now.Add(time.Hour)}, ""},
		"the last instant": {config.Approver{NotAfter: now}, ""},
		"over":             {config.Approver{NotAfter: now.Add(-time.Second)}, "was not to be used after 2026-05-31"},
		"to be revoked":    {config.Approver{RevokedAt: now.Add(time.Second)}, ""},
		"revoked now":      {config.Approver{RevokedAt: now}, "was revoked at 2026-06-01"},
		"both":             {config.Approver{RevokedAt: now, NotAfter: now.Add(-time.Hour)}, "was revoked at"},
	} {
		if got := tc.a.Ended(now); !strings.HasPrefix(got, tc.want) || (got == "") != (tc.want == "") {
			t.Errorf("%s: %q, want %q", name, got, tc.want)
		}
	}
}

// What an ended key signed before it ended does not count, and its holder is not
// among those who may.
func TestApprovalsOfEndedKeys(t *testing.T) {
	p, f := newPeople(t), file()
	before := []Document{p.by("ann", f)}
	q := Question{File: f, Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 1}}}, Approvers: p.list, Documents: before, Anyone: true, Now: now}
	if a := Ask(q); !a.Passed() || len(a.Needs) != 1 || !a.Needs[0].Met() {
		t.Fatalf("%+v", a)
	}
	for i := range p.list {
		if p.list[i].Name == "ann" {
			p.list[i].RevokedAt = now
		}
	}
	a := Ask(q)
	if a.Passed() || len(a.Ignored) != 1 || !strings.Contains(a.Ignored[0], "ann's key was revoked") {
		t.Errorf("%+v", a)
	}
	if got := strings.Join(a.Needs[0].May, " "); strings.Contains(got, "ann") || len(a.Needs[0].May) != 2 {
		t.Errorf("may: %s", got)
	}
	q.Requirements.Approvals[0].Count = 3
	if a := Ask(q); !strings.Contains(a.Missing[0], "too few") {
		t.Errorf("%s", a.Missing[0])
	}
}

// What can only hold a plan up goes on counting when the key ends, if it is dated
// before that; nothing that an ended key signed lets anything through.
func TestStricterOutlivesTheKey(t *testing.T) {
	f := file()
	early, late := now.Add(-40*time.Minute), now.Add(-30*time.Minute)
	over := now.Add(-20 * time.Minute)
	after := now.Add(-10 * time.Minute)
	for name, tc := range map[string]struct {
		docs    func(p *people) []Document // ann's key ends; bob is ann with another key, carol approves
		end     func(a *config.Approver)
		counts  []string
		blocked bool
		why     string
	}{
		"a rejection": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, early))}
		}, counts: []string{"carol"}, blocked: true},
		"a rejection, and the key was revoked": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, early))}
		}, end: func(a *config.Approver) { a.RevokedAt = over }, counts: []string{"carol"}, blocked: true},
		"a rejection dated after the end": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, after))}
		}, counts: []string{"carol"}, why: "was not to be used after"},
		"dated in the instant of the revocation": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, over))}
		}, end: func(a *config.Approver) { a.RevokedAt = over }, counts: []string{"carol"}, why: "was revoked at"},
		"a rejection of another plan": {docs: func(p *people) []Document {
			g := file()
			g.ID = "another"
			return []Document{p.by("ann", g, decided(evidence.Reject, early))}
		}, counts: []string{"carol"}, why: "for another plan"},
		"a rejection that another key of hers takes back": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, early)), p.by("bob", f, decided(evidence.Withdraw, after))}
		}, counts: []string{"carol"}, why: "took her rejection back"},
		"an ended key takes no rejection back": {docs: func(p *people) []Document {
			return []Document{p.by("ann", f, decided(evidence.Reject, early)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, counts: []string{"carol"}, blocked: true},
		"nor one by her other key": {docs: func(p *people) []Document {
			return []Document{p.by("bob", f, decided(evidence.Reject, early)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, counts: []string{"carol"}, blocked: true},
		"a withdrawal takes back what her other key approved": {docs: func(p *people) []Document {
			return []Document{p.by("bob", f, decided(evidence.Approve, early)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, counts: []string{"carol"}, why: "withdrew it at"},
		"and not what she approved since": {docs: func(p *people) []Document {
			return []Document{p.by("bob", f, decided(evidence.Approve, after)), p.by("ann", f, decided(evidence.Withdraw, late))}
		}, counts: []string{"bob", "carol"}},
		"a withdrawal dated after the end": {docs: func(p *people) []Document {
			return []Document{p.by("bob", f, decided(evidence.Approve, early)), p.by("ann", f, decided(evidence.Withdraw, after))}
		}, counts: []string{"bob", "carol"}, why: "was not to be used after"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPeople(t)
			for i, a := range p.list {
				switch a.Name {
				case "ann":
					p.list[i].NotAfter = over
					if tc.end != nil {
						p.list[i].NotAfter = time.Time{}
						tc.end(&p.list[i])
					}
				case "bob":
					p.list[i].Identities = p.named("ann").Identities
				}
			}
			docs := append(tc.docs(p), p.by("carol", f))
			a := Ask(Question{File: f, Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 1}}}, Approvers: p.list, Documents: docs, Anyone: true, Now: now})
			var counts []string
			for _, x := range a.Approvals {
				counts = append(counts, x.Approver.Name)
			}
			if diff := cmp.Diff(tc.counts, counts); diff != "" || (len(a.Rejections) > 0) != tc.blocked {
				t.Errorf("%s rejections %q, ignored %q", diff, a.Rejections, a.Ignored)
			}
			if said := strings.Join(a.Ignored, " "); !strings.Contains(said, tc.why) || (said == "") != (tc.why == "") {
				t.Errorf("it says %q, want %q", said, tc.why)
			}
			if tc.blocked && name[:11] == "a rejection" && !strings.Contains(a.Rejections[0], "remint approve -withdraw") {
				t.Errorf("it does not say what to do: %q", a.Rejections[0])
			}
		})
	}
}
