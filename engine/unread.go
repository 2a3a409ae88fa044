package engine

import (
	"context"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/trust"
)

// A run that is half done must not wait for policies that somebody deleted, broke or
// took back to an older revision: it would leave a door open, or a secret in no store.
// Policies that cannot be read deny, and a denial in a resume holds what has not
// begun; the rest was allowed when the run was opened, and goes on.

// loadAnyway is load for who goes on without policies: unread says why they, or the
// trust base's, cannot be read or are not what they should be.
func (e *Engine) loadAnyway(offline bool) (w *config.Workspace, base *trustBase, unread, diags diag.Diagnostics) {
	if base, diags = e.readBase(offline); diags.HasErrors() {
		return nil, nil, nil, diags
	}
	if base != nil {
		if unread = base.unread; !unread.HasErrors() {
			diags = append(diags, e.pinned(base.model)...)
		}
	}
	if diags.HasErrors() {
		return nil, nil, nil, diags
	}
	w, unlike, faults := e.loadUnder(offline, base)
	return w, base, append(unread, unlike...), append(diags, faults...)
}

// readPolicies compiles the policies of today.
func (s *session) readPolicies(ctx context.Context, n need) diag.Diagnostics {
	sources, diags := s.engine.PolicySources(s.workspace)
	if diags.HasErrors() {
		return diags
	}
	s.sources = sources
	set, faults := s.logging(n).Compile(ctx, sources)
	s.policies = set
	return append(diags, faults...)
}

// logging are the options of policies that decide something. Offline, a stranger's
// workspace says where the log is.
func (s *session) logging(n need) policy.Options {
	options := s.engine.policyOptions(s.workspace)
	if n.offline || n.look || n.unlogged {
		options.Log = nil
	}
	return options
}

// refused logs that nothing can be asked, which denies a plan or its application like an
// answer. It gives back faults, and what kept it from being logged.
func (s *session) refused(ctx context.Context, n need, faults diag.Diagnostics) diag.Diagnostics {
	if n.judges || ctx.Err() != nil || faults.Exit() != diag.ExitDenied {
		return faults
	}
	return append(slices.Clone(faults), s.logging(n).Unasked(policy.StagePlan, s.engine.opts.Now(), faults)...)
}

// withoutPolicies has every question denied from now on, because of faults.
func (s *session) withoutPolicies(faults diag.Diagnostics) {
	s.policies.Close()
	s.policies, s.unread = s.engine.policyOptions(s.workspace).Unread("", faults), faults
}

// pinnedBut holds the judges against the pin for one run when the policies of today
// could not be read: with the policies that the run keeps in their place, since those
// of today are asked nothing.
func (s *session) pinnedBut(m meta) diag.Diagnostics {
	pin := s.engine.opts.Trust.Pin
	if !s.unpinned || pin == "" {
		return nil
	}
	w := s.workspace
	if s.base != nil {
		w = s.base.workspace
	}
	digests, faults := policy.Digests(m.sources())
	if model := trust.Of(w, digests, s.trust.Signer); faults.HasErrors() || model.Digest() != pin {
		return diag.Errored(0, "Not the pinned trust base", "The policies cannot be read, and the trust base is not the one that REMINT_TRUST asks for (%s) with those that the run keeps in their place either: "+
			"something else is not as pinned. Nothing was changed. Mend the policies, or see `remint trust show`.", pin)
	}
	return nil
}

// heldWithout says why nothing irreversible begins without policies.
func (s *session) heldWithout() string {
	var why []string
	for _, d := range s.unread {
		if d.Severity != diag.Error {
			continue
		}
		if len(why) == maxUnread {
			why = append(why, "And more.")
			break
		}
		line, more, _ := strings.Cut(d.Detail, "\n") // the rest is Rego, and is shown with its place
		if why = append(why, line); more != "" {
			why[len(why)-1] += "."
		}
	}
	return "the policies cannot be read, and what cannot be asked denies: " + strings.Join(why, " ") + " Mend them and resume, or plan again"
}

// maxUnread is how many faults of policies are told within a sentence; all of them are
// shown as warnings.
const maxUnread = 3

// warned makes what kept policies from being read warnings: it holds what has not
// begun, and stops nothing else.
func warned(unread diag.Diagnostics) diag.Diagnostics {
	if !unread.HasErrors() {
		return unread
	}
	out := slices.Clone(unread)
	for i := range out {
		out[i].Severity, out[i].Exit = diag.Warning, 0
	}
	return out.Warnf("The policies cannot be read", "Nothing that they would have to allow is begun. What restores a working secret or finishes a reset goes on without them.")
}
