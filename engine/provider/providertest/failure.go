package providertest

import (
	"context"
	"errors"

	"github.com/remint-dev/remint/engine/provider"
)

// wantClassed checks that the engine can tell from err what to do next.
func (b *bench) wantClassed(call string, err error) {
	b.Helper()
	var classed *provider.Error
	if !errors.As(err, &classed) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("%s: the error %q has no class: use provider.Errorf, and say what to do", call, err)
	}
}

// checkCancelled calls everything with a context that has ended.
func checkCancelled(b *bench) {
	ctx, cancel := context.WithCancel(background())
	cancel()
	id, err := b.p.Identity(ctx)
	b.leaks.look(b, "Identity", id, err)
	if err != nil { // what is known already may be told without asking
		b.wantClassed("Identity with a cancelled context", err)
	}
	o, err := b.p.Inspect(ctx, b.f.Credential)
	b.wantCancelled("Inspect", o, err)
	p, err := b.p.Probe(ctx, b.f.Credential, b.f.Current)
	b.leaks.look(b, "Probe", p, err)
	switch {
	case err != nil:
		b.wantClassed("Probe with a cancelled context", err)
	case p.Verdict != provider.Unclear:
		b.Errorf("Probe with a cancelled context is %s, want an error or unclear", p.Verdict)
	}
	if s, ok := b.p.(provider.Setter); ok && settable(b.typ) {
		m := b.fresh()
		a, err := s.Set(ctx, b.mutation(b.f.Credential), m)
		b.wantCancelled("Set", a, err)
		if b.nothingHappened(err) && b.login(m) {
			b.Errorf("Set with a cancelled context says by its class that nothing happened, but the new secret works: say Ambiguous")
		}
	}
	if mi, ok := b.p.(provider.Minter); ok && minted(b.typ) {
		m, a, err := mi.Mint(ctx, b.mutation(b.f.Credential), b.args)
		b.learn(m)
		b.wantCancelled("Mint", a, err)
	}
	if r, ok := b.p.(provider.Revoker); ok {
		a, err := r.Revoke(ctx, b.mutation(b.f.Credential), nil)
		b.wantCancelled("Revoke", a, err)
		if b.nothingHappened(err) && !b.login(b.f.Current) {
			b.Errorf("Revoke with a cancelled context says by its class that nothing happened, but the current secret is dead: say Ambiguous")
		}
	}
}

// nothingHappened is what the engine concludes from a change's error.
func (b *bench) nothingHappened(err error) bool {
	return err != nil && provider.ClassOf(err, provider.Ambiguous) != provider.Ambiguous
}

func (b *bench) wantCancelled(call string, answer any, err error) {
	b.Helper()
	b.leaks.look(b, call, answer, err)
	if err == nil {
		b.Errorf("%s with a cancelled context succeeds: look at the context before doing anything", call)
		return
	}
	b.wantClassed(call+" with a cancelled context", err)
}

// checkUnreachable opens a target that is not there.
func checkUnreachable(b *bench) {
	if b.f.Unreachable.Name == "" {
		b.Logf("Fixture.Unreachable is not given: not checked")
		return
	}
	p, err := b.h.Definition.Open(background(), b.f.Unreachable)
	b.leaks.look(b, "Open", nil, err)
	if err != nil {
		b.wantClassed("Open of an unreachable target", err)
		return
	}
	defer func() { _ = p.Close() }()
	if o, err := p.Inspect(background(), b.f.Credential); err != nil {
		b.leaks.look(b, "Inspect", o, err)
		b.wantClassed("Inspect of an unreachable target", err)
	} else if o.Enabled {
		b.Errorf("Inspect of an unreachable target says Enabled")
	}
	answer, err := p.Probe(background(), b.f.Credential, b.f.Current)
	b.leaks.look(b, "Probe", answer, err)
	switch {
	case err != nil:
		b.wantClassed("Probe of an unreachable target", err)
	case answer.Verdict != provider.Unclear:
		b.Errorf("Probe of an unreachable target is %s: no answer is Unclear or an error, never a verdict on the secret", answer.Verdict)
	}
	if c, ok := p.(provider.Controller); ok {
		answer, err := c.Control(background(), b.f.Credential)
		b.leaks.look(b, "Control", answer, err)
		if err == nil && answer.Verdict == provider.Accepted {
			b.Errorf("Control of an unreachable target is accepted")
		}
	}
}
