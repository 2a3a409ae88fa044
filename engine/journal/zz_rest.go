package journal

import (
	"bytes"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"
)

type locks struct {
	dir  string
	mu   sync.Mutex
	held map[string]*os.File
}

func newLocks(dir string) *locks { return &locks{dir: dir, held: map[string]*os.File{}} }

func (l *locks) path(run string) string { return filepath.Join(l.dir, "run-"+run+".lock") }

func (l *locks) take(run string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[run] != nil {
		return nil
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(l.path(run), os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return err
	}
	l.held[run] = f
	return nil
}

func (l *locks) alive(run string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held[run] != nil {
		return true
	}
	f, err := os.OpenFile(l.path(run), os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}

func (l *locks) drop(run string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if f := l.held[run]; f != nil {
		os.Remove(l.path(run))
		f.Close()
		delete(l.held, run)
	}
}

func (l *locks) closeAll() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for run, f := range l.held {
		f.Close()
		delete(l.held, run)
	}
	return nil
}

func pack(b []byte) []byte {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	w.Write(b)
	w.Close()
	return out.Bytes()
}

func unpack(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

func ns(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func when(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}

func (s *store) Open(ctx context.Context, run Run) error {
	return s.w.submit(ctx, &change{do: func(t *tx) error {
		var n int
		if err := t.get("SELECT count(*) FROM run WHERE plan_id=?", []any{run.PlanID}, &n); err != nil {
			return err
		}
		if n > 0 {
			return ErrSpent
		}
		res, err := t.exec("INSERT INTO run(id,plan_id,plan_digest,operator,opened_at) VALUES(?,?,?,?,?)", run.ID, run.PlanID, run.PlanDigest, run.Operator, ns(run.OpenedAt))
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO run_body(run,plan,meta) VALUES(?,?,?)", id, pack(run.Plan), pack(run.Meta))
		return err
	}})
}

func (s *store) Append(ctx context.Context, b *Batch) error {
	return s.w.submit(ctx, &change{do: func(t *tx) error { return appendBatch(t, b) }})
}

func runN(t *tx, id string) (int64, error) {
	var n int64
	err := t.get("SELECT n FROM run WHERE id=?", []any{id}, &n)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNotFound
	}
	return n, err
}

func appendBatch(t *tx, b *Batch) error {
	for i := range b.Records {
		r := &b.Records[i]
		n, err := runN(t, r.Run)
		if err != nil {
			return err
		}
		res, err := t.exec("INSERT INTO record(run,address,step,kind,attempt,at,data) VALUES(?,?,?,?,?,?,?)", n, r.Address, r.Step, string(r.Kind), r.Attempt, ns(r.At), []byte(r.Data))
		if err != nil {
			return err
		}
		if r.Seq, err = res.LastInsertId(); err != nil {
			return err
		}
	}
	for _, x := range b.Seal {
		if err := erase(t, x); err != nil {
			return err
		}
		n, err := runN(t, x.Run)
		if err != nil {
			return err
		}
		res, err := t.exec("INSERT INTO sealed(ciphertext) VALUES(?)", x.Ciphertext)
		if err != nil {
			return err
		}
		id, err := res.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO sealed_name(run,address,name,n) VALUES(?,?,?,?)", n, x.Address, x.Name, id); err != nil {
			return err
		}
	}
	for _, x := range b.Erase {
		if err := erase(t, x); err != nil {
			return err
		}
		t.erased = true
	}
	for _, f := range b.Finished {
		if _, err := t.exec(`INSERT INTO credential(address,run,at,proof,version,mode,generation) VALUES(?,?,?,?,?,?,1)
			ON CONFLICT(address) DO UPDATE SET run=excluded.run,at=excluded.at,proof=excluded.proof,version=excluded.version,mode=excluded.mode,generation=generation+1`,
			f.Address, f.Run, ns(f.At), f.Proof, f.Version, f.Mode); err != nil {
			return err
		}
	}
	for i := range b.Bundles {
		x := &b.Bundles[i]
		res, err := t.exec("INSERT INTO bundle(id,run,file,line) VALUES(?,?,?,?)", x.ID, x.Run, x.File, x.Line)
		if err != nil {
			return err
		}
		if x.Seq, err = res.LastInsertId(); err != nil {
			return err
		}
	}
	for _, id := range b.Filed {
		if _, err := t.exec("UPDATE bundle SET line=NULL WHERE id=?", id); err != nil {
			return err
		}
	}
	if c := b.Close; c != nil {
		if _, err := t.exec("UPDATE run SET closed_at=?,outcome=? WHERE id=?", ns(c.At), c.Outcome, c.Run); err != nil {
			return err
		}
		t.closed = true
	}
	return nil
}

func erase(t *tx, x Sealed) error {
	n, err := runN(t, x.Run)
	if err != nil {
		return err
	}
	var id int64
	err = t.get("SELECT n FROM sealed_name WHERE run=? AND address=? AND name=?", []any{n, x.Address, x.Name}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := t.exec("UPDATE sealed SET ciphertext=zeroblob(length(ciphertext)) WHERE n=?", id); err != nil {
		return err
	}
	_, err = t.exec("DELETE FROM sealed_name WHERE run=? AND address=? AND name=?", n, x.Address, x.Name)
	return err
}

const runColumns = "id,plan_id,plan_digest,operator,opened_at,closed_at,outcome"

func scanRun(scan func(...any) error, more ...any) (Run, error) {
	var r Run
	var o, c int64
	err := scan(append([]any{&r.ID, &r.PlanID, &r.PlanDigest, &r.Operator, &o, &c, &r.Outcome}, more...)...)
	r.OpenedAt, r.ClosedAt = when(o), when(c)
	return r, err
}

func (s *store) Run(ctx context.Context, id string) (Run, error) {
	var p, m []byte
	r, err := scanRun(s.read.QueryRowContext(ctx, "SELECT "+runColumns+",plan,meta FROM run JOIN run_body ON run_body.run=run.n WHERE id=?", id).Scan, &p, &m)
	if errors.Is(err, sql.ErrNoRows) {
		return r, ErrNotFound
	}
	if err != nil {
		return r, s.explain(err)
	}
	if r.Plan, err = unpack(p); err != nil {
		return r, err
	}
	r.Meta, err = unpack(m)
	return r, err
}

func (s *store) Runs(ctx context.Context) ([]Run, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT "+runColumns+" FROM run ORDER BY n DESC")
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []Run
	for rows.Next() {
		r, err := scanRun(rows.Scan)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

func (s *store) Records(ctx context.Context, run, address string) iter.Seq2[Record, error] {
	return func(yield func(Record, error) bool) {
		q, args := "SELECT seq,address,step,kind,attempt,at,data FROM record WHERE run=(SELECT n FROM run WHERE id=?)", []any{run}
		if address != "*" {
			q += " AND address=?"
			args = append(args, address)
		}
		rows, err := s.read.QueryContext(ctx, q+" ORDER BY seq", args...)
		if err != nil {
			yield(Record{}, s.explain(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			r := Record{Run: run}
			var at int64
			var kind string
			var data []byte
			if err := rows.Scan(&r.Seq, &r.Address, &r.Step, &kind, &r.Attempt, &at, &data); err != nil {
				yield(r, err)
				return
			}
			r.Kind, r.At, r.Data = Kind(kind), when(at), json.RawMessage(data)
			if !yield(r, nil) {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(Record{}, err)
		}
	}
}

func (s *store) Secret(ctx context.Context, run, address, name string) ([]byte, error) {
	var b []byte
	err := s.read.QueryRowContext(ctx, "SELECT ciphertext FROM sealed JOIN sealed_name USING(n) WHERE run=(SELECT n FROM run WHERE id=?) AND address=? AND name=?", run, address, name).Scan(&b)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ErrNotFound
	}
	return b, err
}

func (s *store) Secrets(ctx context.Context, run string) ([]Sealed, error) {
	q, args := "SELECT run.id,address,name FROM sealed_name JOIN run ON run.n=sealed_name.run", []any{}
	if run != "" {
		q += " WHERE run.id=?"
		args = append(args, run)
	}
	rows, err := s.read.QueryContext(ctx, q, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []Sealed
	for rows.Next() {
		var x Sealed
		if err := rows.Scan(&x.Run, &x.Address, &x.Name); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

func (s *store) Unfiled(ctx context.Context) iter.Seq2[Bundle, error] {
	return func(yield func(Bundle, error) bool) {
		rows, err := s.read.QueryContext(ctx, "SELECT seq,id,run,file,line FROM bundle WHERE line IS NOT NULL ORDER BY seq")
		if err != nil {
			yield(Bundle{}, s.explain(err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			var b Bundle
			if err := rows.Scan(&b.Seq, &b.ID, &b.Run, &b.File, &b.Line); err != nil {
				yield(b, err)
				return
			}
			if !yield(b, nil) {
				return
			}
		}
	}
}

func (s *store) Credential(ctx context.Context, address string) (Credential, error) {
	all, err := s.credentials(ctx, " WHERE address=?", address)
	if err == nil && len(all) == 0 {
		return Credential{}, ErrNotFound
	}
	if err != nil {
		return Credential{}, err
	}
	return all[0], nil
}

func (s *store) Credentials(ctx context.Context) ([]Credential, error) { return s.credentials(ctx, "") }

func (s *store) credentials(ctx context.Context, where string, args ...any) ([]Credential, error) {
	rows, err := s.read.QueryContext(ctx, "SELECT address,run,at,proof,version,mode,generation FROM credential"+where, args...)
	if err != nil {
		return nil, s.explain(err)
	}
	defer rows.Close()
	var out []Credential
	for rows.Next() {
		var c Credential
		var at int64
		if err := rows.Scan(&c.Address, &c.Run, &at, &c.Proof, &c.Version, &c.Mode, &c.Generation); err != nil {
			return nil, err
		}
		c.At = when(at)
		out = append(out, c)
	}
	return out, rows.Err()
}

func (s *store) Acquire(ctx context.Context, run, holder string, keys []string) ([]Lease, error) {
	if err := s.locks.take(run); err != nil {
		return nil, fmt.Errorf("run %s is at work in another process", run)
	}
	out := make([]Lease, len(keys))
	err := s.w.submit(ctx, &change{do: func(t *tx) error {
		for i, k := range keys {
			var fence, since int64
			var by, who string
			err := t.get("SELECT fence,run,holder,since FROM lease WHERE key=?", []any{k}, &fence, &by, &who, &since)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return err
			}
			if by != "" && by != run && s.locks.alive(by) {
				return &HeldError{Key: k, Run: by, Holder: who, Since: when(since)}
			}
			fence++
			if _, err := t.exec("INSERT INTO lease(key,fence,run,holder,since) VALUES(?,?,?,?,?) ON CONFLICT(key) DO UPDATE SET fence=excluded.fence,run=excluded.run,holder=excluded.holder,since=excluded.since",
				k, fence, run, holder, ns(s.opts.Now())); err != nil {
				return err
			}
			out[i] = Lease{Key: k, Fence: fence}
		}
		return nil
	}})
	if err != nil {
		s.locks.drop(run)
		return nil, err
	}
	return out, nil
}

func (s *store) Release(ctx context.Context, run string) error {
	err := s.w.submit(ctx, &change{do: func(t *tx) error {
		_, err := t.exec("UPDATE lease SET run='' WHERE run=?", run)
		return err
	}})
	s.locks.drop(run)
	return err
}
