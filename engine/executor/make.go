package executor

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/verify"
)

// verify records who asked.
func (r *reset) verify() (entry, error) {
	var e entry
	e.fact("requester", "%s", r.job.File.Plan.Requester)
	v := r.job.Verified
	e.fact("strength", "%s", v.Level())
	if v.Level() == lifecycle.None {
		e.fact("detail", "the requester is a claim, not verified")
	} else {
		e.fact("identity", "%s", v.Identity)
		e.fact("bound", "%t", v.Bound)
	}
	var by []string
	for _, a := range v.Accepted {
		switch {
		case a.Address == "":
			by = append(by, a.Verifier)
		case a.Address == r.address && slices.ContainsFunc(r.Plan.Subjects(), func(who string) bool { return verify.Same(a.Identity, who) }):
			e.fact("subject_verified", "%s by %s at %s", a.Identity, a.Verifier, a.Strength)
		}
	}
	if len(by) > 0 {
		e.fact("verifiers", "%s", strings.Join(by, ", "))
	}
	for _, subject := range r.Plan.Subjects() {
		e.fact("subject", "%s", subject)
		e.fact("subject_strength", "%s", v.Subject(r.address, subject))
	}
	return e, nil
}

// approve records who agreed; the gate was asked before the run began.
func (r *reset) approve() (entry, error) {
	var e entry
	names := []string{}
	for _, a := range r.job.Gate.Approvals {
		names = append(names, a.Approver.Name)
	}
	slices.Sort(names)
	e.fact("approvers", "%s", strings.Join(names, ", "))
	if len(names) == 0 {
		e.fact("detail", "no approval was required")
	}
	return e, nil
}

// issue makes the new secret, in memory or at the target.
func (r *reset) issue(ctx context.Context, st config.Step, a *attempt) (entry, error) {
	var (
		e        entry
		material secret.Material
		err      error
	)
	if gen := r.Credential.Type.Issue.Generate; gen != nil {
		material, err = gen(st.Args)
	} else {
		e, material, err = r.mint(ctx, st, a)
	}
	if err != nil {
		return e, err
	}
	if err := r.seal(st.Addr.String(), material); err != nil {
		if r.effective(st.Phase) { // it lives at the target, and nobody has it
			err = provider.Errorf(provider.Ambiguous, "%v", err)
		}
		return e, err
	}
	return e, nil
}

// resolved notes that what may have happened in an earlier attempt had not, or
// was undone: the step is to begin now, for which the gates must be open and,
// where it is the first to change anything, the target must be as planned.
func (r *reset) resolved(ctx context.Context, st config.Step, a *attempt) error {
	a.uncertain = false
	if held := r.job.held(); held != nil && r.gated(st) {
		return held
	}
	if r.past.touchedBut(st.Addr.String()) {
		return nil
	}
	obs, err := r.x.Fleet.Observe(ctx, r.Credential)
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return errInterrupted // what was seen while it was cut off tells nothing
	case err != nil:
		return provider.Errorf(provider.ClassOf(err, provider.Transient), "%v", err)
	}
	return r.drift(ctx, obs)
}

// await sees that no earlier attempt is going on at the target any more. While one is, a
// look there shows what was before, and does not tell whether it takes effect: the reset
// would end as one that changed nothing, and the secret be erased that works afterwards.
func (r *reset) await(ctx context.Context) error {
	waits, ok := r.target.(provider.Awaiter)
	if !ok {
		return nil
	}
	err := waits.Await(ctx, r.cred)
	if err == nil {
		return nil
	}
	class := provider.ClassOf(err, provider.Ambiguous)
	said := "whether an earlier attempt took effect cannot be told while it may be going on: %v"
	if class == provider.Conflict {
		return errGoingOn{provider.Errorf(provider.Transient, said, err)}
	}
	return provider.Errorf(class, said, err)
}

// errGoingOn says that the target is at an earlier attempt: a person who looks there sees
// no more than a probe.
type errGoingOn struct{ error }

// Unwrap gives the error with its class.
func (e errGoingOn) Unwrap() error { return e.error }

// mint has the target make a version. What an earlier attempt left behind is
// found by its label and revoked first.
func (r *reset) mint(ctx context.Context, st config.Step, a *attempt) (entry, secret.Material, error) {
	var e entry
	minter, ok := r.target.(provider.Minter)
	if !ok {
		return e, secret.Material{}, errCapability("mint")
	}
	if a.uncertain {
		if err := r.await(ctx); err != nil {
			return e, secret.Material{}, err
		}
		n, err := r.revokeOrphans(ctx, st)
		if err != nil {
			return e, secret.Material{}, err
		}
		e.fact("orphans_revoked", "%d", n)
		if err := r.resolved(ctx, st, a); err != nil {
			return e, secret.Material{}, err
		}
	}
	if err := r.mine(ctx); err != nil {
		return e, secret.Material{}, err
	}
	m, applied, err := minter.Mint(ctx, r.mutation(st.Addr.String(), a.number), st.Args)
	r.known.Add(m) // also of a Mint that failed: its error may quote what it had made
	e.Version, e.At = applied.Version, applied.At
	e.fact("version", "%s", applied.Version)
	return e, m, err
}

func (r *reset) revokeOrphans(ctx context.Context, st config.Step) (int, error) {
	obs, err := r.target.Inspect(ctx, r.cred)
	if err != nil {
		return 0, err
	}
	if obs.Unlisted {
		return 0, provider.Errorf(provider.Transient, "whether an interrupted attempt left a version behind cannot be told: the target does not let its versions be read")
	}
	var orphans []string
	for _, v := range obs.Versions {
		if strings.HasPrefix(v.Label, r.label(st.Addr.String())) {
			orphans = append(orphans, v.ID)
		}
	}
	if len(orphans) == 0 {
		return 0, nil
	}
	revoker, ok := r.target.(provider.Revoker)
	if !ok {
		return 0, errCapability("revoke")
	}
	if err := r.mine(ctx); err != nil {
		return 0, err
	}
	_, err = revoker.Revoke(ctx, r.mutation(st.Addr.String(), 0), orphans)
	return len(orphans), err
}

// seal queues a secret; it is durable before the next effect begins.
func (r *reset) seal(name string, m secret.Material) error {
	r.known.Add(m)
	sealed, err := r.x.Seal.Seal(r.address, name, m)
	if err != nil {
		return provider.Errorf(provider.Permanent, "the secret cannot be sealed: %v", err)
	}
	r.batch.Seal = append(r.batch.Seal, journal.Sealed{Run: r.job.Run, Address: r.address, Name: name, Ciphertext: sealed})
	r.secrets[name] = m
	return nil
}

// install sets the new secret. When an earlier attempt may have done so, the
// target is asked whether it accepts it already.
func (r *reset) install(ctx context.Context, st config.Step, a *attempt) (entry, error) {
	var e entry
	setter, ok := r.target.(provider.Setter)
	if !ok {
		return e, errCapability("set")
	}
	m, err := r.newSecret(ctx, st)
	if err != nil {
		return e, err
	}
	if a.uncertain {
		if err := r.await(ctx); err != nil {
			return e, err
		}
		done, err := r.alreadySet(ctx, st, m, &e)
		if err != nil || done {
			return e, err
		}
		if err := r.resolved(ctx, st, a); err != nil {
			return e, err
		}
	}
	if err := r.mine(ctx); err != nil {
		return e, err
	}
	applied, err := setter.Set(ctx, r.mutation(st.Addr.String(), a.number), m)
	e.Version, e.At = applied.Version, applied.At
	if err == nil {
		e.fact("version", "%s", applied.Version)
		if applied.Detail != "" {
			e.fact("detail", "%s", applied.Detail)
		}
	}
	return e, err
}

// alreadySet finds out whether an interrupted Set took effect: by probing, and
// where the target lists versions by name or label, by its list. The target's clock at that
// moment serves as the time of the change: it is later than the change, and nobody
// but this program knew the new secret yet.
func (r *reset) alreadySet(ctx context.Context, st config.Step, m secret.Material, e *entry) (bool, error) {
	p, err := r.probe(ctx, "new", m, e)
	if err != nil {
		return false, err
	}
	if p.Verdict == provider.Unclear {
		return false, provider.Errorf(provider.Ambiguous, "whether the new secret was set cannot be told: %s", p.Detail)
	}
	obs, err := r.target.Inspect(ctx, r.cred)
	if err != nil {
		return false, provider.Errorf(provider.Ambiguous, "%v", err)
	}
	named := ""
	if id, ok := r.target.(provider.Identifier); ok {
		if named, err = id.VersionOf(m); err != nil {
			return false, err
		}
	}
	listed := slices.IndexFunc(obs.Versions, func(v provider.Version) bool {
		return v.ID == named || strings.HasPrefix(v.Label, r.label(st.Addr.String()))
	})
	switch {
	case listed >= 0:
		named = obs.Versions[listed].ID
	case p.Verdict != provider.Accepted:
		return false, nil
	}
	e.At, e.Version = obs.Now, named
	if named == "" && len(obs.Versions) > 0 {
		e.Version = obs.Versions[0].ID
	}
	e.fact("version", "%s", e.Version)
	e.fact("detail", "an interrupted attempt had set it already")
	return true, nil
}

// confirm sees that the target accepts the new secret.
func (r *reset) confirm(ctx context.Context, st config.Step) (entry, error) {
	var e entry
	m, err := r.newSecret(ctx, st)
	if err != nil {
		return e, err
	}
	p, err := r.probe(ctx, "new", m, &e)
	if err != nil {
		return e, err
	}
	switch p.Verdict {
	case provider.Accepted:
		return e, nil
	case provider.Unclear:
		return e, provider.Errorf(provider.Transient, "whether %s accepts the new secret cannot be told: %s", p.Endpoint, p.Detail)
	}
	return e, errNotAccepted{p}
}

// errNotAccepted is the target's refusal of the new secret.
type errNotAccepted struct{ provider.Probe }

// saidBy is the refusal that a person asserts.
func saidBy(who, target string) provider.Probe {
	return provider.Probe{Verdict: provider.Refused, Endpoint: target, Detail: who + " says so"}
}

// Error names the place and its answer.
func (e errNotAccepted) Error() string {
	return "the new secret is not accepted: " + describe(e.Probe)
}

// newSecret is what st handles: loading a runbook sees to it that it names one.
func (r *reset) newSecret(ctx context.Context, st config.Step) (secret.Material, error) {
	return r.material(ctx, st.Secret.String())
}

func errCapability(what string) error {
	return provider.Errorf(provider.Permanent, "the provider cannot %s credentials of this type", what)
}

// isNotAccepted reports whether err is the target's refusal of the new secret.
func isNotAccepted(err error) bool {
	var e errNotAccepted
	return errors.As(err, &e)
}
