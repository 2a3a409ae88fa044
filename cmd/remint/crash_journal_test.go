//go:build !race

package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// record is one of the journal about a reset, as it lies in the state.
type record struct {
	seq  int64
	kind journal.Kind
	step string
}

func (r record) phase() lifecycle.Phase {
	phase, _, _ := strings.Cut(r.step, ".")
	return lifecycle.Phase(phase)
}

// readRecords is the query for them, of either database.
const readRecords = "SELECT seq, kind, step FROM %s WHERE address <> '' ORDER BY seq"

// journalled reads the journal while no process is at work on it: none of what the
// program says of itself is asked.
func (c *crash) journalled(t *testing.T) ([]record, error) {
	t.Helper()
	if c.state != nil {
		return c.state.records(c.dir)
	}
	// A copy, so that looking changes nothing: a log that is left behind is taken in by
	// whoever opens it next.
	dir, err := os.MkdirTemp(workspaces(t), "s")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, name := range []string{"state.db", "state.db-wal"} {
		b, err := os.ReadFile(filepath.Join(c.dir, ".remint", name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name), b, 0o600)
		}
		if err != nil {
			return nil, err
		}
	}
	at := url.URL{Scheme: "file", Path: filepath.Join(dir, "state.db")}
	db, err := sql.Open("sqlite", at.String())
	if err != nil {
		return nil, err
	}
	defer db.Close()
	rows, err := db.Query(fmt.Sprintf(readRecords, "record"))
	if err != nil && strings.Contains(err.Error(), "no such table") { // it was not made yet
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var out []record
	for rows.Next() {
		var r record
		if err := rows.Scan(&r.seq, &r.kind, &r.step); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// stateOf looks into a state in PostgreSQL, a schema for each case. direct is how to
// get there.
type stateOf struct {
	direct string
	// fenced is whether the target rejects who holds an older lease, so that a runner
	// that is silent for long enough may be taken over.
	fenced bool
}

func (s *stateOf) connect() (*pgx.Conn, error) { return connected(context.Background(), s.direct) }

// sealed counts the secrets in it.
func (s *stateOf) sealed(dir string) (n int, err error) {
	c, err := s.connect()
	if err != nil {
		return 0, err
	}
	defer c.Close(context.Background())
	err = c.QueryRow(context.Background(), "SELECT count(*) FROM "+pgx.Identifier{roleOf(dir), "sealed"}.Sanitize()).Scan(&n)
	return n, err
}

func (s *stateOf) records(dir string) ([]record, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	defer c.Close(context.Background())
	rows, err := c.Query(context.Background(), fmt.Sprintf(readRecords, pgx.Identifier{roleOf(dir), "record"}.Sanitize()))
	if err != nil {
		return nil, err
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r record, err error) {
		return r, row.Scan(&r.seq, &r.kind, &r.step)
	})
	var no *pgconn.PgError
	if errors.As(err, &no) && (no.Code == "42P01" || no.Code == "3F000") { // it was not made yet
		return nil, nil
	}
	return out, err
}

// sight is what there was when the last process had ended.
type sight struct {
	target, stores string
	last           int64 // record of the journal
}

// changing and storing are the phases whose steps change the target, and the stores.
var (
	changing = []lifecycle.Phase{lifecycle.Issue, lifecycle.Install, lifecycle.Revoke}
	storing  = []lifecycle.Phase{lifecycle.Distribute}
)

// intended checks that the journal had said of whatever changed outside, since a process
// was looked at last, that it was about to be: promise 2. Nobody who was at work is
// asked, so that what died within its change counts too.
func (c *crash) intended(t *testing.T) error {
	t.Helper()
	records, err := c.journalled(t)
	if err != nil {
		return fmt.Errorf("the journal cannot be read: %w", err)
	}
	c.records = records
	now := sight{c.target(t, c.dir), c.stored(), c.seen.last}
	before := func(phases []lifecycle.Phase) bool {
		return slices.ContainsFunc(records, func(r record) bool {
			return r.seq > c.seen.last && r.kind == journal.Intend && slices.Contains(phases, r.phase())
		})
	}
	if now.target != c.seen.target && !before(changing) {
		return fmt.Errorf("the target changed, and no record of the journal had said that it was about to: %v", records)
	}
	if now.stores != c.seen.stores && !before(storing) {
		return fmt.Errorf("a store changed, and no record of the journal had said that it was about to: %v", records)
	}
	if len(records) > 0 {
		now.last = records[len(records)-1].seq
	}
	c.seen = now
	c.notice(t)
	return nil
}

// notice keeps which new secrets the target takes, or took when it was looked at before.
func (c *crash) notice(t *testing.T) {
	t.Helper()
	if c.accepted == nil {
		return
	}
	for _, secret := range c.accepted(t, c.dir) {
		if !slices.Contains(c.made, secret) && !slices.Contains(c.first, secret) {
			c.made = append(c.made, secret)
		}
	}
}

// newMade reports whether the new secret is in place at the target, and known: from
// there on one that works can be recovered, in every mode.
func (c *crash) newMade(t *testing.T) bool {
	t.Helper()
	if c.accepted == nil {
		return slices.ContainsFunc(c.records, func(r record) bool { return r.kind == journal.Done && r.phase() == lifecycle.Issue })
	}
	return slices.ContainsFunc(c.accepted(t, c.dir), func(secret string) bool { return slices.Contains(c.made, secret) })
}
