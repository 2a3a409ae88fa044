package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/verify"
)

// A person with two keys is one person: however her blocks are linked, whatever she
// does under one name she has done under all.
func TestOnePersonUnderTwoNames(t *testing.T) {
	p := newPeople(t)
	f := file()
	for name, tc := range map[string]struct {
		link      func(ann, bob, carol *config.Approver)
		requester string
		want      []string // who counts, of ann and bob
	}{
		"two people":           {func(_, _, _ *config.Approver) {}, "dave", []string{"ann", "bob"}},
		"one identity":         {func(ann, bob, _ *config.Approver) { bob.Identities = ann.Identities }, "dave", []string{"ann"}},
		"in other letters":     {func(_, bob, _ *config.Approver) { bob.Identities = append(bob.Identities, "ANN@Example.com") }, "dave", []string{"ann"}},
		"a name":               {func(ann, _, _ *config.Approver) { ann.Identities = []string{"bob"} }, "dave", []string{"ann"}},
		"through a third":      {func(_, _, carol *config.Approver) { carol.Identities = []string{"ann@example.com", "BOB"} }, "dave", []string{"ann"}},
		"the requester's":      {func(ann, _, _ *config.Approver) { ann.Identities = append(ann.Identities, "bob") }, "bob@example.com", nil},
		"the requester's name": {func(_, _, carol *config.Approver) { carol.Identities = []string{"Bob@example.com", "c"} }, "c", []string{"ann"}},
	} {
		t.Run(name, func(t *testing.T) {
			list := map[string]*config.Approver{}
			for _, who := range []string{"ann", "bob", "carol"} {
				a := p.named(who)
				list[who] = &a
			}
			tc.link(list["ann"], list["bob"], list["carol"])
			g := file()
			g.Plan.Requester = tc.requester
			got := Ask(Question{File: g, Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 3}}}, Approvers: []config.Approver{*list["ann"], *list["bob"], *list["carol"]},
				Documents: []Document{p.by("ann", f), p.by("bob", f)}, Verified: verify.Outcome{}, Now: now})
			var counts []string
			for _, a := range got.Approvals {
				counts = append(counts, a.Approver.Name)
			}
			if diff := cmp.Diff(tc.want, counts); diff != "" {
				t.Error(diff, got.Ignored)
			}
			for _, may := range got.Needs[0].May {
				if strings.Contains(strings.Join(counts, " "), may) {
					t.Errorf("%s may once more", may)
				}
			}
		})
	}
}

// Two keys of one person are not two people who could still approve.
func TestWhoMayIsCountedByPerson(t *testing.T) {
	p := newPeople(t)
	ann, bob, carol := p.named("ann"), p.named("bob"), p.named("carol")
	bob.Identities = ann.Identities
	got := Ask(Question{File: file(), Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 2}}}, Approvers: []config.Approver{ann, bob, carol}, Now: now})
	if diff := cmp.Diff([]string{"ann", "carol"}, got.Needs[0].May); diff != "" {
		t.Error(diff)
	}
	if !strings.Contains(got.Missing[0], "too few") { // three are asked
		t.Error(got.Missing)
	}
}
