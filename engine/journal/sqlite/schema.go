package sqlite

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/remint-dev/remint/engine/journal"
)

const (
	applicationID = 0x72656d74 // "remt"
	schemaVersion = 1
)

// Times are nanoseconds since 1970, 0 for none. What is large stands in tables of
// its own, so that lists do not read it. A sealed row is written once at the end
// of its table and overwritten with zeros where it stands when it is erased: rows
// of that table never move, so no copy of a ciphertext can stay behind.
const schema = `
CREATE TABLE run (
	n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, plan_id TEXT NOT NULL UNIQUE, plan_digest TEXT NOT NULL,
	operator TEXT NOT NULL, opened_at INTEGER NOT NULL, closed_at INTEGER NOT NULL DEFAULT 0, outcome TEXT NOT NULL DEFAULT '');
CREATE TABLE run_body (run INTEGER PRIMARY KEY REFERENCES run, plan BLOB, meta BLOB);
CREATE TABLE record (
	seq INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES run, address TEXT NOT NULL, step TEXT NOT NULL,
	kind TEXT NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB);
CREATE INDEX record_run ON record (run);
CREATE INDEX record_address ON record (run, address);
CREATE TABLE sealed (n INTEGER PRIMARY KEY AUTOINCREMENT, ciphertext BLOB NOT NULL);
CREATE TABLE sealed_name (
	run INTEGER NOT NULL REFERENCES run, address TEXT NOT NULL, name TEXT NOT NULL, n INTEGER NOT NULL REFERENCES sealed,
	PRIMARY KEY (run, address, name)) WITHOUT ROWID;
CREATE TABLE bundle (
	seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, file TEXT NOT NULL, line BLOB);
CREATE INDEX bundle_unfiled ON bundle (seq) WHERE line IS NOT NULL;
CREATE TABLE credential (
	address TEXT PRIMARY KEY, run TEXT NOT NULL, at INTEGER NOT NULL, proof TEXT NOT NULL, version TEXT NOT NULL,
	mode TEXT NOT NULL, generation INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE lease (
	key TEXT PRIMARY KEY, fence INTEGER NOT NULL, run TEXT NOT NULL, holder TEXT NOT NULL, since INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX lease_run ON lease (run) WHERE run <> '';
`

// prepareSchema makes the tables in an empty file, and refuses every file that is
// not a state of this version. It changes nothing in a file that it refuses.
func prepareSchema(ctx context.Context, db *sql.DB, path string, wait time.Duration) error {
	fresh, err := checkSchema(ctx, db, path)
	if err != nil {
		return err
	}
	if err := toWAL(ctx, db, wait); err != nil {
		return openFailure(path, err)
	}
	if !fresh {
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return openFailure(path, err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return openFailure(path, err)
	}
	if fresh, err = checkSchema(ctx, conn, path); fresh { // still, now that nobody else can write
		_, err = conn.ExecContext(ctx, schema+fmt.Sprintf("PRAGMA application_id=%d; PRAGMA user_version=%d;", applicationID, schemaVersion))
	}
	if err == nil {
		_, err = conn.ExecContext(ctx, "COMMIT")
	}
	return openFailure(path, err) // what failed ends with its connection
}

type queryer interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// checkSchema reports whether the file is still empty.
func checkSchema(ctx context.Context, db queryer, path string) (fresh bool, err error) {
	var app, version int64
	var tables int
	// In one statement, so at one moment: another process may be making the tables.
	const query = "SELECT application_id, user_version, (SELECT count(*) FROM sqlite_schema) FROM pragma_application_id, pragma_user_version"
	if err := db.QueryRowContext(ctx, query).Scan(&app, &version, &tables); err != nil {
		return false, openFailure(path, err)
	}
	switch {
	case app == 0 && version == 0 && tables == 0:
		return true, nil
	case app != applicationID:
		return false, fmt.Errorf("%s is a SQLite database of another program: give another path for the state", path)
	case version > schemaVersion:
		return false, fmt.Errorf("%s: %w (format %d, this one knows %d): install that version", path, journal.ErrNewer, version, schemaVersion)
	case version < 1 || tables == 0:
		return false, fmt.Errorf("%s is damaged (format %d, %d tables): restore it from a backup", path, version, tables)
	}
	return false, nil
}

// toWAL turns on write-ahead logging. SQLite does not wait for other processes
// here, so this does.
func toWAL(ctx context.Context, db *sql.DB, wait time.Duration) error {
	for end := time.Now().Add(wait); ; {
		var mode string
		err := db.QueryRowContext(ctx, "PRAGMA journal_mode=WAL").Scan(&mode)
		if err == nil && mode != "wal" {
			return errors.New("write-ahead logging does not work here: put the state on a local file system")
		}
		if code(err) != sqlite3.SQLITE_BUSY || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// connector opens connections without registering a name for them.
type connector struct{ dsn string }

func newConnector(dsn string) driver.Connector { return connector{dsn} }

// Connect opens one more connection.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.Driver().Open(c.dsn) }

// Driver is SQLite's.
func (connector) Driver() driver.Driver { return &modernc.Driver{} }
