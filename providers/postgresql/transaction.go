package postgresql

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/provider"
)

// alter begins the transaction. Nothing has happened when it fails.
func (p *instance) alter(ctx context.Context, pg *pgconn.PgConn, role string, ch change) (standing, error) {
	clauses := ""
	if ch.clauses != nil {
		var err error
		if clauses, err = ch.clauses(pg); err != nil {
			return standing{}, err
		}
	}
	name, err := pg.EscapeString(role)
	if err != nil {
		return standing{}, provider.Errorf(provider.Permanent, "the PostgreSQL server %s does not take quoted text as UTF-8; a pooler in `url` may be in the way: name the server itself", p.where)
	}
	results, err := pg.Exec(ctx, fmt.Sprintf(alterSQL, patience(ctx).Milliseconds(), name, ident(role), clauses, mayFence(major(pg)), name)).ReadAll()
	if err != nil {
		return standing{}, p.alterError(ctx, err, role, pg)
	}
	row := lastRow(results)
	if len(row) != 3 {
		return standing{}, provider.Errorf(provider.Transient, "the PostgreSQL server %s did not answer as expected when the role %q was changed; nothing was committed", p.where, role)
	}
	mark, ok := parseMark(string(row[0]))
	if !ok {
		return standing{}, provider.Errorf(provider.Conflict, "the setting %s of the role %q is not one that remint wrote, so it cannot be told who changed the role last: check it in pg_db_role_setting, then ALTER ROLE %s RESET %s", fenceSetting, role, ident(role), ident(fenceSetting))
	}
	return standing{mark: mark, canFence: string(row[1]) == "t", canRead: string(row[2]) == "t"}, nil
}

// patience is how long a change waits for another one of the role: so long that time is
// left to say who holds it.
func patience(ctx context.Context) time.Duration {
	out := 20 * time.Second
	if end, ok := ctx.Deadline(); ok {
		out = min(out, max(time.Until(end)*3/4, time.Millisecond)) // 0 would be for ever
	}
	return out
}

// A revocation must survive a crash, and a runner that is stopped in the middle
// must not keep others out.
const alterSQL = `BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
SELECT pg_catalog.set_config('synchronous_commit', CASE s WHEN 'off' THEN 'on' ELSE s END, true),
	pg_catalog.set_config('lock_timeout', '%dms', true),
	pg_catalog.set_config('idle_in_transaction_session_timeout', '20s', true)
	FROM pg_catalog.current_setting('synchronous_commit') s;
SELECT pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('remint %s', 0));
ALTER ROLE %s %s;
SELECT ` + markSQL + `, %s, ` + mayReadSQL + ` FROM pg_catalog.pg_roles r WHERE r.rolname = '%s'`

// admit refuses a token smaller than one seen before.
func (st standing) admit(m provider.Mutation) error {
	if m.Fence > 0 && m.Fence < st.mark.fence {
		return provider.Errorf(provider.Conflict, "the role %q was changed by a later run (fence %d, this run's is %d): this run has been taken over; nothing was changed", m.Credential.Attrs.String("role"), st.mark.fence, m.Fence)
	}
	return nil
}

// next is the mark after a change: who made the version that stays is not forgotten.
func (st standing) next(m provider.Mutation, ch change) mark {
	out := mark{fence: max(st.mark.fence, m.Fence), version: ch.version, label: plainLabel(m.Label)}
	if ch.clauses == nil {
		out.version, out.label = st.mark.version, st.mark.label
	}
	return out
}

// commit writes the mark where it may, commits, and then reads the clock: a
// session that began before this moment may be an old one. Whatever the clock was
// set to since, one that is there already is: the moment is later than its start.
// Unless the server itself says that it rolled back, a failure leaves the outcome
// unknown.
func (p *instance) commit(ctx context.Context, pg *pgconn.PgConn, role string, st standing, next mark) (time.Time, error) {
	var sql strings.Builder
	if st.canFence {
		fmt.Fprintf(&sql, "ALTER ROLE %s SET %s TO '%s'; ", ident(role), ident(fenceSetting), next)
	}
	name, err := pg.EscapeString(role)
	if err != nil {
		return time.Time{}, err // alter escaped it
	}
	fmt.Fprintf(&sql, "COMMIT; "+latestSQL, name)
	if err := ctx.Err(); err != nil { // pgconn.SafeToRetry tells too little: it is true of broken reads
		p.rollback(ctx, pg)
		return time.Time{}, p.alterError(ctx, err, role, pg)
	}
	results, err := pg.Exec(ctx, sql.String()).ReadAll()
	var server *pgconn.PgError
	committed := false
	for _, r := range results {
		committed = committed || r.CommandTag.String() == "COMMIT"
	}
	switch row := lastRow(results); {
	case err == nil && committed && len(row) == 1:
		return microseconds(string(row[0])), nil
	case errors.As(err, &server) && server.Severity == "ERROR":
		p.rollback(ctx, pg)
		return time.Time{}, p.alterError(ctx, err, role, pg)
	}
	return time.Time{}, provider.Errorf(provider.Ambiguous, "the PostgreSQL server %s did not confirm the change of the role %q (%s): it may have happened", p.where, role, reason(ctx, err))
}

// rollback ends a failed transaction, so that the connection can be used again.
func (p *instance) rollback(ctx context.Context, pg *pgconn.PgConn) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if !pg.IsClosed() {
		_, _ = pg.Exec(ctx, "ROLLBACK").ReadAll()
	}
}

// clockSQL is the server's clock in microseconds since 1970.
const clockSQL = `SELECT (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint::text`

// latestSQL is the same, but later than the start of each session of the role %s.
const latestSQL = `SELECT (extract(epoch FROM greatest(pg_catalog.clock_timestamp(), max(a.backend_start) + interval '1 microsecond')) * 1000000)::bigint::text
	FROM pg_catalog.pg_stat_activity a WHERE a.usesysid = (SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname = '%s')`

func (p *instance) now(ctx context.Context) (time.Time, error) {
	var text string
	if err := p.pool.QueryRow(ctx, clockSQL).Scan(&text); err != nil {
		return time.Time{}, provider.Errorf(provider.Ambiguous, "the PostgreSQL server %s does not tell the time: %s", p.where, reason(ctx, err))
	}
	return microseconds(text), nil
}

func microseconds(text string) time.Time {
	n, _ := strconv.ParseInt(text, 10, 64) // clockSQL's bigint
	return time.UnixMicro(n).UTC()
}

func lastRow(results []*pgconn.Result) [][]byte {
	if len(results) == 0 || len(results[len(results)-1].Rows) == 0 {
		return nil
	}
	return results[len(results)-1].Rows[0]
}
