package postgresql_test

import (
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/providers/postgresql"
)

// flood is a server that says first once it is asked to log in, and again without end,
// until it is asked to cancel: at once, or if late is set when it was asked something.
func flood(t *testing.T, late bool, first, again []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	var open []net.Conn
	serve := func(c net.Conn) {
		defer func() { _ = c.Close() }()
		b := pgproto3.NewBackend(c, c)
		if m, err := b.ReceiveStartupMessage(); err != nil {
			return
		} else if _, login := m.(*pgproto3.StartupMessage); !login {
			mu.Lock()
			defer mu.Unlock()
			for _, c := range open {
				_ = c.Close()
			}
			return
		}
		mu.Lock()
		open = append(open, c)
		mu.Unlock()
		_, err := c.Write(first)
		if late && err == nil {
			_, err = b.Receive()
		}
		for err == nil {
			_, err = c.Write(again)
		}
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(c)
		}
	}()
	return l.Addr().String()
}

// encoded is what messages look like on the wire.
func encoded(t *testing.T, times int, messages ...pgproto3.BackendMessage) (out []byte) {
	t.Helper()
	for _, m := range messages {
		var err error
		if out, err = m.Encode(out); err != nil {
			t.Fatal(err)
		}
	}
	return bytes.Repeat(out, times)
}

// TestFlood: of what a server says without end, or announces, only so much is held, also
// before anybody knows who it is.
func TestFlood(t *testing.T) {
	chunk := bytes.Repeat([]byte("x"), 64<<10)
	welcome := encoded(t, 1, &pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "18.0"},
		&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"}, &pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
		&pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	columns := encoded(t, 1, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("rolname"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
	const simple = "&default_query_exec_mode=simple_protocol" // of which one message is the answer
	for name, c := range map[string]struct {
		late         bool
		first, again []byte
		mode         string
	}{
		"an error of 512 MiB":       {false, []byte{'E', 0x20, 0, 0, 0}, chunk, ""},
		"a notice of 2 MiB":         {false, []byte{'N', 0, 0x20, 0, 0}, chunk, ""},
		"notices":                   {false, nil, encoded(t, 1000, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "x"}), ""},
		"notices after the login":   {true, welcome, encoded(t, 1000, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "x"}), ""},
		"a row of 512 MiB":          {true, welcome, append(append(bytes.Clone(columns), 'D', 0x20, 0, 0, 0), chunk...), simple},
		"rows, after their columns": {true, append(bytes.Clone(welcome), columns...), encoded(t, 1000, &pgproto3.DataRow{Values: [][]byte{[]byte("role")}}), simple},
	} {
		t.Run(name, func(t *testing.T) {
			address := flood(t, c.late, c.first, c.again)
			p := open(t, "postgres://admin@"+address+"/postgres?sslmode=disable"+c.mode, nil)
			for range 2 {
				_, err := p.(provider.Lister).List(t.Context(), postgresql.TypeName)
				if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "the server sent more than it was asked for; check that it is one") {
					t.Fatalf("%v", err)
				}
			}
			if !c.late {
				wantVerdict(t, p, "role", "pw", provider.Unclear, "the server sent more than it was asked for")
			}
		})
	}
}
