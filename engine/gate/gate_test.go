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
			if !tc.passes && len(got.Missing)+len(got.Rejections) == 0 {
				t.Error("nothing says what is missing")
			}
		})
	}
}
