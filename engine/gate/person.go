package gate

import (
	"slices"
	"strings"
	"unicode"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
)

// Persons gives approvers who share a name or an identity all names of each other.
// They are one person with several keys: what bars or counts for one of them does
// so for all.
func Persons(list []config.Approver) []config.Approver {
	owners := map[string][]int{} // by a name's folded form
	for i, a := range list {
		for _, who := range names(a) {
			owners[fold(who)] = append(owners[fold(who)], i)
		}
	}
	out := append([]config.Approver(nil), list...)
	seen := make([]bool, len(list))
	for i := range list {
		if seen[i] {
			continue
		}
		seen[i] = true
		person, all := []int{i}, []string(nil)
		for at := 0; at < len(person); at++ {
			for _, who := range names(list[person[at]]) {
				all = append(all, who)
				for _, j := range owners[fold(who)] {
					if !seen[j] {
						seen[j], person = true, append(person, j)
					}
				}
			}
		}
		for _, j := range person {
			out[j].Identities = all
		}
	}
	return out
}

// Once gives each person of a list, as Persons gives them, once: under the name that
// is found first, with the groups of all.
func Once(list []config.Approver) []config.Approver {
	var out []config.Approver
	for _, a := range list {
		i := slices.IndexFunc(out, func(x config.Approver) bool { return person(x) == person(a) })
		if i < 0 {
			out = append(out, a)
			continue
		}
		out[i].Groups = union(out[i].Groups, a.Groups)
	}
	return out
}

// names are all that a block lists, and the accounts whose addresses for commits it does.
func names(a config.Approver) []string {
	out := []string{a.Name}
	if a.Identity != "" {
		out = append(out, a.Identity)
	}
	out = append(out, a.Identities...)
	for _, who := range out {
		if account := addrs.Account(who); account != "" {
			out = append(out, account)
		}
	}
	return out
}

// person is a key for the person whom an approver, as Persons gives her, is.
func person(a config.Approver) string {
	key := fold(a.Name)
	for _, id := range a.Identities {
		key = min(key, fold(id))
	}
	return key
}

// fold gives names one form that strings.EqualFold takes for equal.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
			least = min(least, f)
		}
		return least
	}, name)
}
