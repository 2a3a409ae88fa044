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

// Like tells, without asking any target, whether c and other are one and the same
// there, whatever their addresses: their types and accounts agree (see
// provider.CredentialType.Account), and they have one provider block, or two that write
// to one file. What is unknown offline is apart from everything.
func (c *Credential) Like(other *Credential) Likeness {
	if c.Type.Name != other.Type.Name || c.Provider == nil || other.Provider == nil {
		return Apart
	}
	mine, known := c.Type.Account(c.Attrs)
	theirs, alsoKnown := other.Type.Account(other.Attrs)
	if !known || !alsoKnown || mine != theirs {
		return Apart
	}
	p, q := c.Provider, other.Provider
	switch {
	case p.Key() == q.Key(), slices.ContainsFunc(p.Files, func(f string) bool { return slices.Contains(q.Files, f) }):
		return One
	case p.ByFile && len(p.Files) > 0 && len(q.Files) > 0:
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
	seen := map[string]*Credential{} // by type, account, and provider block or file
	for _, c := range l.ws.Credentials {
		account, known := c.Type.Account(c.Attrs)
		if !known || c.Provider == nil {
			continue
		}
		places := []string{"block " + c.Provider.Key()}
		for _, f := range c.Provider.Files {
			places = append(places, "file "+f)
		}
		for _, place := range places {
			key := c.Type.Name + "\x00" + account + "\x00" + place
			if other := seen[key]; other != nil {
				l.twice(c, other, account)
				break
			}
			seen[key] = c
		}
	}
}

// twice says that two credentials are one, once for any two blocks.
func (l *loader) twice(c, other *Credential, account string) {
	first, second := other, c
	if a, b := first.Range, second.Range; cmp.Or(cmp.Compare(a.Filename, b.Filename), cmp.Compare(a.Start.Byte, b.Start.Byte)) > 0 {
		first, second = second, first
	}
	if !l.tell("account " + first.Range.String() + second.Range.String()) {
		return
	}
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
