// Package postgresql keeps the journal in a PostgreSQL database: the state that
// runners on several machines share, and that outlives each of them.
//
// Writes of many steps are committed together by one goroutine on a connection of
// its own (writer.go). A second connection says that this process is alive
// (presence.go). Reads take a few from a pool, for one page at a time.
package postgresql

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/remint-dev/remint/engine/journal"
)

// DefaultSchema is where the tables are unless told.
const DefaultSchema = "remint"

// Options say how a state is opened. The zero value is good.
type Options struct {
	// Schema holds the tables; DefaultSchema if empty. Several states can share a
	// database, each in a schema of its own.
	Schema string
	// Create makes schema and tables where there are none; without it, a state that
	// is not there is ErrNotFound.
	Create bool
	// Patience is how long a lost connection is tried again, and a server that is
	// silent waited for, before what was written last counts as unknown; 30 s if zero.
	Patience time.Duration
	// Hurry, if set, ends when nobody wants to wait any more: from then on a server
	// that is silent is waited for no longer than a few seconds.
	Hurry context.Context
}

// store is a Journal in a PostgreSQL schema.
type store struct {
	access
	read     *pgxpool.Pool
	w        *writer
	presence *presence
	held     held
	silence  silence
	poison   atomic.Pointer[error]
	shut     atomic.Bool
	closing  sync.Once
	closed   error
}

// Open opens the state at url, a connection string as libpq takes it. It logs in
// by SCRAM alone, or without a password by the server's leave: it never shows the
// password to a server. Errors quote neither password nor statement.
//
// It refuses a state of a newer version (ErrNewer), and poolers that hand one
// session's connection to another: leases stand and fall with a session.
func Open(ctx context.Context, url string, o Options) (journal.Journal, error) {
	if o.Schema == "" {
		o.Schema = DefaultSchema
	}
	if o.Patience <= 0 {
		o.Patience = 30 * time.Second
	}
	a, err := newAccess(url, o)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	conn, err := a.connect(ctx, writerSettings)
	if err != nil {
		return nil, a.connectError(ctx, err)
	}
	s := &store{access: a}
	if err := s.prepare(ctx, conn); err != nil {
		return nil, errors.Join(err, closeConn(conn))
	}
	if s.presence, err = s.register(ctx, conn); err != nil {
		return nil, errors.Join(err, closeConn(conn))
	}
	if s.read, err = a.pool(); err != nil {
		return nil, errors.Join(err, s.presence.stop(), closeConn(conn))
	}
	s.w = startWriter(ctx, s, conn)
	return s, nil
}

// Check finds what is wrong with a connection string or a schema's name without
// connecting. What it says does not quote the string.
func Check(url, schema string) error {
	if schema == "" {
		schema = DefaultSchema
	}
	_, err := newAccess(url, Options{Schema: schema})
	return err
}

// Close lets go of the state and of every lease that this process still has. A
// second call changes nothing.
func (s *store) Close() error {
	s.closing.Do(func() {
		s.w.stop()
		s.shut.Store(true)
		if err := s.presence.stop(); err != nil && s.broken() == nil {
			s.closed = fmt.Errorf("%s was not closed well: %w", s.name(), wording(context.Background(), err))
		}
		s.closePool()
	})
	return s.closed
}

// closePool lets go of the readers. Those that a network has swallowed take longer
// to see that than anybody wants to wait: they end with the process.
func (s *store) closePool() {
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		s.read.Close()
	}()
	select {
	case <-closed:
	case <-time.After(soon):
	}
}

// broken gives the error that made the journal unusable, if there was one.
func (s *store) broken() error {
	if p := s.poison.Load(); p != nil {
		return *p
	}
	return nil
}

// breakWith makes the journal unusable for good: whether the last group was
// written is not known until the state is opened again.
func (s *store) breakWith(cause error) error {
	var err error = said(fmt.Sprintf("%s can no longer be trusted by this process, nothing more is written: %v; when the server answers again, run `remint resume`", s.name(), cause))
	if s.poison.CompareAndSwap(nil, &err) {
		return err
	}
	return s.broken()
}

// host is this machine's name, for people who look for a runner.
func host() string {
	name, err := os.Hostname()
	if err != nil {
		return "an unnamed host"
	}
	return name
}
