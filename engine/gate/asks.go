package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/verify"
)

// Instead is somebody who was verified as the requester of a plan that names another
// one, as far as their names tell. Neither of them can approve, and who the plan names
// counts as not verified.
type Instead struct {
	// Claimed is whom the plan names, Verified who was verified, and how surely.
	Claimed, Verified string
	Strength          lifecycle.Strength
}

// String says who is who, as half a sentence.
func (i Instead) String() string {
	return fmt.Sprintf("the plan says that %s asks; %s was verified, %s, which is somebody else as far as names tell", addrs.Visible(i.Claimed), addrs.Visible(i.Verified), i.Strength)
}

// InsteadOf finds out whether who was verified is somebody else than the requester whom
// a plan claims; nil where that is she, where the plan claims nobody, and where nobody
// was verified.
func InsteadOf(approvers []config.Approver, claimed, who string, strength lifecycle.Strength) *Instead {
	if claimed == "" || who == "" || !strength.AtLeast(lifecycle.AAL1) || same(Persons(approvers), claimed, who) {
		return nil
	}
	return &Instead{Claimed: claimed, Verified: who, Strength: strength}
}

// asks is the name under which the requester whom the plan claims was verified, or,
// where it claims nobody, whoever was. Where only somebody else was, it is "", and other
// says who.
func (q Question) asks() (who string, other *Instead) {
	if q.Verified.Level() == lifecycle.None {
		return "", nil
	}
	claimed := q.File.Plan.Requester
	for _, who := range append([]string{q.Verified.Identity}, q.Verified.Requesters()...) {
		if claimed == "" || same(q.Approvers, claimed, who) {
			return who, nil
		}
	}
	return "", &Instead{Claimed: claimed, Verified: q.Verified.Identity, Strength: q.Verified.Level()}
}

// same reports whether the requester that a plan claims is who was verified: by that
// very name, by the names that one approver has, or because the claim is a bare name, as
// a system calls its users, and the other is it at some authority (carol, and
// carol@example.com or github:carol). It is not where an approver has the claimed name
// and lists another one of the authority that names who.
func same(people []config.Approver, claimed, who string) bool {
	if verify.Same(claimed, who) {
		return true
	}
	kind := kindOf(who)
	for _, a := range people {
		switch {
		case !Is(a, claimed):
		case Is(a, who):
			return true
		case kind != "" && slices.ContainsFunc(a.Identities, func(id string) bool { return kindOf(id) == kind }):
			return false
		}
	}
	a, b := bareName(claimed), bareName(who)
	return (kindOf(claimed) == "" || kind == "") && a != "" && len(a) == len(b) && strings.EqualFold(a, b)
}

// bareName is a name without the authority that gives it.
func bareName(identity string) string {
	if _, rest, ok := strings.Cut(identity, ":"); ok {
		identity = rest
	}
	name, _, _ := strings.Cut(identity, "@")
	return name
}
