package gate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// people are approvers with keys of their own.
type people struct {
	t       *testing.T
	signers map[string]*evidence.Signer
	list    []config.Approver
}

func newPeople(t *testing.T) *people {
	t.Helper()
	p := &people{t: t, signers: map[string]*evidence.Signer{}}
	for name, groups := range map[string][]string{"ann": {"security"}, "bob": {"security", "payments"}, "carol": {"payments"}} {
		path := filepath.Join(t.TempDir(), name+".pem")
		if err := evidence.GenerateSigner(path, evidence.Ed25519); err != nil {
			t.Fatal(err)
		}
		s, err := evidence.LoadSigner(path)
		if err != nil {
			t.Fatal(err)
		}
		public, err := os.ReadFile(evidence.PublicKeyPath(path))
		if err != nil {
			t.Fatal(err)
		}
		p.signers[name] = s
		p.list = append(p.list, config.Approver{Name: name, PublicKey: string(public), Groups: groups, Identities: []string{name + "@example.com"}})
	}
	return p
}

func file() *plan.File {
	return &plan.File{ID: "id", Digest: "sha256:" + strings.Repeat("ab", 32), Plan: plan.Plan{PolicyDigest: "p", TrustDigest: "t", Requester: "dave",
		Resets: []plan.Reset{{Address: "a", Observed: plan.Observed{Target: "db"}}}}}
}

// named is one of the people.
func (p *people) named(name string) config.Approver {
	for _, a := range p.list {
		if a.Name == name {
			return a
		}
	}
	p.t.Fatalf("there is no %s", name)
	return config.Approver{}
}

// by signs an approval of f, changed first.
func (p *people) by(name string, f *plan.File, change ...func(*evidence.Approval)) Document {
	p.t.Helper()
	a := evidence.Approval{PlanID: f.ID, PlanDigest: f.Digest, PolicyDigest: "p", TrustDigest: "t", Targets: Targets(f), Decision: evidence.Approve,
		Approver: name, CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)}
	for _, c := range change {
		c(&a)
	}
	b, err := evidence.SignApproval(p.signers[name], a)
	if err != nil {
		p.t.Fatal(err)
	}
	return Document{Name: name, Content: b}
}

func TestWhoCounts(t *testing.T) {
	p := newPeople(t)
	f := file()
	any1, any2 := []plan.Approvals{{Count: 1}}, []plan.Approvals{{Count: 2, Group: "security"}}
	for name, tc := range map[string]struct {
		need      []plan.Approvals
		documents []Document
		requester string
		operator  string
		verified  lifecycle.Strength
		strength  lifecycle.Strength
		passes    bool
		counts    []string
	}{
		"nothing is needed":                   {passes: true},
		"one, and the requester is verified":  {need: any1, documents: []Document{p.by("ann", f)}, verified: lifecycle.AAL1, passes: true, counts: []string{"ann"}},
		"one, and the requester is a claim":   {need: any1, documents: []Document{p.by("ann", f)}, counts: []string{"ann"}},
		"two, and the requester is a claim":   {need: any1, documents: []Document{p.by("ann", f), p.by("bob", f)}, passes: true, counts: []string{"ann", "bob"}},
		"the same person twice":               {need: any1, documents: []Document{p.by("ann", f), p.by("ann", f)}, counts: []string{"ann"}},
		"of the group":                        {need: any2, documents: []Document{p.by("ann", f), p.by("bob", f)}, verified: lifecycle.AAL2, passes: true, counts: []string{"ann", "bob"}},
		"one of them of another group":        {need: any2, documents: []Document{p.by("ann", f), p.by("carol", f)}, verified: lifecycle.AAL2, counts: []string{"ann", "carol"}},
		"the requester, by an identity":       {need: any1, documents: []Document{p.by("ann", f)}, requester: "ANN@example.com", verified: lifecycle.AAL1},
		"the operator":                        {need: any1, documents: []Document{p.by("ann", f)}, operator: "ann", verified: lifecycle.AAL1},
		"too weakly verified":                 {strength: lifecycle.AAL2, verified: lifecycle.AAL1},
		"strongly enough verified":            {strength: lifecycle.AAL2, verified: lifecycle.AAL3, passes: true},
		"expired":                             {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.ExpiresAt = now })}, verified: lifecycle.AAL1},
		"dated in the future":                 {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.CreatedAt = now.Add(time.Minute * 6) })}, verified: lifecycle.AAL1},
		"another plan's id":                   {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.PlanID = "other" })}, verified: lifecycle.AAL1},
		"another digest":                      {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.PlanDigest = "sha256:" + strings.Repeat("cd", 32) })}, verified: lifecycle.AAL1},
		"other policies":                      {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.PolicyDigest = "x" })}, verified: lifecycle.AAL1},
		"another trust base":                  {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.TrustDigest = "x" })}, verified: lifecycle.AAL1},
		"other targets":                       {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.Targets = []string{"other"} })}, verified: lifecycle.AAL1},
		"somebody else's name on the key":     {need: any1, documents: []Document{p.by("ann", f, func(a *evidence.Approval) { a.Approver = "bob" }), p.by("ann", f)}, counts: []string{"ann"}},
		"a rejection blocks, however many do": {documents: []Document{p.by("ann", f), p.by("bob", f), p.by("carol", f, func(a *evidence.Approval) { a.Decision = evidence.Reject })}, counts: []string{"ann", "bob"}},
		"no approval at all":                  {need: any1, documents: []Document{{Name: "x", Content: []byte("{}")}}, verified: lifecycle.AAL1},
	} {
		t.Run(name, func(t *testing.T) {
			g := file()
			if tc.requester != "" {
				g.Plan.Requester = tc.requester
			}
			if tc.verified == "" {
				tc.verified = lifecycle.None
			}
			if tc.strength == "" {
				tc.strength = lifecycle.None
			}
			got := Ask(Question{File: g, Requirements: plan.Requirements{Approvals: tc.need, Strength: tc.strength}, Approvers: p.list, Documents: tc.documents,
				Operators: []string{tc.operator}, Verified: verify.Outcome{Strength: tc.verified, Identity: "dave@example.com"}, Now: now})
			if got.Passed() != tc.passes {
				t.Errorf("passed is %v; %+v", got.Passed(), got)
			}
			var counts []string
			for _, a := range got.Approvals {
				counts = append(counts, a.Approver.Name)
			}
			if diff := cmp.Diff(tc.counts, counts); diff != "" {
				t.Error(diff)
			}
			for _, why := range got.Ignored { // with what to do
				if !strings.Contains(why, "ask ") && !strings.Contains(why, "approve ") && !strings.Contains(why, "does not count again: ann has") {
					t.Error(why)
				}
			}
			if !tc.passes && len(got.Missing)+len(got.Rejections) == 0 {
				t.Error("nothing says what is missing")
			}
		})
	}
}

func TestTheRequesterIsNobodyElse(t *testing.T) {
	p := newPeople(t)
	f := file()
	f.Plan.Requester = "" // so it is whoever was verified
	nobody := config.Approver{Name: "erin", PublicKey: p.list[0].PublicKey}
	one := []plan.Approvals{{Count: 1}}
	as := func(who string) verify.Outcome {
		return verify.Outcome{Identity: who, Strength: lifecycle.AAL1, Accepted: []verify.Accepted{{Verified: provider.Verified{Identity: who, Strength: lifecycle.AAL1}}}}
	}
	for name, tc := range map[string]struct {
		verified  verify.Outcome
		documents []Document
		approvers []config.Approver
		missing   string
	}{
		"not verified: one more":                      {verify.Outcome{}, []Document{p.by("ann", f)}, p.list, "the requester is not verified"},
		"verified, and not she":                       {as("zoe@example.com"), []Document{p.by("ann", f)}, p.list, ""},
		"another kind of name: it could be she":       {as("github:zoe"), []Document{p.by("ann", f)}, p.list, "lists no identity of the kind of github:zoe"},
		"another domain is another kind":              {as("zoe@elsewhere.example"), []Document{p.by("ann", f)}, p.list, "lists no identity"},
		"a bare name is of no kind":                   {as("zoe"), []Document{p.by("ann", f)}, p.list, "lists no identity"},
		"another kind, and one more":                  {as("github:zoe"), []Document{p.by("ann", f), p.by("bob", f)}, p.list, ""},
		"she is an approver, and so none of the rest": {as("bob"), []Document{p.by("ann", f)}, p.list, ""},
		"she cannot approve her own":                  {as("ANN@example.com"), []Document{p.by("ann", f)}, p.list, "0 of 1 approvals"},
		"nor may she be asked to":                     {as("ann@example.com"), nil, []config.Approver{p.named("ann"), nobody}, "Who may: erin."},
	} {
		t.Run(name, func(t *testing.T) {
			got := Ask(Question{File: f, Requirements: plan.Requirements{Approvals: one}, Approvers: tc.approvers, Documents: tc.documents, Verified: tc.verified, Now: now})
			text := strings.Join(got.Missing, " ")
			if tc.missing == "" && !got.Passed() || !strings.Contains(text, tc.missing) {
				t.Errorf("missing %q, want %q", text, tc.missing)
			}
		})
	}
}

func TestSubjectsAreAsked(t *testing.T) {
	f := file()
	f.Plan.Resets = nil
	for _, who := range []string{"zoe@example.com", "", "yan@example.com"} {
		f.Plan.Resets = append(f.Plan.Resets, plan.Reset{Address: "credential.t." + who, Subject: who})
	}
	// Whoever may change the workspace does not leave out whom the trust base names.
	f.Plan.Resets = append(f.Plan.Resets, plan.Reset{Address: "credential.t.x", Change: &plan.Change{Subject: "xan@example.com"}})
	by := func(who, address string, s lifecycle.Strength) verify.Accepted {
		return verify.Accepted{Address: address, Verified: provider.Verified{Identity: who, Strength: s}}
	}
	zoe, yan := f.Plan.Resets[0].Address, f.Plan.Resets[2].Address
	for name, tc := range map[string]struct {
		have     []verify.Accepted
		mode     lifecycle.Mode
		strength lifecycle.Strength
		missing  []string
		met      []string
	}{
		"nobody":                  {nil, lifecycle.Cutover, lifecycle.None, []string{"zoe@example.com", "yan@example.com", "xan@example.com (credential.t.x)"}, nil},
		"one":                     {[]verify.Accepted{by("Zoe@example.com", zoe, lifecycle.AAL1)}, lifecycle.Contain, lifecycle.None, []string{"yan@example.com"}, []string{"zoe@example.com ("}},
		"one, about another":      {[]verify.Accepted{by("zoe@example.com", yan, lifecycle.AAL1)}, lifecycle.Cutover, lifecycle.None, []string{"zoe@example.com", "yan@example.com"}, nil},
		"not as surely as needed": {[]verify.Accepted{by("zoe@example.com", zoe, lifecycle.AAL1), by("yan@example.com", yan, lifecycle.AAL2)}, lifecycle.Cutover, lifecycle.AAL2, []string{"zoe@example.com ("}, []string{"yan@example.com ("}},
		"nobody gets anything":    {nil, lifecycle.Retire, lifecycle.None, nil, []string{"zoe@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			f.Plan.Mode = tc.mode
			got := Ask(Question{File: f, Requirements: plan.Requirements{Strength: tc.strength}, Verified: verify.Outcome{Accepted: tc.have}, Now: now})
			text := strings.Join(got.Missing, " ")
			for _, want := range tc.missing {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not name %s", text, want)
				}
			}
			for _, no := range tc.met {
				if strings.Contains(text, no) {
					t.Errorf("%q names %s", text, no)
				}
			}
		})
	}
}
