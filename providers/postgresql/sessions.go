package postgresql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/remint-dev/remint/engine/provider"
)

// endSQL signals the role's sessions that began before the cut-off, and lists
// them; the row is there even when none is. One that began in the future did so
// by a clock that was set back since: nothing says that it is newer than the
// change. Sessions of the role that took another by SET ROLE count, walsenders
// too; parallel workers end with their leader. Without the right to see when
// sessions began, they are hidden ones. Where there is no such role, sessions of
// roles that were dropped are strays: they may be its.
const endSQL = `WITH role AS MATERIALIZED (
	SELECT oid FROM pg_catalog.pg_roles WHERE rolname = $1
), sessions AS MATERIALIZED (
	SELECT pid, usesysid, backend_start FROM pg_catalog.pg_stat_activity
	WHERE pid <> pg_backend_pid() AND backend_type IS DISTINCT FROM 'parallel worker'
), mine AS MATERIALIZED (
	SELECT pid, backend_start FROM sessions WHERE usesysid = (SELECT oid FROM role)
), old AS MATERIALIZED (
	SELECT pid, backend_start, pg_terminate_backend(pid) FROM mine WHERE backend_start < $2 OR backend_start > clock_timestamp()
)
SELECT (SELECT count(*) FROM mine WHERE backend_start IS NULL),
	coalesce((SELECT array_agg(pid || '@' || extract(epoch FROM backend_start)) FROM old), '{}'),
	coalesce((SELECT array_agg(pid::text ORDER BY pid) FROM sessions s WHERE NOT EXISTS (SELECT FROM role)
		AND s.usesysid IS NOT NULL AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles r WHERE r.oid = s.usesysid)), '{}'),
	clock_timestamp()`

// maxWait bounds the wait for signalled sessions where ctx does not.
const maxWait = 30 * time.Second

// EndSessions signals the sessions that began before cutoff, or all of them where
// it is zero, and waits until they are gone, looking again while there are any. A
// session that others opened and that took this role by SET ROLE is theirs, and stays.
func (p *instance) EndSessions(ctx context.Context, m provider.Mutation, cutoff time.Time) (provider.Ended, error) {
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	defer cancel()
	role := m.Credential.Attrs.String("role")
	c, err := p.conn(ctx)
	if err != nil {
		return provider.Ended{}, err
	}
	defer c.Release()
	ended := map[string]bool{}
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 250*time.Millisecond) {
		found, now, err := p.endOnce(ctx, c.Conn(), role, cutoff)
		if err != nil {
			return provider.Ended{}, err
		}
		for _, s := range found {
			ended[s] = true
		}
		if len(found) == 0 {
			return provider.Ended{Count: len(ended), Now: now.UTC()}, nil
		}
		select {
		case <-ctx.Done():
			return provider.Ended{}, provider.Errorf(provider.Transient, "%d sessions of the role %q were told to end and are still there; they may hang in the operating system: see pg_stat_activity", len(found), role)
		case <-time.After(wait):
		}
	}
}

func (p *instance) endOnce(ctx context.Context, c *pgx.Conn, role string, cutoff time.Time) (found []string, now time.Time, err error) {
	var hidden int
	var strays []string
	before := pgtype.Timestamptz{Time: cutoff, Valid: true}
	if cutoff.IsZero() {
		before = pgtype.Timestamptz{InfinityModifier: pgtype.Infinity, Valid: true}
	}
	err = c.QueryRow(ctx, endSQL, role, before).Scan(&hidden, &found, &strays, &now)
	admin := ident(p.admin.User)
	switch {
	case state(err) == "42501":
		return nil, now, provider.Errorf(provider.Permanent, "the provider's login may not end sessions of the role %q (SQLSTATE 42501): %s; only superusers end a superuser's", role, sessionGrant(admin, false))
	case err != nil:
		return nil, now, p.readError(ctx, err, "end the sessions")
	case hidden > 0:
		return nil, now, provider.Errorf(provider.Permanent, "the provider's login may not see when %d sessions of the role %q began: %s", hidden, role, sessionGrant(admin, false))
	case len(strays) > 0:
		return nil, now, provider.Errorf(provider.Permanent, "there is no role %q any more, but %s of roles that were dropped: they may be its, and PostgreSQL does not tell. Look at them in pg_stat_activity, end them (SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN (%s)), and resume", role, counted(len(strays)), strings.Join(strays, ", "))
	}
	return found, now, nil
}

func counted(sessions int) string {
	if sessions == 1 {
		return "a session is open"
	}
	return fmt.Sprintf("%d sessions are open", sessions)
}
