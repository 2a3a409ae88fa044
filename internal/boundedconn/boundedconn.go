// Package boundedconn bounds what a server can have this program read, and so hold:
// libraries that speak a protocol keep lines, messages and rows until they are whole.
package boundedconn

import (
	"errors"
	"io"
	"net"
	"sync/atomic"
)

// ErrTooMuch is what reading fails with beyond the bound.
var ErrTooMuch = errors.New("the server sent more than it is let")

// Talk is a conversation in which only questions are answered: at most limit bytes
// are read between two writes.
type Talk struct {
	r     reader
	w     io.Writer
	limit atomic.Int64
}

// NewTalk reads from r and writes to w.
func NewTalk(r io.Reader, w io.Writer, limit int64) *Talk {
	t := &Talk{r: reader{from: r}, w: w}
	t.Let(limit)
	return t
}

// Let sets another limit, from now on.
func (t *Talk) Let(limit int64) {
	t.limit.Store(limit)
	t.r.left.Store(limit)
}

// Read reads of the answer.
func (t *Talk) Read(b []byte) (int, error) { return t.r.Read(b) }

// Write writes a question, to which there is an answer of its own.
func (t *Talk) Write(b []byte) (int, error) {
	t.r.left.Store(t.limit.Load())
	return t.w.Write(b)
}

// Conn is c, of which at most limit bytes are read in all.
func Conn(c net.Conn, limit int64) net.Conn {
	b := &conn{Conn: c, r: reader{from: c}}
	b.r.left.Store(limit)
	return b
}

// reader reads what is left. Others may set that meanwhile.
type reader struct {
	from io.Reader
	left atomic.Int64
}

// Read reads.
func (r *reader) Read(b []byte) (int, error) {
	left := r.left.Load()
	if left <= 0 && len(b) > 0 {
		return 0, ErrTooMuch
	}
	n, err := r.from.Read(b[:min(int64(len(b)), max(left, 0))])
	r.left.Add(-int64(n))
	return n, err
}

type conn struct {
	net.Conn
	r reader
}

// Read reads.
func (c *conn) Read(b []byte) (int, error) { return c.r.Read(b) }
