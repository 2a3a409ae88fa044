package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/journal"
)

// groupLimit is how many callers' writes share one commit at most.
const groupLimit = 512

// change is one caller's write. do runs inside a transaction that it may share
// with others; err tells its outcome once that is durable, or will not be.
type change struct {
	ctx context.Context
	do  func(*tx) error
	err chan error
}

// tx is the writer's transaction with its prepared statements.
type tx struct {
	ctx    context.Context
	conn   *sql.Conn
	stmts  map[string]*sql.Stmt
	runs   map[string]int64 // numbers of runs, by id
	erased bool             // ciphertexts were erased by a change
	closed bool             // a run was closed by a change
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if st, ok := t.stmts[query]; ok {
		return st, nil
	}
	st, err := t.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.stmts[query] = st
	}
	return st, err
}

func (t *tx) exec(query string, args ...any) (sql.Result, error) {
	st, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(t.ctx, args...)
}

// insert gives the number of the row that it makes.
func (t *tx) insert(query string, args ...any) (int64, error) {
	res, err := t.exec(query, args...)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// get scans one row; sql.ErrNoRows if there is none.
func (t *tx) get(query string, args []any, into ...any) error {
	st, err := t.stmt(query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(t.ctx, args...).Scan(into...)
}

// writer commits changes, many together.
type writer struct {
	s       *store
	t       tx
	queue   chan *change
	mu      sync.RWMutex // guards stopped against queue's closing
	stopped bool
	ended   chan error
	dirty   time.Time // since when erased ciphertexts may stand in the WAL
}

func startWriter(ctx context.Context, s *store) (*writer, error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return nil, openFailure(s.path, err)
	}
	w := &writer{s: s, queue: make(chan *change, groupLimit), ended: make(chan error, 1)}
	w.t = tx{ctx: context.WithoutCancel(ctx), conn: conn, stmts: map[string]*sql.Stmt{}, runs: map[string]int64{}}
	// A killed process may have left its WAL.
	if _, err := w.truncate(); final(err) {
		return nil, errors.Join(openFailure(s.path, err), conn.Close())
	}
	go w.loop()
	return w, nil
}

// submit hands in a change and waits for its outcome. A context that ends while
// it waits for its turn takes it back; afterwards it does not.
func (w *writer) submit(ctx context.Context, c *change) error {
	c.ctx, c.err = ctx, make(chan error, 1)
	if !w.enqueue(c) {
		return journal.ErrClosed
	}
	return <-c.err
}

func (w *writer) enqueue(c *change) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if !w.stopped {
		w.queue <- c
	}
	return !w.stopped
}

// stop ends the writer once everything handed in is written.
func (w *writer) stop() error {
	w.mu.Lock()
	w.stopped = true
	close(w.queue)
	w.mu.Unlock()
	return <-w.ended
}

func (w *writer) loop() {
	tidy := time.NewTimer(time.Hour)
	defer tidy.Stop()
	for {
		select {
		case c, ok := <-w.queue:
			if !ok {
				w.ended <- w.finish()
				return
			}
			w.commit(w.gather(c))
		case <-tidy.C:
		}
		if time.Since(w.dirty) > time.Second { // while all write steadily the timer never ends
			w.tidy()
		}
		if !w.dirty.IsZero() { // too soon, or a reader was in the way
			tidy.Reset(time.Second)
		}
	}
}

// gather takes what else waits.
func (w *writer) gather(first *change) []*change {
	group := []*change{first}
	for len(group) < groupLimit {
		select {
		case c, ok := <-w.queue:
			if !ok {
				return group
			}
			group = append(group, c)
		default:
			return group
		}
	}
	return group
}

// commit writes a group in one transaction. A change that is refused is undone
// alone; a failure of the disk fails all, and the journal with them.
func (w *writer) commit(group []*change) {
	if err := w.s.broken(); err != nil {
		fail(group, err)
		return
	}
	w.t.erased, w.t.closed = false, false
	if _, err := w.t.exec("BEGIN IMMEDIATE"); err != nil {
		fail(group, w.failure(err))
		return
	}
	kept := group[:0]
	for i, c := range group {
		refused, err := w.apply(c)
		switch {
		case err != nil:
			w.rollback()
			fail(append(kept, group[i:]...), w.failure(err))
			return
		case refused != nil:
			c.err <- refused
		default:
			kept = append(kept, c)
		}
	}
	if _, err := w.t.exec("COMMIT"); err != nil {
		w.rollback()
		fail(kept, w.s.breakWith(wording(err)))
		return
	}
	if w.t.erased && w.dirty.IsZero() {
		w.dirty = time.Now()
	}
	if w.t.closed {
		w.tidy()
	}
	for _, c := range kept {
		c.err <- nil
	}
}

// rollback undoes the transaction, and forgets the runs that began in it.
func (w *writer) rollback() {
	clear(w.t.runs)
	_, _ = w.t.exec("ROLLBACK")
}

// apply runs one change: refused is its own fault, err everybody's.
func (w *writer) apply(c *change) (refused, err error) {
	if err := c.ctx.Err(); err != nil {
		return err, nil
	}
	if _, err := w.t.exec("SAVEPOINT change"); err != nil {
		return nil, err
	}
	refused = c.do(&w.t)
	if final(refused) {
		return nil, refused
	}
	var undone error
	if refused != nil {
		_, undone = w.t.exec("ROLLBACK TO change")
	}
	_, err = w.t.exec("RELEASE change")
	return w.s.explain(refused), errors.Join(undone, err)
}

// failure is what a whole group is told.
func (w *writer) failure(err error) error {
	if final(err) {
		return w.s.breakWith(wording(err))
	}
	return w.s.explain(err)
}

func fail(group []*change, err error) {
	for _, c := range group {
		c.err <- err
	}
}

// tidy empties the WAL, in which erased ciphertexts still stand; a reader can
// make that impossible for a while, then it is tried again.
func (w *writer) tidy() {
	if w.dirty.IsZero() || w.s.broken() != nil {
		return
	}
	done, err := w.truncate()
	switch {
	case final(err):
		_ = w.s.breakWith(wording(err))
	case done:
		w.dirty = time.Time{}
	default:
		w.dirty = time.Now()
	}
}

// truncate copies the WAL into the database file and cuts it to nothing. It does
// not wait: while a reader is in the way, here or in another process, every
// writer would have to wait with it.
func (w *writer) truncate() (done bool, err error) {
	var busy, log, copied int
	err = errors.Join(w.patience(0),
		w.t.conn.QueryRowContext(w.t.ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &log, &copied),
		w.patience(w.s.opts.BusyTimeout))
	return err == nil && busy == 0, err
}

// patience says how long the writer's connection waits for other processes.
func (w *writer) patience(d time.Duration) error {
	_, err := w.t.conn.ExecContext(w.t.ctx, fmt.Sprintf("PRAGMA busy_timeout=%d", d.Milliseconds()))
	return err
}

func (w *writer) finish() error {
	w.tidy()
	var errs []error
	for _, st := range w.t.stmts {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, w.t.conn.Close())...)
}
