package config

import (
	"cmp"
	"slices"
)

// Likeness says whether two credentials are one and the same at the target.
type Likeness int

// The likenesses.
const (
	// Apart: they are two.
	Apart Likeness = iota
	// Unsure: they are one if their provider blocks lead to one target, which only the
	// targets can tell.
	Unsure
	// One: resetting either resets the other.
	One
)

// Account says what c is at its target, as provider.CredentialType.Account does, with its
// type; false where that is not known, as offline.
func (c *Credential) Account() (string, bool) {
	account, known := c.Type.Account(c.Attrs)
	return c.Type.Name + " " + account, known && c.Provider != nil
}

// Places name c at its target as far as that can be told without asking it: two
// credentials that have one in common are the same one there, whatever their addresses.
// They have an account in common, and a provider block or the file that two write to.
func (c *Credential) Places() []string {
	account, known := c.Account()
	if !known {
		return nil
	}
	out := []string{account + " at " + c.Provider.Key()}
	for _, f := range c.Provider.Files {
		out = append(out, account+" in "+f)
	}
	return out
}

// Like tells, without asking any target, whether c and other are one there. What is
// not known offline is apart from everything.
func (c *Credential) Like(other *Credential) Likeness {
	mine, known := c.Account()
	theirs, alsoKnown := other.Account()
	if !known || !alsoKnown || mine != theirs {
		return Apart
	}
	there := other.Places()
	switch {
	case slices.ContainsFunc(c.Places(), func(p string) bool { return slices.Contains(there, p) }):
		return One
	case c.Provider.ByFile && len(c.Provider.Files) > 0 && len(other.Provider.Files) > 0:
		return Apart
	}
	return Unsure
}

// checkAccounts finds two credentials that are one at the target: a reset of either
// would kill the secret of the other, and what one says of owner, subject and labels
// would be got round by the other. A trust base is only compared with, and all that it
// says of one account counts.
func (l *loader) checkAccounts() {
	if l.opts.isBase() {
		return
	}
	seen := map[string]*Credential{} // by place
	for _, c := range l.ws.Credentials {
		for _, place := range c.Places() {
			if other := seen[place]; other != nil {
				l.twice(c, other)
				break
			}
			seen[place] = c
		}
	}
}

// twice says that two credentials are one, once for any two blocks.
func (l *loader) twice(c, other *Credential) {
	first, second := other, c
	if a, b := first.Range, second.Range; cmp.Or(cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.Start.Byte, b.Start.Byte)) > 0 {
		first, second = second, first
	}
	if !l.tell("account " + first.Range.String() + second.Range.String()) {
		return
	}
	account, _ := second.Type.Account(second.Attrs)
	at := ""
	if second.Provider.Key() != first.Provider.Key() {
		at = ", whose provider block writes to the same file"
	}
	before := len(l.diags)
	l.fault(hclRange(second.Range), "Two credentials for one account", "%s is %s at %s, and so is %s, at %s:%d%s. A reset of one would kill the secret of the other. "+
		"Keep one of them, with the stores and consumers of both, or name another account.", second.Addr, account, second.Provider.Key(), first.Addr, first.Range.Filename, first.Range.Start.Line, at)
	if len(l.diags) > before {
		l.diags[before].Address = second.Addr.String()
	}
}
