package gate

import (
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
)

// CouldBeAuthor is somebody who wrote the change and could be a under a name that a does
// not list; "" where there is nobody such. All approvers are as Persons gives them.
func (q Question) CouldBeAuthor(a config.Approver) string {
	for _, who := range q.Authors {
		if q.couldBe(a, who) {
			return who
		}
	}
	return ""
}

// couldBe reports whether it cannot be told that a is not the author who: no approver is
// that one, and a lists no identity of the author's kind.
func (q Question) couldBe(a config.Approver, who string) bool {
	account := addrs.Account(who)
	is := func(x config.Approver) bool { return Is(x, who) || Is(x, account) }
	sameAs := func(x string) bool { return strings.EqualFold(addrs.Account(x), who) }
	if machine(who) || slices.ContainsFunc(q.Approvers, is) || slices.ContainsFunc(q.Authors, sameAs) {
		return false // the last is said of her other name
	}
	kind := authorKind(who)
	return kind == "" || !slices.ContainsFunc(a.Identities, func(id string) bool { return authorKind(id) == kind })
}

// authorKind is kindOf for names in commits. A mail address there is what its author
// chose, so that all of them are of one kind. That of an account at a forge hides which
// one she has, and is of the account's kind.
func authorKind(name string) string {
	if account := addrs.Account(name); account != "" {
		name = account
	}
	kind := kindOf(name)
	if strings.HasPrefix(kind, "@") {
		return "@"
	}
	return kind
}

// machine reports whether a commit names a program: a bot's account, and the forge
// itself, which commits what people merge in a browser.
func machine(who string) bool {
	if account := addrs.Account(who); account != "" {
		who = account
	}
	return strings.HasSuffix(who, "[bot]") || strings.EqualFold(who, "noreply@github.com")
}

// whyAuthor says why one approval more is asked.
func whyAuthor(a config.Approver, who string) string {
	return fmt.Sprintf("one of them because %s lists no identity of the kind of %s, who wrote the change of the workspace, and could be she", a.Name, addrs.Visible(who))
}

// Doubtful are the authors of the change who could be approvers under another name, and
// the names of those approvers.
func (q Question) Doubtful() (authors, approvers []string) {
	q.Approvers = Once(Persons(q.Approvers))
	for _, a := range q.Approvers {
		if a.Ended(q.Now) != "" {
			continue
		}
		before := len(authors)
		for _, who := range q.Authors {
			if q.couldBe(a, who) {
				authors = append(authors, who)
			}
		}
		if len(authors) > before {
			approvers = append(approvers, a.Name)
		}
	}
	slices.Sort(authors)
	return slices.Compact(authors), approvers
}
