package providertest

import (
	"slices"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// checkHarness keeps the other rules honest: Login must be able to tell.
func checkHarness(b *bench) {
	if !b.login(b.f.Current) {
		b.Fatalf("Fixture.Login does not accept Fixture.Current: repair the harness first")
	}
	if b.login(b.wrong()) {
		b.Fatalf("Fixture.Login accepts a wrong secret: repair the harness first")
	}
}

func checkCapabilities(b *bench) {
	var set, mint, ends, fences bool
	for _, t := range b.h.Definition.Types {
		set = set || t.Kind != lifecycle.Minted
		mint = mint || t.Kind == lifecycle.Minted
		ends = ends || t.Sessions
		fences = fences || t.Fenced
	}
	_, isSetter := b.p.(provider.Setter)
	_, isMinter := b.p.(provider.Minter)
	_, isRevoker := b.p.(provider.Revoker)
	_, isEnder := b.p.(provider.SessionEnder)
	_, isController := b.p.(provider.Controller)
	_, isFencer := b.p.(provider.Fencer)
	if isSetter != set {
		b.Errorf("implements Setter: %t, but has in_place or overlapping types: %t; the two must agree", isSetter, set)
	}
	if isMinter != mint {
		b.Errorf("implements Minter: %t, but has minted types: %t; the two must agree", isMinter, mint)
	}
	if !isRevoker {
		b.Errorf("does not implement Revoker: containment and retirement start with it")
	}
	if isEnder != ends {
		b.Errorf("implements SessionEnder: %t, but has a type with Sessions: %t; the two must agree", isEnder, ends)
	}
	if isFencer != fences {
		b.Errorf("implements Fencer: %t, but has a type that is Fenced: %t; the two must agree", isFencer, fences)
	}
	if !isController && !b.f.Reported {
		b.Errorf("does not implement Controller: where Refused is tested, a control must show that the place that refuses is alive")
	}
	if b.typ.Sessions && b.f.OpenSession == nil {
		b.Errorf("the type declares Sessions, but Fixture.OpenSession is nil")
	}
	if o := b.inspect(b.f.Credential); o.Fenced && !b.typ.Fenced {
		b.Errorf("Inspect says Fenced, but the type does not declare it")
	}
}

func checkIdentity(b *bench) {
	first := b.identity(b.p)
	if first == "" {
		b.Errorf("Identity is empty: name the target itself (a system identifier, a host key, a fingerprint)")
	}
	again, err := b.h.Definition.Open(background(), b.f.Block)
	if err != nil {
		b.Fatalf("Open a second time: %v", err)
	}
	if second := b.identity(again); second != first {
		b.Errorf("Identity is %q, then %q over a second Open: a plan would never match its target", first, second)
	}
	if err := again.Close(); err != nil {
		b.Errorf("Close: %v", err)
	}
	b.issue()
	if third := b.identity(b.p); third != first {
		b.Errorf("Identity was %q and is %q after a change of the credential: it must name the target, not its content", first, third)
	}
}

func (b *bench) identity(p provider.Provider) string {
	b.Helper()
	id, err := p.Identity(background())
	b.leaks.look(b, "Identity", id, err)
	if err != nil {
		b.Fatalf("Identity: %v", err)
	}
	return id
}

// steady compares two observations but for what moves by itself.
func steady(a, b provider.Observation) string {
	return cmp.Diff(a, b, cmpopts.EquateEmpty(),
		cmpopts.IgnoreFields(provider.Observation{}, "Now", "LastUsed", "Sessions"))
}

func checkInspect(b *bench) {
	first := b.inspect(b.f.Credential)
	second := b.inspect(b.f.Credential)
	if diff := steady(first, second); diff != "" {
		b.Errorf("two Inspects of an untouched credential differ (IDs must be stable, nothing may change):\n%s", diff)
	}
	if !first.Exists || !first.Enabled {
		b.Errorf("Inspect of a working credential says Exists %t, Enabled %t", first.Exists, first.Enabled)
	}
	if first.Now.IsZero() || second.Now.Before(first.Now) {
		b.Errorf("Observation.Now is %v, then %v: it must be the target's clock, which does not run backwards", first.Now, second.Now)
	}
	if b.typ.Kind != lifecycle.InPlace && len(first.Versions) == 0 {
		b.Errorf("Inspect lists no versions of a working %s credential: the old one could not be named to Revoke", b.typ.Kind)
	}
	checkVersions(b, first)
	if !b.login(b.f.Current) {
		b.Errorf("the current secret no longer works after Inspect: it must have no side effects")
	}
}

func checkVersions(b *bench, o provider.Observation) {
	b.Helper()
	var seen []string
	for i, v := range o.Versions {
		if v.ID == "" || slices.Contains(seen, v.ID) {
			b.Errorf("version %d has the ID %q, which is empty or taken: Revoke could not name it", i, v.ID)
		}
		seen = append(seen, v.ID)
		if i > 0 && !v.Created.IsZero() && v.Created.After(o.Versions[i-1].Created) {
			b.Errorf("version %q is newer than the one before it: list the newest first", v.ID)
		}
	}
}

func checkAbsent(b *bench) {
	for range 2 {
		o := b.inspect(b.f.Absent)
		if o.Exists || o.Enabled || len(o.Versions) > 0 {
			b.Errorf("Inspect of Fixture.Absent says Exists %t, Enabled %t, %d versions: nothing of it is there (and looking must not make it)", o.Exists, o.Enabled, len(o.Versions))
		}
	}
	if p := b.probeAs(b.f.Absent, b.f.Current); p.Verdict == provider.Accepted {
		b.Errorf("Probe of Fixture.Absent is accepted: it must authenticate as the credential that it is given")
	}
}

func checkProbeAccepts(b *bench) {
	before := b.inspect(b.f.Credential)
	p := b.probe(b.f.Current)
	b.wantVerdict("the current secret", p, provider.Accepted)
	if diff := steady(before, b.inspect(b.f.Credential)); diff != "" {
		b.Errorf("Probe left something behind:\n%s", diff)
	}
	if !b.login(b.f.Current) {
		b.Errorf("the current secret no longer works after Probe")
	}
}

func checkProbeRefuses(b *bench) {
	wrong := b.wrong()
	refused := b.probe(wrong)
	b.wantVerdict("a wrong secret", refused, provider.Refused)
	accepted := b.probe(b.f.Current)
	if refused.Endpoint != accepted.Endpoint {
		b.Errorf("Probe refused at %q but accepts at %q: a refusal proves something only at the same place", refused.Endpoint, accepted.Endpoint)
	}
}

// wantVerdict checks a probe that the target answered.
func (b *bench) wantVerdict(what string, p provider.Probe, want provider.Verdict) {
	b.Helper()
	if p.Verdict != want {
		hint := ""
		switch {
		case want == provider.Refused && p.Verdict == provider.Disabled:
			hint = "; Disabled proves nothing about the secret: make the secret itself invalid too"
		case want == provider.Refused && p.Verdict == provider.Unclear:
			hint = "; a plain refusal must be told from time-outs and lock-outs"
		}
		b.Errorf("Probe of %s is %s (%s), want %s%s", what, p.Verdict, p.Detail, want, hint)
	}
	basis := lifecycle.Tested
	if b.f.Reported {
		basis = lifecycle.Reported
	}
	if p.Basis != basis {
		b.Errorf("Probe of %s has Basis %q, want %q", what, p.Basis, basis)
	}
	if p.Endpoint == "" {
		b.Errorf("Probe of %s names no Endpoint: evidence must say where", what)
	}
}

func checkProbeEmpty(b *bench) {
	p, err := b.p.Probe(background(), b.f.Credential, secret.Material{})
	b.leaks.look(b, "Probe", p, err)
	if err != nil {
		b.wantClassed("Probe of empty material", err)
	} else if p.Verdict == provider.Accepted {
		b.Errorf("Probe of empty material is accepted: it must try the material, not the target's own login")
	}
}

func checkControl(b *bench) {
	c, ok := b.p.(provider.Controller)
	if !ok {
		return
	}
	p, err := c.Control(background(), b.f.Credential)
	b.leaks.look(b, "Control", p, err)
	if err != nil {
		b.Fatalf("Control: %v", err)
	}
	if p.Verdict != provider.Accepted {
		b.Errorf("Control at a working target is %s (%s), want accepted", p.Verdict, p.Detail)
	}
	if at := b.probe(b.f.Current).Endpoint; p.Endpoint != at {
		b.Errorf("Control is at %q but Probe at %q: a control counts only at the same place", p.Endpoint, at)
	}
}

func checkList(b *bench) {
	l, ok := b.p.(provider.Lister)
	if !ok {
		return
	}
	names, err := l.List(background(), b.h.Type)
	b.leaks.look(b, "List", names, err)
	if err != nil {
		b.Fatalf("List: %v", err)
	}
	if len(names) == 0 {
		b.Errorf("List finds nothing at a target that has a credential")
	}
}
