package postgresql_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
)

// cutter stands between the provider and the server, and cuts the connection
// at the first message that contains a word: before passing it on, or after
// the server has answered, without passing that on.
type cutter struct {
	net.Listener
	word        string
	afterAnswer bool
	serving     sync.WaitGroup
}

func newCutter(t *testing.T, word string, afterAnswer bool) *cutter {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cutter{Listener: l, word: word, afterAnswer: afterAnswer}
	c.serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			c.serving.Go(func() { c.serve(client) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); c.serving.Wait() })
	return c
}

func (c *cutter) serve(client net.Conn) {
	defer func() { _ = client.Close() }()
	up, err := net.Dial("tcp", net.JoinHostPort(server.Host, strconv.Itoa(server.Port)))
	if err != nil {
		return
	}
	defer func() { _ = up.Close() }()
	var mu sync.Mutex
	swallow := false
	answered := make(chan struct{}, 1)
	go func() {
		buf := make([]byte, 64<<10)
		for {
			n, err := up.Read(buf)
			mu.Lock()
			drop := swallow
			mu.Unlock()
			if drop {
				answered <- struct{}{}
				return
			}
			if _, werr := client.Write(buf[:n]); err != nil || werr != nil {
				_ = client.Close()
				return
			}
		}
	}()
	buf := make([]byte, 64<<10)
	for {
		n, err := client.Read(buf)
		if err != nil {
			return
		}
		hit := bytes.Contains(buf[:n], []byte(c.word))
		if hit && !c.afterAnswer {
			return
		}
		if hit {
			mu.Lock()
			swallow = true
			mu.Unlock()
		}
		if _, err := io.Copy(up, bytes.NewReader(buf[:n])); err != nil {
			return
		}
		if hit {
			<-answered
			return
		}
	}
}

// Whatever moment the connection breaks at, the class never says less than
// what may have happened.
func TestBrokenConnections(t *testing.T) {
	for what, c := range map[string]struct {
		word        string
		afterAnswer bool
		class       provider.Class
		happened    bool
	}{
		"before the change is sent":     {"ALTER ROLE", false, provider.Transient, false},
		"before the change is answered": {"ALTER ROLE", true, provider.Transient, false},
		"before the commit is sent":     {"COMMIT;", false, provider.Ambiguous, false},
		"before the commit is answered": {"COMMIT;", true, provider.Ambiguous, true},
	} {
		cut := newCutter(t, c.word, c.afterAnswer)
		at := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
		p := open(t, strings.Replace(server.SuperURL(), at, cut.Addr().String(), 1), nil)
		name := role(t, "cut", "old", "")
		mut := mutation(name, 1)
		_, err := p.(provider.Setter).Set(context.Background(), mut, material("new"))
		if provider.ClassOf(err, "") != c.class || strings.Contains(err.Error(), server.SuperPassword) {
			t.Errorf("%s: %v, want %s", what, err, c.class)
		}
		if ok, _ := psql(t, name, "new"); ok != c.happened {
			t.Errorf("%s: the new password works: %t, want %t", what, ok, c.happened)
		}
		if ok, _ := psql(t, name, "old"); ok == c.happened {
			t.Errorf("%s: the old password works: %t, want %t", what, ok, !c.happened)
		}
		set(t, open(t, server.SuperURL(), nil), mut, "new") // the retry
		if ok, out := psql(t, name, "new"); !ok {
			t.Errorf("%s: after the retry: %s", what, out)
		}
	}
}
