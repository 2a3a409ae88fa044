package postgresql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/remint-dev/remint/engine/journal"
)

// groupLimit is how many callers' writes share one commit at most.
const groupLimit = 512

// session is the part of a connection that statements of a transaction need.
type session interface {
	Exec(ctx context.Context, sql string, args ...any) (pgconn.CommandTag, error)
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
	SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults
}

// change is one caller's write: statements that can share a transaction with those
// of others, or a function that has one alone.
type change struct {
	ctx   context.Context
	queue func(*pgx.Batch)
	runs  []string // that queue writes to
	alone func(context.Context, session) error
	err   chan error
}

// writer commits changes, many together, on a connection that it makes anew when
// it is lost.
type writer struct {
	s       *store
	conn    *pgx.Conn
	self    backend
	batch   int64 // number of the last commit that was tried
	pending chan *change
	mu      sync.RWMutex // guards stopped against pending's closing
	stopped bool
	ended   chan struct{}
}

func startWriter(ctx context.Context, s *store, conn *pgx.Conn) *writer {
	w := &writer{s: s, conn: conn, pending: make(chan *change, groupLimit), ended: make(chan struct{})}
	w.self, _ = backendOf(ctx, conn) // unknown: it is waited for instead of ended
	go w.loop()
	return w
}

// submit hands in a change and waits for its outcome. A context that ends while
// it waits for its turn takes it back; afterwards it does not.
func (w *writer) submit(ctx context.Context, c *change) error {
	c.ctx, c.err = ctx, make(chan error, 1)
	w.mu.RLock()
	if w.stopped {
		w.mu.RUnlock()
		return journal.ErrClosed
	}
	w.pending <- c
	w.mu.RUnlock()
	return <-c.err
}

// stop ends the writer once everything handed in is written.
func (w *writer) stop() {
	w.mu.Lock()
	w.stopped = true
	close(w.pending)
	w.mu.Unlock()
	<-w.ended
}

func (w *writer) loop() {
	defer close(w.ended)
	for c := range w.pending {
		group := []*change{c}
		for len(group) < groupLimit && len(w.pending) > 0 {
			group = append(group, <-w.pending)
		}
		w.write(group)
	}
	if w.conn != nil {
		_ = closeConn(w.conn)
	}
}

// write does what was handed in: those that can together, in one transaction, and
// each by itself where that is refused: then it tells whose fault it is.
func (w *writer) write(group []*change) {
	var together []*change
	flush := func() {
		defer func() { together = nil }()
		if len(together) == 0 {
			return
		}
		err := w.together(together)
		var nobody said // there is no server to do them one by one
		if err == nil || len(together) == 1 || errors.As(err, &nobody) {
			for _, c := range together {
				c.err <- w.s.explain(c.ctx, err)
			}
			return
		}
		for _, c := range together {
			c.err <- w.s.explain(c.ctx, w.together([]*change{c}))
		}
	}
	for _, c := range group {
		switch {
		case c.ctx.Err() != nil:
			c.err <- c.ctx.Err()
		case c.alone == nil:
			together = append(together, c)
		default:
			flush()
			c.err <- w.s.explain(c.ctx, w.transact(c.alone))
		}
	}
	flush()
}

// together writes a group in one transaction, if every run that it writes to, and
// that this process holds, still is its own.
func (w *writer) together(group []*change) error {
	var runs []string
	for _, c := range group {
		for _, r := range c.runs {
			if !slices.Contains(runs, r) {
				runs = append(runs, r)
			}
		}
	}
	runs = w.s.held.of(runs)
	return w.transact(func(ctx context.Context, tx session) error {
		var b pgx.Batch
		mine := 0
		if len(runs) > 0 {
			// Locked, so that nobody takes them over before this is committed.
			b.Queue("SELECT run FROM at_work WHERE run = ANY($1) AND runner = $2 ORDER BY run FOR SHARE", runs, w.s.presence.n).Query(func(rows pgx.Rows) error {
				names, err := pgx.CollectRows(rows, pgx.RowTo[string])
				mine = len(names)
				return err
			})
		}
		for _, c := range group {
			c.queue(&b)
		}
		err := tx.SendBatch(ctx, &b).Close()
		if err == nil && mine < len(runs) || err != nil && state(err) != "" && mine < len(runs) {
			return journal.ErrLost
		}
		return err
	})
}

// transact has do done in a transaction that is committed once, whatever becomes
// of the connection: where the answer to a COMMIT is lost, the server is asked.
func (w *writer) transact(do func(context.Context, session) error) error {
	if err := w.s.broken(); err != nil {
		return err
	}
	began := time.Now()
	ctx, done := w.s.patient(context.Background())
	defer done()
	err := w.insist(ctx, do)
	var nobody said
	w.s.silence.heard(began, errors.As(err, &nobody))
	return err
}

// insist tries until the server has said what became of it, or ctx ends.
func (w *writer) insist(ctx context.Context, do func(context.Context, session) error) error {
	for {
		err := w.connected(ctx)
		if err != nil {
			return err
		}
		w.batch++
		asked, err := w.once(ctx, do)
		switch {
		case err == nil:
			return nil
		case w.conn == nil || w.conn.IsClosed() || gone(err):
			done, err := w.settle(ctx, asked)
			if err != nil && asked {
				return w.s.breakWith(errUnsettled)
			}
			if err != nil || done {
				return err
			}
		case !again(err):
			return err
		}
		if ctx.Err() != nil {
			return said(w.s.name() + " gives no answer")
		}
	}
}

// once tries a transaction. asked is whether COMMIT was sent.
func (w *writer) once(ctx context.Context, do func(context.Context, session) error) (asked bool, err error) {
	ctx, cancel := try(ctx)
	defer cancel()
	begun, err := w.conn.PgConn().Exec(ctx, fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; UPDATE commits SET batch = %d WHERE runner = %d", w.batch, w.s.presence.n)).ReadAll()
	if err == nil && (len(begun) != 2 || begun[1].CommandTag.RowsAffected() != 1) {
		err = journal.ErrLost // the runner was given up for dead, and its row removed
	}
	if err == nil {
		err = do(ctx, w.conn)
	}
	if err != nil {
		if !w.conn.IsClosed() {
			if _, rerr := w.conn.Exec(ctx, "ROLLBACK"); rerr != nil {
				w.drop()
			}
		}
		return false, err
	}
	ended, err := w.conn.PgConn().Exec(ctx, "COMMIT").ReadAll()
	if err == nil && (len(ended) != 1 || ended[0].CommandTag.String() != "COMMIT") {
		err = errors.New("the server undid the transaction")
		return false, err
	}
	return true, err
}

// drop lets go of the connection.
func (w *writer) drop() {
	if w.conn != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = w.conn.Close(ctx)
		w.conn = nil
	}
}

// connected sees that there is a connection, and that nothing of an earlier one
// is still going on.
func (w *writer) connected(ctx context.Context) error {
	if w.conn != nil && !w.conn.IsClosed() {
		return nil
	}
	w.drop()
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := w.reconnect(ctx)
		if err == nil || !pause(ctx, wait) {
			return err
		}
	}
}

// reconnect tries it once. Its errors are worded: there is no server to ask.
func (w *writer) reconnect(ctx context.Context) error {
	conn, err := w.s.connect(ctx, writerSettings)
	if err != nil {
		return w.s.connectError(ctx, err)
	}
	err = w.self.expel(ctx, conn)
	if err == nil {
		w.self, err = backendOf(ctx, conn)
	}
	if err != nil {
		_ = closeConn(conn)
		return w.s.connectError(ctx, err)
	}
	w.conn = conn
	return nil
}

// settle finds out, once the session that was lost is over, whether its last
// transaction was committed.
func (w *writer) settle(ctx context.Context, asked bool) (committed bool, err error) {
	w.drop()
	if !asked {
		return false, nil
	}
	for {
		if err := w.connected(ctx); err != nil {
			return false, err
		}
		var last int64
		// The lost transaction has this row locked as long as it goes on.
		err = w.conn.QueryRow(ctx, "SELECT batch FROM commits WHERE runner = $1 FOR UPDATE", w.s.presence.n).Scan(&last)
		if err == nil {
			return last == w.batch, nil
		}
		w.drop()
		if ctx.Err() != nil {
			return false, err
		}
	}
}
