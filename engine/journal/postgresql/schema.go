package postgresql

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/engine/journal"
)

const formatVersion = 2

// Times of the journal are nanoseconds since 1970, 0 for none; times of leases and
// runners are the server's. A run has a row in at_work while a runner holds it:
// whoever writes to the run locks that row first, so that it cannot be taken over
// between the look and the commit. seen is when a runner was last heard of.
// batch is the number of its last commit, to be looked up where the answer to a COMMIT was
// lost. A bundle's line is kept, filed or not, until its run is closed and all of
// it is filed: another machine that finishes the run needs its evidence whole.
const tables = `
CREATE TABLE remint_state (format integer NOT NULL);
CREATE TABLE runner (
	n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, host text NOT NULL, pid integer NOT NULL,
	seen timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE commits (runner integer PRIMARY KEY REFERENCES runner ON DELETE CASCADE, batch bigint NOT NULL DEFAULT 0);
CREATE TABLE run (
	n bigint GENERATED ALWAYS AS IDENTITY UNIQUE, id text PRIMARY KEY, plan_id text NOT NULL CONSTRAINT run_spends_plan UNIQUE,
	plan_digest text NOT NULL, operator text NOT NULL, opened_at bigint NOT NULL, closed_at bigint NOT NULL DEFAULT 0,
	outcome text NOT NULL DEFAULT '');
CREATE TABLE run_body (run text PRIMARY KEY REFERENCES run, plan bytea, meta bytea);
CREATE TABLE record (
	seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, run text NOT NULL REFERENCES run, address text NOT NULL, step text NOT NULL,
	kind text NOT NULL, attempt integer NOT NULL, at bigint NOT NULL, data bytea);
CREATE INDEX record_run ON record (run, seq);
CREATE TABLE sealed (
	run text NOT NULL REFERENCES run, address text NOT NULL, name text NOT NULL, ciphertext bytea NOT NULL,
	PRIMARY KEY (run, address, name));
CREATE TABLE bundle (
	seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, id text NOT NULL CONSTRAINT bundle_is_unique UNIQUE, run text NOT NULL REFERENCES run,
	file text NOT NULL, line bytea, filed boolean NOT NULL DEFAULT false);
CREATE INDEX bundle_unfiled ON bundle (run, seq) WHERE NOT filed;
CREATE INDEX bundle_kept ON bundle (run) WHERE line IS NOT NULL;
CREATE TABLE credential (
	address text PRIMARY KEY, run text NOT NULL, at bigint NOT NULL, proof text NOT NULL, version text NOT NULL,
	mode text NOT NULL, generation bigint NOT NULL);
CREATE TABLE memo (key text PRIMARY KEY, value bytea NOT NULL);
CREATE TABLE at_work (
	run text PRIMARY KEY, runner integer NOT NULL REFERENCES runner, holder text NOT NULL, since timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE TABLE lease (
	key text PRIMARY KEY, fence bigint NOT NULL, run text NOT NULL, fenced boolean NOT NULL, holder text NOT NULL,
	since timestamptz NOT NULL);
CREATE INDEX lease_run ON lease (run) WHERE run <> '';
` + second

// second is what format 2 added: who lost a run while its session stood, with which
// keys. Such a one may wake.
const second = `
CREATE TABLE overtaken (
	key text NOT NULL, runner integer NOT NULL REFERENCES runner ON DELETE CASCADE, run text NOT NULL, holder text NOT NULL,
	since timestamptz NOT NULL, PRIMARY KEY (key, runner));
CREATE INDEX overtaken_runner ON overtaken (runner);
`

// prepare makes the tables where there are none and that is wanted, adds what a state
// of an earlier version lacks, and refuses every schema that is no state or one of a
// later version. It changes nothing in one that it refuses.
func (a access) prepare(ctx context.Context, conn *pgx.Conn) error {
	if err := a.direct(ctx, conn); err != nil {
		return err
	}
	format, err := a.check(ctx, conn)
	if err != nil || format == formatVersion {
		return err
	}
	if format == 0 && !a.opts.Create {
		return journal.ErrNotFound
	}
	tx, err := conn.Begin(ctx)
	if err != nil {
		return a.openError(ctx, err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(ctx)) }() // nothing, after Commit
	if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, 0)", a.class); err != nil {
		return a.openError(ctx, err)
	}
	if format, err = a.check(ctx, tx); err != nil || format == formatVersion { // somebody else was quicker
		return err
	}
	if format == 0 {
		err = a.make(ctx, tx)
	} else {
		_, err = tx.Exec(ctx, second)
	}
	if err == nil {
		_, err = tx.Exec(ctx, "INSERT INTO remint_state (format) VALUES ($1)", formatVersion)
	}
	if err == nil {
		err = tx.Commit(ctx)
	}
	if state(err) == "42501" {
		return fmt.Errorf("%s cannot be made: the login may not create it. Let its owner run: CREATE SCHEMA %s AUTHORIZATION %s", a.name(), ident(a.opts.Schema), ident(a.config.User))
	}
	return a.openError(ctx, err)
}

// make makes everything.
func (a access) make(ctx context.Context, tx pgx.Tx) error {
	var there bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_namespace WHERE nspname = $1)", a.opts.Schema).Scan(&there)
	if err == nil && !there {
		_, err = tx.Exec(ctx, "CREATE SCHEMA "+ident(a.opts.Schema))
	}
	if err == nil {
		_, err = tx.Exec(ctx, tables)
	}
	return err
}

type queryer interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// check gives the format of the state, 0 where there is none yet.
func (a access) check(ctx context.Context, q queryer) (format int, err error) {
	var marked bool
	var others int
	err = q.QueryRow(ctx, `SELECT coalesce(bool_or(relname = 'remint_state'), false), count(*)
		FROM pg_class JOIN pg_namespace s ON s.oid = relnamespace WHERE nspname = $1 AND relkind IN ('r', 'p', 'v', 'm', 'f')`, a.opts.Schema).Scan(&marked, &others)
	switch {
	case err != nil:
		return 0, a.openError(ctx, err)
	case !marked && others > 0:
		return 0, fmt.Errorf("%s: the schema holds something else: give another one for the state", a.name())
	case !marked:
		return 0, nil
	}
	err = q.QueryRow(ctx, "SELECT max(format) FROM remint_state").Scan(&format)
	switch {
	case err != nil:
		return 0, a.openError(ctx, err)
	case format > formatVersion:
		return 0, fmt.Errorf("%s: %w (format %d, this one knows %d): install that version", a.name(), journal.ErrNewer, format, formatVersion)
	case format < 1:
		return 0, fmt.Errorf("%s is damaged (format %d): restore it from a backup", a.name(), format)
	}
	return format, nil
}

// direct refuses a pooler between this program and the server: it may give a
// session's connection, and with it the locks that tell who is alive, to others.
func (a access) direct(ctx context.Context, conn *pgx.Conn) error {
	var pid uint32
	if err := conn.QueryRow(ctx, "SELECT pg_backend_pid()").Scan(&pid); err != nil {
		return a.openError(ctx, err)
	}
	if pid != conn.PgConn().PID() {
		return fmt.Errorf("%s is behind a connection pooler, and leases need a session of their own: give the server's own address", a.name())
	}
	return nil
}

func (a access) openError(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fmt.Errorf("%s cannot be opened: %w", a.name(), wording(ctx, err))
}

// errUnsettled: the server could not be asked whether a group was committed.
var errUnsettled = errors.New("the connection was lost while it was being written to, and the server cannot be asked what became of that")
