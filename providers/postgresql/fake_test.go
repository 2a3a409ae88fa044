package postgresql_test

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"
)

// fake is a server that answers every login with the same messages and keeps
// what it is sent afterwards.
type fake struct {
	listener net.Listener
	answer   []pgproto3.BackendMessage
	serving  sync.WaitGroup
	mu       sync.Mutex
	logins   int
	received []byte
}

func newFake(t *testing.T, answer ...pgproto3.BackendMessage) *fake {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{listener: l, answer: answer}
	f.serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			f.serving.Go(func() { f.serve(c) })
		}
	})
	t.Cleanup(f.stop)
	return f
}

func (f *fake) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	b := pgproto3.NewBackend(c, c)
	for {
		m, err := b.ReceiveStartupMessage()
		if err != nil {
			return
		}
		if _, tls := m.(*pgproto3.SSLRequest); !tls {
			break
		}
		if _, err := c.Write([]byte{'N'}); err != nil {
			return
		}
	}
	f.mu.Lock()
	f.logins++
	f.mu.Unlock()
	for _, m := range f.answer {
		b.Send(m)
	}
	if b.Flush() != nil {
		return
	}
	_, isError := f.answer[len(f.answer)-1].(*pgproto3.ErrorResponse)
	if isError {
		return
	}
	sent, _ := io.ReadAll(c)
	f.mu.Lock()
	f.received = append(f.received, sent...)
	f.mu.Unlock()
}

// stop waits until every client has left.
func (f *fake) stop() {
	_ = f.listener.Close()
	f.serving.Wait()
}

// seen is how many logins were tried.
func (f *fake) seen() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logins
}

func (f *fake) address() string { return f.listener.Addr().String() }
