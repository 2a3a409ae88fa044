package providertest

import (
	"time"

	"github.com/remint-dev/remint/engine/provider"
)

// checkSessions opens one session before the change and one after it.
func checkSessions(b *bench) {
	if b.f.OpenSession == nil {
		b.Fatalf("the type declares Sessions: give the Fixture an OpenSession")
	}
	ender, ok := b.p.(provider.SessionEnder)
	if !ok {
		b.Fatalf("the type declares Sessions: implement provider.SessionEnder")
	}
	old := b.f.OpenSession(b.t, b.f.Current)
	if !old() {
		b.Fatalf("the session that Fixture.OpenSession opened does not work: repair the harness first")
	}
	if o := b.inspect(b.f.Credential); o.Sessions == 0 {
		b.Errorf("Inspect says 0 sessions while one is open; say -1 where the target does not tell")
	}
	m, a := b.issue()
	if !old() {
		b.Logf("the change itself ended the old session")
	}
	young := b.f.OpenSession(b.t, m)

	end := func(cutoff time.Time) provider.Ended {
		e, err := ender.EndSessions(background(), b.mutation(b.f.Credential), cutoff)
		b.leaks.look(b, "EndSessions", e, err)
		if err != nil {
			b.Fatalf("EndSessions: %v", err)
		}
		return e
	}
	e := end(a.At)
	if old() {
		b.Errorf("a session begun before the cut-off lives after EndSessions: it must wait until it is gone")
	}
	if e.Now.Before(a.At) {
		b.Errorf("Ended.Now %v is before the cut-off %v: take it from the target's clock", e.Now, a.At)
	}
	if b.typ.SelectiveSessions && !young() {
		b.Errorf("a session begun after the cut-off was ended, but the type declares SelectiveSessions")
	}
	if !b.typ.SelectiveSessions && young() {
		b.Errorf("a session lives after EndSessions, but a type without SelectiveSessions must end all")
	}
	end(a.At)
	if b.typ.SelectiveSessions && !young() {
		b.Errorf("the second EndSessions with the same cut-off ended a later session: it must be idempotent")
	}
	if end(time.Time{}); young() {
		b.Errorf("a session lives after EndSessions with a zero cut-off, which means all of them")
	}
	b.wantLive("the new secret after EndSessions", m)
}
