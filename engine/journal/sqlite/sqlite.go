// Package sqlite keeps the journal in a SQLite file: the state of the runners
// that share that file.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver

	"github.com/remint-dev/remint/engine/journal"
)

// Options say how a state in a file is opened. The zero value is good.
type Options struct {
	// BusyTimeout is how long to wait for another process that is writing; 10 s if zero.
	BusyTimeout time.Duration
	// Now is the clock for the age of leases; time.Now if nil.
	Now func() time.Time
}

// store is a Journal in a SQLite file. One goroutine writes (writer.go), on one
// connection; readers have connections of their own and wait for nobody.
type store struct {
	path    string
	opts    Options
	write   *sql.DB
	read    *sql.DB
	w       *writer
	locks   *locks
	held    held
	poison  atomic.Pointer[error]
	shut    atomic.Bool // no read works any more, and no change is under way
	closing sync.Once
	closed  error
}

// Open opens the state in the file at path, and makes it (0600, its folder
// 0700) if there is none. Several processes may have it open at once.
//
// It refuses, without changing anything: a state of a newer version (ErrNewer),
// a file that is something else or damaged, symbolic and further hard links, and a
// file or folder that somebody else owns or may write. Beside the file stand its
// -wal and -shm, and `path`.d, whose files tell live runners from dead ones.
func Open(ctx context.Context, path string, opts Options) (journal.Journal, error) {
	if opts.BusyTimeout <= 0 {
		opts.BusyTimeout = 10 * time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	path, err := preparePlace(path)
	if err != nil {
		return nil, err
	}
	s := &store{path: path, opts: opts, locks: newLocks(path + ".d"), held: held{first: map[string]journal.Lease{}}}
	s.write = sql.OpenDB(newConnector(dsn(path, opts, false)))
	s.write.SetMaxOpenConns(1)
	if err := prepareSchema(ctx, s.write, path, opts.BusyTimeout); err != nil {
		_ = s.write.Close()
		return nil, err
	}
	s.read = sql.OpenDB(newConnector(dsn(path, opts, true)))
	s.read.SetMaxIdleConns(4) // no upper bound: who reads while iterating must never wait for itself
	if s.w, err = startWriter(ctx, s); err != nil {
		return nil, errors.Join(err, s.write.Close(), s.read.Close())
	}
	return s, nil
}

func dsn(path string, opts Options, readOnly bool) string {
	q := url.Values{"_pragma": {
		fmt.Sprintf("busy_timeout(%d)", opts.BusyTimeout.Milliseconds()),
		"synchronous(FULL)", "fullfsync(1)", "checkpoint_fullfsync(1)",
		"secure_delete(ON)", "foreign_keys(1)", "temp_store(MEMORY)", "cell_size_check(1)", "trusted_schema(0)",
	}}
	if readOnly {
		q.Add("_pragma", "query_only(1)")
	}
	u := url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path), RawQuery: q.Encode()}
	return u.String()
}

// Close writes everything into the state's own file, lets go of it, and of the
// locks that keep leases of this process alive. A second call changes nothing.
func (s *store) Close() error {
	s.closing.Do(func() {
		err := s.w.stop()
		s.shut.Store(true)
		if err = errors.Join(err, s.read.Close(), s.write.Close(), s.locks.closeAll()); err != nil {
			s.closed = fmt.Errorf("the state %s was not closed well: %w", s.path, wording(err))
		}
	})
	return s.closed
}

// broken gives the error that made the journal unusable, if there was one.
func (s *store) broken() error {
	if p := s.poison.Load(); p != nil {
		return *p
	}
	return nil
}

// breakWith makes the journal unusable for good: after a failed write or fsync
// nobody knows what the disk holds until the state is opened again.
func (s *store) breakWith(err error) error {
	err = fmt.Errorf("the state %s can no longer be trusted by this process, nothing more is written: %w; make room or repair the disk, then run `remint resume`", s.path, err)
	s.poison.CompareAndSwap(nil, &err)
	return s.broken()
}
