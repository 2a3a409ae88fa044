package gate

import (
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/config"
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
