package config

import (
	"cmp"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/remint-dev/remint/engine/diag"
)

// Under a trust base what judges comes from there. The workspace may repeat it,
// which makes the main branch of a repository a base for its own branches, and may
// be stricter. Here it is held against the base: what differs is a fault that
// names both places, what the base lacks counts for nothing or is refused.

// merge is the advice for whatever has to be in the base first.
const merge = " Put it back, or have the change agreed to in the trust base first."

// refuse is a fault with an exit code of its own.
func (l *loader) refuse(r hcl.Range, exit diag.Exit, summary, detail string, args ...any) {
	before := len(l.diags)
	l.fault(r, summary, detail, args...)
	if len(l.diags) > before {
		l.diags[before].Exit = exit
	}
}

// ignored warns of what the base lacks, and of what follows.
func (l *loader) ignored(r diag.Range, summary, detail string, args ...any) {
	before := len(l.diags)
	l.fault(hclRange(r), summary, detail, args...)
	if len(l.diags) > before {
		l.diags[before].Severity = diag.Warning
	}
}

// differs refuses what is not what the base says of the same name.
func (l *loader) differs(what string, here, there diag.Range, exit diag.Exit) {
	l.refuse(hclRange(here), exit, "Not what the trust base says", "%s is not what the trust base says at %s:%d.%s", what, there.Filename, there.Start.Line, merge)
}

// same reports whether two blocks lead to one state.
func (s *SharedState) same(other *SharedState) bool {
	if s == nil || other == nil {
		return s == other
	}
	return s.URL.Equal(other.URL) && cmp.Or(s.Schema, DefaultStateSchema) == cmp.Or(other.Schema, DefaultStateSchema)
}

// bindSettings takes over who signs evidence, for whom secrets are sealed, and
// where the base says that state, evidence and the log of decisions lie.
func (l *loader) bindSettings() {
	base := l.opts.Base
	if base == nil {
		return
	}
	s, b := &l.ws.Settings, &base.Settings
	unknown := s.Unplaced || b.Unplaced
	sameState := unknown || s.StatePath.Absolute == b.StatePath.Absolute && s.SharedState.same(b.SharedState)
	sameDir := unknown || s.EvidenceDir.Absolute == b.EvidenceDir.Absolute
	for _, part := range []struct {
		name string
		same bool
		// moved is set where it is not where the base has it, said there or not; from is that.
		moved bool
		from  string
		take  func()
	}{
		{"state", sameState, !sameState, b.StatePath.Written,
			func() { s.StatePath, s.SharedState = b.StatePath, b.SharedState }},
		{"evidence", sameDir && s.SignerKey.Written == b.SignerKey.Written, !sameDir, b.EvidenceDir.Written,
			func() { s.EvidenceDir, s.SignerKey = b.EvidenceDir, b.SignerKey }},
		{"seal", slices.Equal(s.SealRecipients, b.SealRecipients), false, "",
			func() { s.SealRecipients, s.SealIdentities = b.SealRecipients, b.SealIdentities }},
		{"decision_log", s.DecisionLog.Written == b.DecisionLog.Written, false, "",
			func() { s.DecisionLog, l.decisionLogAt = b.DecisionLog, base.declared["decision_log"] }},
	} {
		here, said := l.ws.declared[part.name]
		there, bound := base.declared[part.name]
		switch {
		case said && bound && !part.same:
			l.differs("The block "+part.name, diag.RangeOf(here), diag.RangeOf(there), diag.ExitError)
		case said && !bound && part.name == "seal":
			l.refuse(here, diag.ExitError, "Not in the trust base", "The trust base seals secrets for nobody else, and whoever is named here could read them.%s", merge)
		case said && !bound && part.name == "decision_log":
			l.refuse(here, diag.ExitError, "Not in the trust base", "The trust base logs no decisions, and planning would write to what is named here.%s", merge)
		case said && !bound && part.moved:
			l.refuse(here, diag.ExitError, "Not in the trust base", "The trust base does not say where the %s is, so it is in %s. Another place would know nothing of what was done: which plans and codes are spent, who judged, which reviews are owed. "+
				"Take it out here, or have the same block %s declared in the trust base first.", part.name, quoted(part.from), part.name)
		case bound && !said:
			part.take()
		}
	}
}

// bindPolicies puts the base's policies first; more may be judged beside them.
func (l *loader) bindPolicies() {
	if l.opts.Base == nil {
		return
	}
	var out []Policy
	for _, there := range l.opts.Base.Policies {
		there.Bound = true
		if i := slices.IndexFunc(l.ws.Policies, func(p Policy) bool { return p.Name == there.Name }); i >= 0 {
			here := l.ws.Policies[i]
			if here.Enforcement != there.Enforcement || here.Path.Written != there.Path.Written || !here.Signing.same(there.Signing) {
				l.differs("Policy "+quoted(here.Name), here.Range, there.Range, diag.ExitDenied)
			}
			l.ws.Policies = slices.Delete(l.ws.Policies, i, i+1)
			there.Copy, there.Range = here.Path, here.Range
		}
		out = append(out, there)
	}
	l.ws.Policies = append(out, l.ws.Policies...)
}

// bindApprovers makes the base's approvers the only ones.
func (l *loader) bindApprovers() {
	if l.opts.Base == nil {
		return
	}
	for _, here := range l.ws.Approvers {
		i := slices.IndexFunc(l.opts.Base.Approvers, func(a Approver) bool { return a.Name == here.Name })
		if i < 0 {
			l.ignored(here.Range, "An approver that the trust base does not have", "Approver %s does not count: the trust base has no such approver. "+
				"Have her agreed to there first.", quoted(here.Name))
			continue
		}
		if there := l.opts.Base.Approvers[i]; !there.same(here) {
			l.differs("Approver "+quoted(here.Name), here.Range, there.Range, diag.ExitMissing)
		}
	}
	l.ws.Approvers = l.opts.Base.Approvers
}

// same reports whether two blocks are about one person with one key.
func (a Approver) same(b Approver) bool {
	sorted := func(s []string) []string { return slices.Compact(slices.Sorted(slices.Values(s))) }
	return a.PublicKey == b.PublicKey && slices.Equal(sorted(a.Groups), sorted(b.Groups)) && slices.Equal(sorted(a.Identities), sorted(b.Identities)) &&
		a.NotAfter.Equal(b.NotAfter) && a.RevokedAt.Equal(b.RevokedAt) && a.Notify == b.Notify &&
		a.Identity == b.Identity && a.Issuer == b.Issuer
}

// bindVerifiers makes the base's verifiers the only ones.
func (l *loader) bindVerifiers() {
	if l.opts.Base == nil {
		return
	}
	for _, here := range l.ws.Verifiers {
		i := slices.IndexFunc(l.opts.Base.Verifiers, func(b *Block) bool { return b.Key() == here.Key() })
		if i < 0 {
			l.ignored(here.Range, "A verifier that the trust base does not have", "Verifier %s does not count: the trust base has no such verifier. "+
				"Have it agreed to there first.", here.Key())
			continue
		}
		if there := l.opts.Base.Verifiers[i]; !here.Attrs.Equal(there.Attrs) {
			l.differs("Verifier "+here.Key(), here.Range, there.Range, diag.ExitMissing)
		}
	}
	l.ws.Verifiers = l.opts.Base.Verifiers
}
