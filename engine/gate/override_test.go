package gate

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

var mayOverride = &config.Override{Groups: []string{"security"}, MaxExpires: 4 * time.Hour}

// denied is an overridable denial of a stage.
func denied(stage, rule, address string) Denial {
	return Denial{stage, plan.Decision{Source: "house", Rule: rule, Level: plan.Deny, Address: address, Overridable: true}}
}

// lifting signs an override of f that names denials, changed first.
func (p *people) lifting(name string, f *plan.File, denials []Denial, change ...func(*evidence.Override)) Document {
	p.t.Helper()
	o := evidence.Override{Approver: name, Reason: "r", Ticket: "T-1", Binding: evidence.Binding{PlanID: f.ID, PlanDigest: f.Digest, PolicyDigest: "p", TrustDigest: "t",
		Targets: Targets(f), CreatedAt: now.Add(-time.Hour), ExpiresAt: now.Add(time.Hour)}}
	for _, d := range denials {
		o.Denials = append(o.Denials, d.Name())
	}
	slices.SortFunc(o.Denials, evidence.Denial.Compare)
	for _, c := range change {
		c(&o)
	}
	b, err := evidence.SignOverride(p.signers[name], o)
	if err != nil {
		p.t.Fatal(err)
	}
	return Document{Name: name + ".override.json", Content: b}
}

// Whoever asked overrides nothing with a key that is declared under another name of
// hers, and whoever is verified under that name breaks the glass with it.
func TestExceptionsUnderAnotherName(t *testing.T) {
	p := newPeople(t)
	f := file()
	f.Plan.Requester = "desk"
	d := denied("remint.plan", "freeze", "a")
	q := Question{File: f, Now: now, Approvers: append([]config.Approver{{Name: "desk", Identities: []string{"ANN@example.com"}}}, p.list...)}
	got := q.Lift(mayOverride, []Document{p.lifting("ann", f, []Denial{d})}, []Denial{d})
	if len(got.Lifted) != 0 || len(got.Ignored) != 1 || !strings.Contains(got.Ignored[0], "ann is the requester") {
		t.Errorf("%+v", got)
	}
	if who := q.MayOverride(mayOverride); slices.Contains(who, "ann") || !slices.Contains(who, "bob") {
		t.Error(who)
	}
	q.File.Plan.Requester, q.Authors = "dave", []string{"desk"}
	if got := q.Lift(mayOverride, []Document{p.lifting("ann", f, []Denial{d})}, []Denial{d}); len(got.Ignored) != 1 || !strings.Contains(got.Ignored[0], "ann is an author") {
		t.Errorf("%+v", got)
	}
	q.Verified.Accepted = []verify.Accepted{{Verified: provider.Verified{Identity: "desk", Strength: "aal2", Bound: true}}}
	if g := q.Break(mayBreak, []Document{p.breaking("ann", f, nil)}); len(g.Missing) > 0 {
		t.Error(g.Missing)
	}
}

// An override lifts exactly what it names, and nothing once something else denies.
func TestLift(t *testing.T) {
	p := newPeople(t)
	a, b := denied("remint.plan", "freeze", "a"), denied("remint.plan", "freeze", "b")
	mandatory := denied("remint.plan", "never", "a")
	mandatory.Overridable = false
	later := denied("remint.approval", "freeze", "a")
	for name, tc := range map[string]struct {
		overrides map[string][]Denial
		denials   []Denial
		lifted    int
		void      string
		ignored   string
	}{
		"all named":                        {overrides: map[string][]Denial{"ann": {a, b}}, denials: []Denial{a, b}, lifted: 2},
		"one by each of two":               {overrides: map[string][]Denial{"ann": {a}, "bob": {b}}, denials: []Denial{a, b}, lifted: 2},
		"nothing denies any more":          {overrides: map[string][]Denial{"ann": {a}}},
		"another address":                  {overrides: map[string][]Denial{"ann": {a}}, denials: []Denial{a, b}, void: "house/freeze (b)"},
		"another stage":                    {overrides: map[string][]Denial{"ann": {a}}, denials: []Denial{a, later}, void: "house/freeze (a)"},
		"another rule, of the whole plan":  {overrides: map[string][]Denial{"ann": {a}}, denials: []Denial{a, denied("remint.plan", "new", "")}, void: "house/new (the whole plan)"},
		"a mandatory one beside":           {overrides: map[string][]Denial{"ann": {a}}, denials: []Denial{a, mandatory}, void: "house/never (a)"},
		"a mandatory one, named":           {overrides: map[string][]Denial{"ann": {a, mandatory}}, denials: []Denial{a, mandatory}, ignored: "mandatory"},
		"nobody overrides":                 {denials: []Denial{a}},
		"by somebody who may not":          {overrides: map[string][]Denial{"carol": {a}}, denials: []Denial{a}, ignored: "none of the groups"},
		"a void one voids the other's too": {overrides: map[string][]Denial{"ann": {a}, "bob": {a}}, denials: []Denial{a, b}, void: "house/freeze (b)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := file()
			var documents []Document
			for _, who := range []string{"ann", "bob", "carol"} {
				if d := tc.overrides[who]; d != nil {
					documents = append(documents, p.lifting(who, f, d))
				}
			}
			q := Question{File: f, Approvers: p.list, Now: now}
			got := q.Lift(mayOverride, documents, tc.denials)
			if len(got.Lifted) != tc.lifted || len(got.Left) != len(tc.denials)-tc.lifted {
				t.Errorf("lifted %v, left %v", got.Lifted, got.Left)
			}
			if (len(got.Void) > 0) != (tc.void != "") || tc.void != "" && (len(got.Void) != len(documents) || !strings.Contains(got.Void[0], tc.void)) {
				t.Errorf("void: %v", got.Void)
			}
			if (len(got.Ignored) > 0) != (tc.ignored != "") || tc.ignored != "" && !strings.Contains(got.Ignored[0], tc.ignored) {
				t.Errorf("ignored: %v", got.Ignored)
			}
		})
	}
}

// What is wrong with an override makes it count for nothing, and is said.
func TestOverridesThatDoNotCount(t *testing.T) {
	p := newPeople(t)
	a := denied("remint.plan", "freeze", "a")
	f := file()
	verified := func(who string) verify.Outcome {
		return verify.Outcome{Accepted: []verify.Accepted{{Verified: provider.Verified{Identity: who, Strength: "aal2"}}}}
	}
	for name, tc := range map[string]struct {
		change   func(*evidence.Override)
		question func(*Question)
		may      *config.Override
		why      string
	}{
		"another plan":          {change: func(o *evidence.Override) { o.PlanID = "other" }, why: "another plan"},
		"another digest":        {change: func(o *evidence.Override) { o.PlanDigest = "sha256:" + strings.Repeat("cd", 32) }, why: "another plan"},
		"other policies":        {change: func(o *evidence.Override) { o.PolicyDigest = "x" }, why: "other policies"},
		"another trust base":    {change: func(o *evidence.Override) { o.TrustDigest = "x" }, why: "another trust base"},
		"other targets":         {change: func(o *evidence.Override) { o.Targets = []string{"x"} }, why: "other targets"},
		"expired":               {change: func(o *evidence.Override) { o.ExpiresAt = now }, why: "expired"},
		"from the future":       {change: func(o *evidence.Override) { o.CreatedAt = now.Add(10 * time.Minute) }, why: "future"},
		"for too long":          {change: func(o *evidence.Override) { o.ExpiresAt = now.Add(3*time.Hour + time.Second) }, why: "longer than max_expires, 4h"},
		"the requester":         {question: func(q *Question) { q.File.Plan.Requester = "ANN@example.com" }, why: "is the requester"},
		"verified as requester": {question: func(q *Question) { q.Verified = verified("ann@example.com") }, why: "is the requester"},
		"the operator":          {question: func(q *Question) { q.Operators = []string{"root", "ann"} }, why: "is the operator"},
		"no override block":     {may: &config.Override{}, why: "none of the groups"},
		"her key was revoked":   {question: func(q *Question) { q.Approvers[0].RevokedAt = now }, why: "revoked"},
		"no approver":           {question: func(q *Question) { q.Approvers = nil }, why: "not signed by any approver"},
	} {
		t.Run(name, func(t *testing.T) {
			f := file()
			q := Question{File: f, Approvers: []config.Approver{p.named("ann")}, Now: now}
			var change []func(*evidence.Override)
			if tc.change != nil {
				change = append(change, tc.change)
			}
			d := p.lifting("ann", f, []Denial{a}, change...)
			if tc.question != nil {
				tc.question(&q)
			}
			may := mayOverride
			if tc.may != nil {
				may = tc.may
			}
			got := q.Lift(may, []Document{d}, []Denial{a})
			if len(got.Lifted) > 0 || len(got.Left) != 1 || len(got.Ignored) != 1 || !strings.Contains(got.Ignored[0], tc.why) {
				t.Errorf("%+v", got)
			}
		})
	}
	q := Question{File: f, Approvers: p.list, Now: now}
	if got := q.Lift(nil, []Document{p.lifting("ann", f, []Denial{a})}, []Denial{a}); len(got.Lifted) > 0 || !strings.Contains(strings.Join(got.Ignored, " "), "no override block") {
		t.Errorf("without a block: %+v", got)
	}
	if got := q.Lift(mayOverride, []Document{p.by("ann", f)}, []Denial{a}); len(got.Lifted) > 0 || !strings.Contains(strings.Join(got.Ignored, " "), "not an override") {
		t.Errorf("an approval: %+v", got)
	}
}
