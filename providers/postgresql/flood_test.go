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

// flood is a server that says first once it is asked to log in, and again without end:
// at once, or if late is set when it was asked something. It stops where it is asked to
// cancel what it says there: first gives each connection's number to whom it welcomes.
func flood(t *testing.T, late bool, first func(process uint32) []byte, again []byte) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	var mu sync.Mutex
	open := map[uint32]net.Conn{}
	serve := func(process uint32, c net.Conn) {
		defer func() { _ = c.Close() }()
		b := pgproto3.NewBackend(c, c)
		m, err := b.ReceiveStartupMessage()
		if err != nil {
			return
		}
		mu.Lock()
		if cancel, asked := m.(*pgproto3.CancelRequest); asked {
			if other := open[cancel.ProcessID]; other != nil {
				_ = other.Close()
			}
			mu.Unlock()
			return
		}
		open[process] = c
		mu.Unlock()
		_, err = c.Write(first(process))
		if late && err == nil {
			_, err = b.Receive()
		}
		for err == nil {
			_, err = c.Write(again)
		}
	}
	go func() {
		for process := uint32(1); ; process++ {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go serve(process, c)
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
	welcome := func(process uint32) []byte {
		return encoded(t, 1, &pgproto3.AuthenticationOk{}, &pgproto3.ParameterStatus{Name: "server_version", Value: "18.0"},
			&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"}, &pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"},
			&pgproto3.BackendKeyData{ProcessID: process, SecretKey: []byte{0, 0, 0, 1}}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
	}
	columns := encoded(t, 1, &pgproto3.RowDescription{Fields: []pgproto3.FieldDescription{{Name: []byte("rolname"), DataTypeOID: 25, DataTypeSize: -1, TypeModifier: -1}}})
	says := func(b []byte) func(uint32) []byte { return func(uint32) []byte { return b } }
	const simple = "&default_query_exec_mode=simple_protocol" // of which one message is the answer
	for name, c := range map[string]struct {
		late  bool
		first func(process uint32) []byte
		again []byte
		mode  string
	}{
		"an error of 512 MiB":       {false, says([]byte{'E', 0x20, 0, 0, 0}), chunk, ""},
		"a notice of 2 MiB":         {false, says([]byte{'N', 0, 0x20, 0, 0}), chunk, ""},
		"notices":                   {false, says(nil), encoded(t, 1000, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "x"}), ""},
		"notices after the login":   {true, welcome, encoded(t, 1000, &pgproto3.NoticeResponse{Severity: "NOTICE", Message: "x"}), ""},
		"a row of 512 MiB":          {true, welcome, append(append(bytes.Clone(columns), 'D', 0x20, 0, 0, 0), chunk...), simple},
		"rows, after their columns": {true, func(process uint32) []byte { return append(welcome(process), columns...) }, encoded(t, 1000, &pgproto3.DataRow{Values: [][]byte{[]byte("role")}}), simple},
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
