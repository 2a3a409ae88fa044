package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

// verifiedAs is what is known where these were verified as the requester, the first most surely.
func verifiedAs(who ...string) verify.Outcome {
	out := verify.Outcome{Identity: who[0], Strength: lifecycle.AAL2}
	for i, w := range who {
		a := verify.Accepted{Verified: provider.Verified{Identity: w, Strength: lifecycle.AAL2}}
		if i > 0 {
			a.Strength = lifecycle.AAL1
		}
		out.Accepted = append(out.Accepted, a)
	}
	return out
}

// Who was verified is not the requester whom the plan names just because somebody was:
// one approver more is asked then, as if nobody was.
func TestWhoIsVerifiedIsWhoAsks(t *testing.T) {
	p := newPeople(t)
	one := []plan.Approvals{{Count: 1}}
	many := append([]config.Approver{{Name: "zoe", PublicKey: "x", Identities: []string{"zoe@example.com", "github:zz"}}, {Name: "yan", PublicKey: "x"}}, p.list...)
	for name, tc := range map[string]struct {
		claimed string
		who     []string
		asks    string // "" where somebody else was verified
	}{
		"nobody is claimed":                     {"", []string{"zoe@example.com"}, "zoe@example.com"},
		"the same name":                         {"zoe@example.com", []string{"Zoe@Example.com"}, "Zoe@Example.com"},
		"another name":                          {"dora@example.com", []string{"zoe@example.com"}, ""},
		"another bare name":                     {"dora", []string{"zoe@example.com"}, ""},
		"her bare name":                         {"dora", []string{"dora@example.com"}, "dora@example.com"},
		"her bare name, at another authority":   {"Dora", []string{"github:dora"}, "github:dora"},
		"verified under a bare name":            {"github:dora", []string{"dora"}, "dora"},
		"the same name of two authorities":      {"github:dora", []string{"dora@example.com"}, ""},
		"two domains":                           {"dora@example.com", []string{"dora@elsewhere.example"}, ""},
		"an approver's block has both":          {"github:ZZ", []string{"zoe@example.com"}, "zoe@example.com"},
		"two blocks of one person have both":    {"zed", []string{"zoe@example.com"}, "zoe@example.com"},
		"an approver's name, another's mail":    {"zoe", []string{"zoe2@example.com"}, ""},
		"she has another name there":            {"zoe", []string{"github:zoe"}, ""},
		"an approver without names":             {"yan", []string{"yan@example.com"}, "yan@example.com"},
		"two, and the plan names the weaker":    {"dora", []string{"zoe@example.com", "dora@example.com"}, "dora@example.com"},
		"two, and neither":                      {"vera", []string{"zoe@example.com", "dora@example.com"}, ""},
		"a claim that is no name":               {"@example.com", []string{"zoe@example.com"}, ""},
		"a letter that only folds to hers":      {"\u212Aim", []string{"kim@example.com"}, ""},
		"a mail address behind a prefix, a bit": {"dora", []string{"corp:dora@example.com"}, "corp:dora@example.com"},
	} {
		t.Run(name, func(t *testing.T) {
			f := file()
			f.Plan.Requester = tc.claimed
			approvers := many
			if tc.claimed == "zed" {
				approvers = append([]config.Approver{{Name: "zed", PublicKey: "x", Identities: []string{"github:zz"}}}, many...)
			}
			got := Ask(Question{File: f, Requirements: plan.Requirements{Approvals: one, Strength: lifecycle.AAL2}, Approvers: approvers, Verified: verifiedAs(tc.who...), Now: now,
				Documents: []Document{p.by("ann", f), p.by("bob", f)}})
			if got.Requester != tc.asks || (got.Instead == nil) != (tc.asks != "") {
				t.Errorf("she is %q, instead %+v", got.Requester, got.Instead)
			}
			if tc.asks == "" {
				if diff := cmp.Diff(&Instead{tc.claimed, tc.who[0], lifecycle.AAL2}, got.Instead); diff != "" {
					t.Error(diff)
				}
				if n := got.Needs[0]; n.Want != 2 || !n.Met() || !strings.Contains(n.Why, addrs.Visible(tc.claimed)+", whom the plan names as its requester, is not verified") || !strings.Contains(n.Why, tc.who[0]+" was, who is somebody else") {
					t.Errorf("%+v", n)
				}
			}
			if got := InsteadOf(approvers, tc.claimed, tc.who[0], lifecycle.AAL2); len(tc.who) == 1 && (got == nil) != (tc.asks != "") {
				t.Errorf("verify says %+v", got)
			}
			if !got.Passed() {
				t.Errorf("%+v", got)
			}
		})
	}
}

// Nobody, and nobody at a strength that counts, is nobody instead.
func TestNobodyIsNobodyInstead(t *testing.T) {
	for _, v := range []verify.Outcome{{}, {Accepted: []verify.Accepted{{Verified: provider.Verified{Identity: "zoe@example.com", Strength: lifecycle.None}}}}} {
		if got := Ask(Question{File: file(), Verified: v, Now: now}); got.Instead != nil || got.Requester != "" {
			t.Errorf("%+v", got)
		}
	}
	if got := InsteadOf(nil, "dora", "zoe@example.com", lifecycle.None); got != nil {
		t.Errorf("%+v", got)
	}
}
