package sqlite

import (
	"context"
	"errors"
	"fmt"

	modernc "modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/remint-dev/remint/engine/journal"
)

// code is SQLite's primary result code, 0 if err is not SQLite's.
func code(err error) int { return extended(err) & 0xff }

// wording says what a result code means to people. SQLite's own text is not
// shown: it can quote statements.
func wording(err error) error {
	switch code(err) {
	case 0:
		return err
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return errors.New("another process is writing to it and does not finish (is one stopped?)")
	case sqlite3.SQLITE_FULL:
		return errors.New("the disk is full")
	case sqlite3.SQLITE_NOTADB:
		return errors.New("it is not a SQLite database")
	case sqlite3.SQLITE_CORRUPT:
		return errors.New("it is damaged: restore it from a backup")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		return errors.New("it cannot be written")
	case sqlite3.SQLITE_CANTOPEN:
		return errors.New("it, or its -wal or -shm file, cannot be opened")
	case sqlite3.SQLITE_IOERR:
		return fmt.Errorf("the disk failed to read or write (SQLite code %d)", extended(err))
	case sqlite3.SQLITE_TOOBIG:
		return errors.New("a value is too large")
	case sqlite3.SQLITE_ERROR, sqlite3.SQLITE_SCHEMA, sqlite3.SQLITE_MISMATCH:
		return fmt.Errorf("its tables are not those of a state: it is damaged or was changed by hand (SQLite code %d)", extended(err))
	default:
		return fmt.Errorf("SQLite refused (code %d)", extended(err))
	}
}

func extended(err error) int {
	var e *modernc.Error
	if errors.As(err, &e) {
		return e.Code()
	}
	return 0
}

// openFailure words an error of opening the state; nil for none.
func openFailure(path string, err error) error {
	if code(err) == 0 {
		return err
	}
	return fmt.Errorf("the state %s cannot be opened: %w", path, wording(err))
}

// explain words an error of a call on an open journal.
func (s *store) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case s.shut.Load():
		return journal.ErrClosed
	case code(err) == 0:
		return err
	}
	return fmt.Errorf("the state %s: %w", s.path, wording(err))
}

// final reports whether nothing may be written after err: the disk, the file or
// the memory failed, and what is durable is unknown.
func final(err error) bool {
	switch code(err) {
	case sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_NOMEM,
		sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_INTERNAL:
		return true
	}
	return false
}
