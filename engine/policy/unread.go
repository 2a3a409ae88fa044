package policy

import "github.com/remint-dev/remint/engine/diag"

// Unread stands for policies that could not be read: every question to the set is
// answered with faults, which says why, and so denied. digest is what the policies
// had that were to be asked, "" where that is not known. It is for who must go on
// without them, with what no policy has to allow.
func (o Options) Unread(digest string, faults diag.Diagnostics) *Set {
	if !faults.HasErrors() { // a set without sources would agree to everything
		faults = denied("No policy", "The policies could not be read. What cannot be asked denies.")
	}
	return &Set{digest: digest, limits: o.Limits.orDefaults(), log: o.Log, unread: faults}
}

// Unread says why the set answers nothing, nil where it is whole.
func (s *Set) Unread() diag.Diagnostics { return s.unread }
