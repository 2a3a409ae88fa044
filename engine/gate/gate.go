// Package gate decides whether the people who had to agree have agreed, to this
// plan, and whether the requester is known as surely as policies ask.
package gate

import (
	"cmp"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/verify"
)

// Bounds of what people signed about one plan, as far as it is read: how many documents,
// how many bytes each, and how many together.
const (
	MaxDocuments = 1000
	MaxDocument  = 1 << 20
	MaxTotal     = 16 << 20
)

// Document is an approval as found: a file's content, not yet believed.
type Document struct {
	Name    string
	Content []byte
}

// Question is everything that the answer depends on.
type Question struct {
	File *plan.File
	// Requirements are what policies ask, at planning or at approval.
	Requirements plan.Requirements
	Approvers    []config.Approver
	Documents    []Document
	// Operators are who runs apply, and all who resume it or did; neither they nor
	// the requester can approve.
	Operators []string
	// Authors are who wrote the change of the workspace, where that is known; they
	// cannot approve either.
	Authors []string
	// Verified is how surely the requester was verified, and the subjects.
	Verified verify.Outcome
	// Anyone may ask: no approval more is needed because nobody verified who did.
	Anyone bool
	// MaxExpires caps how long an approval counts from when it was signed, whatever
	// it says itself; zero where nothing does.
	MaxExpires time.Duration
	// Authority verifies certificates in place of keys; nil where none count.
	Authority *evidence.Authority
	Now       time.Time
}

// Approval is one that counts.
type Approval struct {
	Approver config.Approver
	Signed   evidence.Approval
	Document Document
	// Until is when it ceases to count.
	Until time.Time

	// author is why she could be an author of the change, "" where that can be told.
	author string
}

// Answer says what counts and what is missing.
type Answer struct {
	Approvals []Approval
	// Ignored explains every document that does not count, a sentence each.
	Ignored []string
	// Rejections are sentences about people who said no; any of them blocks.
	Rejections []string
	// Needs are the approvals that are asked, met or not, in the plan's order.
	Needs []Need
	// Missing are sentences about what is not there yet, with what to do.
	Missing []string
	// Requester is the name under which the requester was verified whom the plan names, or
	// whoever was where it names nobody; Instead is who was in her place, nil for nobody.
	Requester string
	Instead   *Instead
	// Unverified is set where the requester is not verified as surely as is asked, and
	// Waiting are the addresses whose subjects are not.
	Unverified bool
	Waiting    []string
	// Lifting is what overrides do to denials; Ask leaves it to Lift.
	Lifting Lifting
	// Warned is what approval policies say besides denials, which stops nothing.
	Warned []plan.Decision
	// Uses are all uses of approvers' keys, counted or not.
	Uses []Use
	// Told says of each use who was told of it, and of Instead, for evidence.
	Told map[string]string
	// Glass is there where the glass was to be broken.
	Glass *Glass
}

// Need is one requirement of approvals, and how far it is met.
type Need struct {
	plan.Approvals
	// Got of Want count; Want is more than Count where one more is asked, and Why says why.
	Got, Want int
	Why       string
	// May names who could give one that is missing.
	May []string

	// unlisted is set where one more is asked because an approver could be an author.
	unlisted bool
}

// Met reports whether enough have approved.
func (n Need) Met() bool { return n.Got >= n.Want }

// Passed reports whether nothing stands in the way.
func (a Answer) Passed() bool {
	broken := a.Glass == nil || len(a.Glass.Missing) == 0
	return broken && len(a.Missing) == 0 && len(a.Rejections) == 0 && len(a.Lifting.Left) == 0 && len(a.Lifting.Void) == 0
}

// And adds what another answer, to the same question with more requirements, finds
// missing.
func (a Answer) And(more Answer) Answer {
	a.Rejections, a.Missing = once(a.Rejections, more.Rejections), once(a.Missing, more.Missing)
	a.Unverified, a.Waiting = a.Unverified || more.Unverified, once(a.Waiting, more.Waiting)
	for _, n := range more.Needs {
		if !slices.ContainsFunc(a.Needs, func(x Need) bool { return reflect.DeepEqual(x, n) }) {
			a.Needs = append(a.Needs, n)
		}
	}
	return a
}

// once is both lists, in order, without what is said twice.
func once(a, b []string) []string {
	said := map[string]bool{}
	var out []string
	for _, text := range slices.Concat(a, b) {
		if !said[text] {
			said[text] = true
			out = append(out, text)
		}
	}
	return out
}

// Input gives the approvals as policies see them.
func (a Answer) Input() []policy.Approval {
	out := []policy.Approval{}
	for _, x := range a.Approvals {
		out = append(out, policy.Approval{Approver: x.Approver.Name, Groups: x.Approver.Groups})
	}
	return out
}

// Ask finds the approvals that count, once per person, and what is missing.
func Ask(q Question) Answer {
	var out Answer
	q.Approvers = Persons(q.Approvers)
	said, withdrawn := q.hear()
	for _, d := range said {
		if u := used(d.by, d.signed, d.why); d.by.Name != "" && !slices.ContainsFunc(out.Uses, func(x Use) bool { return x.ID == u.ID }) {
			out.Uses = append(out.Uses, u)
		}
		taken := withdrawn.approvals[person(d.by)]
		have := slices.IndexFunc(out.Approvals, func(a Approval) bool { return person(a.Approver) == person(d.by) })
		switch {
		case d.why != "":
			out.Ignored = append(out.Ignored, d.doc.Name+" does not count: "+d.why+".")
		case d.signed.Decision == evidence.Withdraw:
		case d.signed.Decision == evidence.Reject && d.signed.CreatedAt.Before(withdrawn.rejections[person(d.by)]):
			out.Ignored = append(out.Ignored, d.doc.Name+" does not count: "+d.by.Name+" took her rejection back.")
		case d.signed.Decision == evidence.Reject:
			if text := rejection(d.by, d.signed.Comment, q.Now); !slices.Contains(out.Rejections, text) {
				out.Rejections = append(out.Rejections, text)
			}
		case !taken.IsZero() && !d.signed.CreatedAt.After(taken):
			out.Ignored = append(out.Ignored, d.doc.Name+" does not count: "+d.by.Name+" withdrew it at "+taken.UTC().Format(time.RFC3339)+".")
		case have >= 0:
			out.Approvals[have].Approver.Groups = union(out.Approvals[have].Approver.Groups, d.by.Groups)
			out.Ignored = append(out.Ignored, d.doc.Name+" does not count again: "+again(d.by.Name, out.Approvals[have].Approver.Name)+".")
		default:
			out.Approvals = append(out.Approvals, Approval{Approver: d.by, Signed: d.signed, Document: d.doc, Until: q.until(d.signed)})
		}
	}
	for i, a := range out.Approvals {
		if who := q.CouldBeAuthor(a.Approver); who != "" {
			out.Approvals[i].author = whyAuthor(a.Approver, who)
		}
	}
	out.Requester, out.Instead = q.asks()
	req := q.Requirements
	for _, need := range req.Approvals {
		n := q.need(need, out.Approvals)
		if out.Needs = append(out.Needs, n); !n.Met() {
			out.Missing = append(out.Missing, n.missing())
		}
	}
	q.unverified(&out)
	return out
}

func again(name, before string) string {
	if name == before {
		return name + " has approved already"
	}
	return name + " and " + before + " share an identity, and a person counts once, whatever keys she has: ask somebody else"
}

// judge says whose approval d is, or why it does not count.
func (q Question) judge(d Document) (config.Approver, evidence.Approval, string) {
	f := q.File
	a, key, found, why := q.signatory(evidence.ApprovalType, d)
	claim, err := evidence.ParseApproval(d.Content)
	if !found || err != nil {
		if err != nil {
			why = ""
		}
		return config.Approver{}, evidence.Approval{}, cmp.Or(why, "it is not signed by any approver of this workspace, or was changed: ask one of them")
	}
	signed := claim.Approval
	ended := a.Ended(q.Now)
	switch {
	case ended != "" && !q.stricter(a, signed):
		return a, signed, a.Name + "'s key " + ended + ": ask somebody else, or have a new key of hers declared"
	case signed.PlanID != f.ID || signed.PlanDigest != f.Digest:
		return a, signed, "it is for another plan: approve this one"
	case signed.Decision == evidence.Reject, signed.Decision == evidence.Withdraw:
		return a, signed, "" // nobody needs to be asked what she meant by it
	case signed.PolicyDigest != f.Plan.PolicyDigest:
		return a, signed, "it was given under other policies: approve again"
	case signed.TrustDigest != f.Plan.TrustDigest:
		return a, signed, "it was given under another trust base: approve again"
	case !slices.Equal(signed.Targets, Targets(f)):
		return a, signed, "it names other targets: approve again"
	case !q.Now.Before(q.until(signed)):
		return a, signed, "it expired at " + q.until(signed).UTC().Format(time.RFC3339) + q.capped(signed) + ": approve again"
	case signed.CreatedAt.After(q.Now.Add(5 * time.Minute)):
		return a, signed, "it is dated in the future: set the clock, and approve again"
	case Is(a, q.File.Plan.Requester), slices.ContainsFunc(q.Verified.Requesters(), func(who string) bool { return Is(a, who) }):
		return a, signed, a.Name + " is the requester: ask somebody else"
	case q.signedBy(key):
		return a, signed, a.Name + "'s key is the one that the requester verified herself with: ask somebody else"
	case slices.ContainsFunc(q.Operators, func(who string) bool { return Is(a, who) }):
		return a, signed, a.Name + " is the operator: ask somebody else, or have another apply it"
	case slices.ContainsFunc(q.Authors, func(who string) bool { return Is(a, who) }):
		return a, signed, a.Name + " is an author of the change of the workspace: ask somebody else"
	}
	return a, signed, ""
}

// signedBy reports whether the requester was verified by this very key, under
// whatever name.
func (q Question) signedBy(key crypto.PublicKey) bool {
	if key == nil { // a certificate's, which nobody verifies herself with
		return false
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return true
	}
	sum := sha256.Sum256(der)
	return slices.ContainsFunc(q.Verified.Accepted, func(a verify.Accepted) bool {
		return a.Address == "" && a.Claims["key"] == "sha256:"+hex.EncodeToString(sum[:])
	})
}

// need counts what one requirement has. While one of the approvers could be the
// requester, one more is asked; and one more where one who approves could be an author.
func (q Question) need(need plan.Approvals, have []Approval) Need {
	out := Need{Approvals: need, Want: need.Count}
	asks, other := q.asks()
	stranger, author := "", ""
	for _, a := range have {
		if inGroup(a.Approver, need.Group) {
			if out.Got++; !q.told(a.Approver, asks) {
				stranger = a.Approver.Name
			}
			author = cmp.Or(a.author, author)
		}
	}
	if out.Want > 0 && !q.Anyone {
		var why []string
		switch {
		case q.Verified.Level() == lifecycle.None:
			why = append(why, "one of them because the requester is not verified and could be among the approvers")
		case other != nil:
			why = append(why, fmt.Sprintf("one of them because %s, whom the plan names as its requester, is not verified and could be among the approvers: "+
				"%s was, who is somebody else as far as names tell", addrs.Visible(other.Claimed), addrs.Visible(other.Verified)))
		case stranger != "":
			why = append(why, fmt.Sprintf("one of them because %s lists no identity of the kind of %s, and could be she", stranger, addrs.Visible(asks)))
		}
		if author != "" {
			why, out.unlisted = append(why, author), true
		}
		out.Want, out.Why = out.Want+len(why), strings.Join(why, ", and ")
	}
	if out.Met() {
		return out
	}
	for _, a := range q.Approvers {
		used := slices.ContainsFunc(have, func(h Approval) bool { return person(h.Approver) == person(a) })
		barred := slices.ContainsFunc(slices.Concat(q.Operators, q.Authors, q.Verified.Requesters(), []string{q.File.Plan.Requester}), func(who string) bool { return Is(a, who) })
		named := slices.ContainsFunc(out.May, func(name string) bool { return person(q.named(name)) == person(a) })
		if !used && !barred && !named && inGroup(a, need.Group) && a.Ended(q.Now) == "" {
			out.May = append(out.May, a.Name)
		}
	}
	return out
}

// named is the approver of that name.
func (q Question) named(name string) config.Approver {
	i := slices.IndexFunc(q.Approvers, func(a config.Approver) bool { return a.Name == name })
	return q.Approvers[i]
}

// missing is what a need lacks, as a sentence with what to do.
func (n Need) missing() string {
	scope := "the whole plan"
	if many := len(n.Addresses); many == 1 {
		scope = n.Addresses[0]
	} else if many > 1 {
		scope = fmt.Sprintf("%s and %d more", n.Addresses[0], many-1)
	}
	group := ""
	if n.Group != "" {
		group = " from the group " + n.Group
	}
	why := n.Why
	if why != "" {
		why = ", " + why
	}
	text := fmt.Sprintf("%d of %d approvals%s for %s (%d missing%s).", n.Got, n.Want, group, scope, n.Want-n.Got, why)
	if len(n.May) == 0 {
		if n.unlisted {
			return text + " Nobody who could give one is declared: list in `identities` of the approvers the names under which they commit, or add approver blocks."
		}
		return text + " Nobody who could give one is declared: add approver blocks."
	}
	text += " Who may: " + strings.Join(n.May, ", ")
	if len(n.May) < n.Want-n.Got {
		text += "; that is too few, so declare more"
	}
	return text + "."
}

// unverified says who still has to be verified: the requester, and each subject
// who would get a new secret.
func (q Question) unverified(out *Answer) {
	want, have := q.Requirements.Strength, q.Verified.Level()
	if !have.AtLeast(want) {
		out.Unverified = true
		out.Missing = append(out.Missing, fmt.Sprintf("The requester must be verified at %s; she is verified at %s. `remint verify` does that; `remint verify -help` tells how.", want, have))
	}
	if q.File.Plan.Mode == lifecycle.Retire {
		return // nobody gets anything
	}
	if want == "" || want == lifecycle.None {
		want = lifecycle.AAL1
	}
	var waiting []string
	for _, r := range q.File.Plan.Resets {
		for _, who := range r.Subjects() {
			if !q.Verified.Subject(r.Address, who).AtLeast(want) {
				out.Waiting = append(out.Waiting, r.Address)
				waiting = append(waiting, fmt.Sprintf("%s (%s)", addrs.Visible(who), r.Address))
			}
		}
	}
	if n := len(waiting); n > 0 {
		more := ""
		if n > 10 {
			waiting, more = waiting[:10], fmt.Sprintf(" and %d more", n-10)
		}
		out.Missing = append(out.Missing, fmt.Sprintf("Whose secret it is must be verified at %s before she gets a new one: %s%s. "+
			"She does it herself: remint verify -subject=ADDRESS PLAN. -reason=offboarding kills the old one without making a new one, and needs nobody's proof.",
			want, strings.Join(waiting, ", "), more))
	}
}

// told reports whether it can be told that a is not the requester, who was verified as
// asks: one of a's identities is of the kind of that name.
func (q Question) told(a config.Approver, asks string) bool {
	if slices.ContainsFunc(q.Approvers, func(x config.Approver) bool { return Is(x, asks) }) {
		return true // she is that one, and so none of the others
	}
	kind := kindOf(asks)
	return kind != "" && slices.ContainsFunc(a.Identities, func(id string) bool { return kindOf(id) == kind })
}

// kindOf is what two names of one person have in common when the same authority
// gave them: a prefix as in github:alice, or that they are mail addresses.
func kindOf(identity string) string {
	if prefix, _, ok := strings.Cut(identity, ":"); ok {
		return strings.ToLower(prefix) + ":"
	}
	if _, domain, ok := strings.Cut(identity, "@"); ok {
		return "@" + strings.ToLower(domain)
	}
	return ""
}

// Is reports whether who, as claimed, names the person a.
func Is(a config.Approver, who string) bool {
	if who == "" {
		return false
	}
	fold := func(s string) bool { return strings.EqualFold(s, who) }
	return fold(a.Name) || slices.ContainsFunc(a.Identities, fold)
}

func inGroup(a config.Approver, group string) bool {
	return group == "" || slices.Contains(a.Groups, group)
}

// Targets lists the distinct target identities of a plan, sorted: what an
// approval is bound to.
func Targets(f *plan.File) []string {
	seen := map[string]bool{}
	out := []string{}
	for _, r := range f.Plan.Resets {
		if t := r.Observed.Target; !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	slices.Sort(out)
	return out
}
