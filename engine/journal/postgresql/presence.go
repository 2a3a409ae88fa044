package postgresql

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/engine/journal"
)

// How long what. A runner says every beat that it is there. It believes for trust
// that it still holds its runs, and asks anew after that; so one whose session is gone
// may be taken over after grace, which is longer. One whose session stands but that
// is silent for longer than stale is stopped, or cut off, and may wake.
const (
	beat  = 500 * time.Millisecond
	trust = time.Second
	grace = 2 * time.Second
	stale = 15 * time.Second
)

// presence is a session that says that this process is alive: by an advisory lock,
// which the server lets go of when the session ends, however it ends; and by a time
// that is renewed, which ends with a process that is merely stopped.
type presence struct {
	a     access
	clock func() instant
	n     int32 // the runner's number
	conn  *pgx.Conn
	self  backend // of conn, to end it when it hangs

	beats chan chan struct{} // asks for a beat now
	end   chan struct{}
	ended chan struct{}
	left  error // how the end went

	mu   sync.Mutex
	at   instant // when the last beat that was answered was begun, by this machine's own clocks
	runs map[string]bool
	cast bool // this runner's row is gone: it was given up for dead
}

// backend identifies a session, to end it once its process has lost it: what it
// was doing then must be over before anybody asks what became of it.
type backend struct {
	pid   uint32
	start time.Time
}

func backendOf(ctx context.Context, conn *pgx.Conn) (b backend, err error) {
	err = conn.QueryRow(ctx, "SELECT pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()").Scan(&b.pid, &b.start)
	return b, err
}

// expel ends an earlier session of this process, if it is still there, and waits
// until it is not. One role's sessions may end each other.
func (b backend) expel(ctx context.Context, conn *pgx.Conn) error {
	if b.pid == 0 {
		return nil
	}
	for {
		var n int
		err := conn.QueryRow(ctx, "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid = $1 AND backend_start = $2 AND pid <> pg_backend_pid()", b.pid, b.start).Scan(&n)
		if err != nil || n == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// register makes this process known, and keeps saying that it is alive. It also
// forgets runners of which nothing was heard for a day, whose session is gone and
// that hold nothing.
func (s *store) register(ctx context.Context, conn *pgx.Conn) (*presence, error) {
	p := &presence{a: s.access, clock: now, runs: map[string]bool{}, beats: make(chan chan struct{}), end: make(chan struct{}), ended: make(chan struct{})}
	_, err := conn.Exec(ctx, `DELETE FROM runner r WHERE seen < clock_timestamp() - $1::interval AND NOT EXISTS (SELECT FROM at_work w WHERE w.runner = r.n)
		AND NOT `+sessionSQL, 24*time.Hour, int64(s.class))
	if err == nil {
		err = conn.QueryRow(ctx, `WITH r AS (INSERT INTO runner (host, pid) VALUES ($1, $2) RETURNING n), c AS (INSERT INTO commits (runner) SELECT n FROM r)
			SELECT n FROM r`, host(), os.Getpid()).Scan(&p.n)
	}
	if err != nil {
		return nil, s.openError(ctx, err)
	}
	if err := p.connect(ctx); err != nil {
		return nil, s.connectError(ctx, err)
	}
	go p.loop()
	return p, nil
}

// connect opens the session and takes its lock.
func (p *presence) connect(ctx context.Context) error {
	conn, err := p.a.connect(ctx, presenceSettings)
	if err != nil {
		return err
	}
	err = p.self.expel(ctx, conn) // it would keep the lock
	if err == nil {
		_, err = conn.Exec(ctx, "SELECT pg_advisory_lock($1, $2)", p.a.class, p.n)
	}
	var self backend
	if err == nil {
		self, err = backendOf(ctx, conn)
	}
	if err != nil {
		return errors.Join(err, closeConn(conn))
	}
	p.conn, p.self = conn, self
	return nil
}

func (p *presence) loop() {
	tick := time.NewTicker(beat)
	defer tick.Stop()
	for {
		var asked chan struct{}
		select {
		case <-p.end:
			p.left = p.leave()
			close(p.ended)
			return
		case <-tick.C:
		case asked = <-p.beats:
		}
		p.beat()
		if asked != nil {
			close(asked)
		}
	}
}

// beat says that this process is alive, and hears which runs are still its own.
// What goes wrong shows in that at grows old.
func (p *presence) beat() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if p.conn == nil || p.conn.IsClosed() {
		if p.connect(ctx) != nil {
			return
		}
	}
	begun := p.clock()
	runs, cast, err := p.say(ctx)
	if err != nil {
		_ = closeConn(p.conn) // a new one is made next time
		p.conn = nil
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.at, p.runs, p.cast = begun, runs, cast
}

func (p *presence) say(ctx context.Context) (runs map[string]bool, cast bool, err error) {
	var batch pgx.Batch
	runs = map[string]bool{}
	batch.Queue("UPDATE runner SET seen = clock_timestamp() WHERE n = $1", p.n)
	batch.Queue("SELECT run FROM at_work WHERE runner = $1", p.n)
	results := p.conn.SendBatch(ctx, &batch)
	tag, err := results.Exec()
	if err == nil {
		cast = tag.RowsAffected() == 0
		var rows pgx.Rows
		if rows, err = results.Query(); err == nil {
			var names []string
			names, err = pgx.CollectRows(rows, pgx.RowTo[string])
			for _, n := range names {
				runs[n] = true
			}
		}
	}
	return runs, cast, errors.Join(err, results.Close())
}

// holds reports whether the run is still this process's. Where the last answer is
// too old, it asks anew, until ctx ends: a process that was stopped wakes with old
// answers.
func (p *presence) holds(ctx context.Context, run string) error {
	for {
		p.mu.Lock()
		fresh, has := p.clock().since(p.at) < trust, p.runs[run] && !p.cast
		p.mu.Unlock()
		switch {
		case fresh && has:
			return nil
		case fresh:
			return journal.ErrLost
		}
		if err := p.now(ctx); err != nil {
			return err
		}
	}
}

// now has a beat done and waits for it.
func (p *presence) now(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case p.beats <- done:
	case <-p.ended:
		return journal.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-done:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	failed := p.clock().since(p.at) >= trust
	p.mu.Unlock()
	if failed {
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// stop ends the session, and gives up what is still held.
func (p *presence) stop() error {
	close(p.end)
	<-p.ended
	return p.left
}

func (p *presence) leave() error {
	if p.conn == nil || p.conn.IsClosed() {
		return nil // it will be found dead
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var batch pgx.Batch
	batch.Queue("UPDATE lease SET run = '' WHERE run IN (SELECT run FROM at_work WHERE runner = $1)", p.n)
	batch.Queue("DELETE FROM at_work WHERE runner = $1", p.n)
	batch.Queue("DELETE FROM runner WHERE n = $1", p.n)
	err := p.conn.SendBatch(ctx, &batch).Close()
	return errors.Join(err, closeConn(p.conn))
}
