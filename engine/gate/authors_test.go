package gate

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

// An author of the change does not approve it; while one who approves could be she under
// a name that nobody listed, one more approval is asked.
func TestTheAuthorIsNobodyElse(t *testing.T) {
	p := newPeople(t)
	f := file()
	// Dave asks, and is one of them, so that every other is told from the requester.
	all := []config.Approver{p.named("ann"), p.named("bob"), p.named("carol"), {Name: "dave"}}
	dave := verify.Outcome{Identity: "dave", Strength: lifecycle.AAL1, Accepted: []verify.Accepted{{Verified: provider.Verified{Identity: "dave", Strength: lifecycle.AAL1}}}}
	// listing gives ann these identities in place of hers.
	listing := func(ids ...string) []config.Approver {
		out := append([]config.Approver(nil), all...)
		out[0].Identities = ids
		return out
	}
	ann, both := []Document{p.by("ann", f)}, []Document{p.by("ann", f), p.by("bob", f)}
	hidden := []string{"7+zoe@users.noreply.github.com", "github:zoe"}
	for name, tc := range map[string]struct {
		approvers []config.Approver
		authors   []string
		documents []Document
		change    func(*Question)
		missing   string
	}{
		"she lists the address":                     {all, []string{"ANN@example.com"}, ann, nil, "0 of 1"},
		"she lists the account":                     {listing("GitHub:ANN"), []string{"7+ann@users.noreply.github.com", "github:ann"}, ann, nil, "0 of 1"},
		"she lists another address of the account":  {listing("ann@users.noreply.github.com"), []string{"7+Ann@users.noreply.github.com", "github:Ann"}, ann, nil, "0 of 1"},
		"and is asked for in nobody's place":        {listing("github:ann"), []string{"github:ann"}, nil, nil, "Who may: bob, carol."},
		"nobody wrote anything":                     {listing(), nil, ann, nil, ""},
		"she lists an address, and it is another":   {all, []string{"zoe@elsewhere.example"}, ann, nil, ""},
		"she lists an account, and it is another":   {listing("github:ann"), hidden, ann, nil, ""},
		"by a certificate's name":                   {listing(), []string{"zoe@example.com"}, ann, func(q *Question) { q.Approvers[0].Identity = "ann@example.com" }, ""},
		"she lists nothing":                         {listing(), []string{"zoe@example.com"}, ann, nil, "1 of 2 approvals for the whole plan (1 missing, one of them because ann lists no identity of the kind of zoe@example.com, who wrote the change of the workspace, and could be she)"},
		"she lists an account, and it is a mail":    {listing("github:ann"), []string{"zoe@example.com"}, ann, nil, "ann lists no identity of the kind of zoe@example.com"},
		"she lists a mail, and it is an account":    {all, hidden, ann, nil, "ann lists no identity of the kind of 7+zoe@users.noreply.github.com"},
		"GitLab's is another kind than GitHub's":    {listing("github:ann"), []string{"7-zoe@users.noreply.gitlab.com", "gitlab:zoe"}, ann, nil, "ann lists no identity"},
		"a name alone is of no kind":                {all, []string{"Zoe"}, ann, nil, "ann lists no identity of the kind of Zoe"},
		"and one more":                              {listing(), []string{"zoe@example.com"}, both, nil, ""},
		"only of those who approve":                 {listing(), []string{"zoe@example.com"}, []Document{p.by("bob", f)}, nil, ""},
		"it is another approver":                    {listing(), []string{"bob@example.com"}, ann, nil, ""},
		"it is another approver, by her account":    {listing(), hidden, ann, func(q *Question) { q.Approvers[1].Identities = []string{"github:zoe"} }, ""},
		"a program wrote it":                        {listing(), []string{"49+dependabot[bot]@users.noreply.github.com", "github:dependabot[bot]", "noreply@github.com"}, ann, nil, ""},
		"beside a requester whom nobody verified":   {listing(), []string{"zoe@example.com"}, both, func(q *Question) { q.Verified = verify.Outcome{} }, "2 of 3 approvals for the whole plan (1 missing, one of them because the requester is not verified and could be among the approvers, and one of them because ann"},
		"in an incident nobody more":                {listing(), []string{"zoe@example.com"}, ann, func(q *Question) { q.Anyone = true }, ""},
		"another group's approval is none of these": {listing(), []string{"zoe@example.com"}, both, func(q *Question) { q.Requirements.Approvals[0].Group = "payments" }, ""},
		"no approval is asked":                      {listing(), []string{"zoe@example.com"}, ann, func(q *Question) { q.Requirements.Approvals = nil }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			q := Question{
				File: f, Requirements: plan.Requirements{Approvals: []plan.Approvals{{Count: 1}}}, Approvers: append([]config.Approver(nil), tc.approvers...),
				Authors: tc.authors, Documents: tc.documents, Verified: dave, Now: now,
			}
			if tc.change != nil {
				tc.change(&q)
			}
			got := Ask(q)
			text := strings.Join(got.Missing, " ")
			if tc.missing == "" && !got.Passed() || !strings.Contains(text, tc.missing) {
				t.Errorf("missing %q, want %q", text, tc.missing)
			}
		})
	}
}

// Who could be whom is said before anybody approves.
func TestDoubtful(t *testing.T) {
	keys := []config.Approver{
		{Name: "ann", Identities: []string{"ann@example.com", "github:ann"}},
		{Name: "bob", Identities: []string{"github:bob"}},
		{Name: "bob-token", Identities: []string{"github:bob"}},
		{Name: "carol"},
		{Name: "dora", RevokedAt: now.AddDate(0, -1, 0)},
	}
	for name, tc := range map[string]struct {
		authors, whom, approvers []string
	}{
		"nobody":                  {nil, nil, nil},
		"an approver":             {[]string{"ann@example.com"}, nil, nil},
		"a mail":                  {[]string{"zoe@example.com"}, []string{"zoe@example.com"}, []string{"bob", "carol"}},
		"an account":              {[]string{"7+zoe@users.noreply.github.com", "github:zoe"}, []string{"7+zoe@users.noreply.github.com"}, []string{"carol"}},
		"both, and who is known":  {[]string{"7+zoe@users.noreply.github.com", "github:bob", "github:zoe", "y@example.com"}, []string{"7+zoe@users.noreply.github.com", "y@example.com"}, []string{"bob", "carol"}},
		"the forge, for somebody": {[]string{"noreply@github.com"}, nil, nil},
	} {
		authors, approvers := Question{Approvers: keys, Authors: tc.authors, Now: now}.Doubtful()
		if diff := cmp.Diff(tc.whom, authors); diff != "" {
			t.Errorf("%s: authors: %s", name, diff)
		}
		if diff := cmp.Diff(tc.approvers, approvers); diff != "" {
			t.Errorf("%s: approvers: %s", name, diff)
		}
	}
}
