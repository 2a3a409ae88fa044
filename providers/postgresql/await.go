package postgresql

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// Await begins a change of the role as every change begins, and takes it back: one whose
// client is gone holds the role for as long as its COMMIT waits, and is to be seen once
// it lets go. It needs no more rights than a change, and no COMMIT of its own, which
// might have to wait as well.
func (p *instance) Await(ctx context.Context, c provider.Credential) error {
	conn, err := p.conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Release() // drops a connection whose transaction is open
	pg := conn.Conn().PgConn()
	_, err = p.alter(ctx, pg, c.Attrs.String("role"), change{})
	p.rollback(ctx, pg)
	var held heldError
	if errors.As(err, &held) {
		return provider.Errorf(provider.Conflict, "%v", err)
	}
	switch provider.ClassOf(err, provider.Ambiguous) {
	case provider.NotFound, provider.Conflict: // its turn had come: there is no such role, or a mark that is not remint's
		return nil
	}
	return err
}

// heldError says who holds the role.
type heldError struct{ error }

// Unwrap gives the error with its class.
func (e heldError) Unwrap() error { return e.error }

// holderSQL finds the session that is at a change of the role $1, as remint's changes
// queue up; others' do not.
const holderSQL = `SELECT a.pid::text, coalesce(a.usename, ''), coalesce(a.wait_event, '')
FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid,
	pg_catalog.hashtextextended('remint ' || $1::text, 0) AS k (key)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
	AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
	AND l.classid::bigint = (k.key >> 32) & 4294967295 AND l.objid::bigint = k.key & 4294967295`

// holder names the session that holds the role, in words that go on after "another
// transaction"; it says nothing where that is not to be seen.
func (p *instance) holder(ctx context.Context, pg *pgconn.PgConn, role string) string {
	p.rollback(ctx, pg)
	if pg.IsClosed() {
		return ""
	}
	result := pg.ExecParams(ctx, holderSQL, [][]byte{[]byte(role)}, nil, nil, nil).Read()
	if result.Err != nil || len(result.Rows) == 0 {
		return ""
	}
	pid, user, waits := string(result.Rows[0][0]), string(result.Rows[0][1]), string(result.Rows[0][2])
	out := fmt.Sprintf(" (session %s of the login %s", pid, addrs.Quote(user))
	switch waits {
	case "":
	case "SyncRep":
		out += ", whose COMMIT waits for a standby: see synchronous_standby_names"
	default:
		out += ", which waits for " + addrs.Visible(waits)
	}
	return out + ")"
}
