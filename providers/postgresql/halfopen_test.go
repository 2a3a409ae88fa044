package postgresql_test

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/remint-dev/remint/engine/provider"
)

// halfOpen is a login that stopped before its last message: the server has
// read the verifier already, and will compare with that.
type halfOpen struct {
	t        *testing.T
	conn     net.Conn
	frontend *pgproto3.Frontend
	final    string
}

func beginHandshake(t *testing.T, user, pw string) *halfOpen {
	t.Helper()
	conn, err := net.Dial("tcp", net.JoinHostPort(server.Host, strconv.Itoa(server.Port)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	h := &halfOpen{t: t, conn: conn, frontend: pgproto3.NewFrontend(conn, conn)}
	h.send(&pgproto3.StartupMessage{ProtocolVersion: pgproto3.ProtocolVersion30, Parameters: map[string]string{"user": user, "database": "postgres"}})
	if _, ok := h.receive().(*pgproto3.AuthenticationSASL); !ok {
		t.Fatal("the server does not ask for SCRAM")
	}
	bare := "n=,r=" + rand.Text()
	h.send(&pgproto3.SASLInitialResponse{AuthMechanism: "SCRAM-SHA-256", Data: []byte("n,," + bare)})
	challenge, ok := h.receive().(*pgproto3.AuthenticationSASLContinue)
	if !ok {
		t.Fatal("the server does not continue")
	}
	first := string(challenge.Data)
	parts := strings.Split(first, ",") // r=…,s=…,i=…
	salt, err := base64.StdEncoding.DecodeString(parts[1][2:])
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(parts[2][2:])
	salted, err := pbkdf2.Key(sha256.New, pw, salt, n, 32)
	if err != nil {
		t.Fatal(err)
	}
	without := "c=biws," + parts[0]
	key := hash(salted, "Client Key")
	stored := sha256.Sum256(key)
	proof := hash(stored[:], bare+","+first+","+without)
	for i := range proof {
		proof[i] ^= key[i]
	}
	h.final = without + ",p=" + base64.StdEncoding.EncodeToString(proof)
	return h
}

func hash(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

func (h *halfOpen) send(m pgproto3.FrontendMessage) {
	h.t.Helper()
	h.frontend.Send(m)
	if err := h.frontend.Flush(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *halfOpen) receive() pgproto3.BackendMessage {
	h.t.Helper()
	m, err := h.frontend.Receive()
	if err != nil {
		h.t.Fatal(err)
	}
	return m
}

// finish sends the last message: "" for logged in, or the SQLSTATE.
func (h *halfOpen) finish() string {
	h.t.Helper()
	h.send(&pgproto3.SASLResponse{Data: []byte(h.final)})
	for {
		switch m := h.receive().(type) {
		case *pgproto3.ErrorResponse:
			return m.Code
		case *pgproto3.ReadyForQuery:
			return ""
		}
	}
}

func (h *halfOpen) alive() bool {
	h.frontend.Send(&pgproto3.Query{String: "SELECT 1"})
	if h.frontend.Flush() != nil {
		return false
	}
	for {
		m, err := h.frontend.Receive()
		if err != nil {
			return false
		}
		switch m.(type) {
		case *pgproto3.ErrorResponse:
			return false
		case *pgproto3.ReadyForQuery:
			return true
		}
	}
}

// A handshake begun with the old password before the change completes after
// it; the same cut-off again, within the settle window, ends what came of it.
func TestHalfOpenHandshakeIsSweptLater(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "half", "old", "")
	thief := beginHandshake(t, name, "old")

	a := set(t, p, mutation(name, 1), "new")
	if e := end(t, p, name, a.At); e.Count != 0 {
		t.Errorf("the half-open handshake shows as a session already: %+v", e)
	}
	wantVerdict(t, p, name, "old", provider.Refused, "28P01")
	young := connect(t, server.URL(name, "new"))

	if code := thief.finish(); code != "" {
		t.Fatalf("the server refuses the handshake with %s: there is nothing to sweep any more", code)
	}
	if !thief.alive() {
		t.Fatal("the thief's session does not work")
	}
	if e := end(t, p, name, a.At); e.Count != 1 {
		t.Errorf("EndSessions within the window gives %+v, want 1", e)
	}
	if thief.alive() {
		t.Error("the session of the half-open handshake lives")
	}
	if !alive(young) {
		t.Error("the new password's session was ended")
	}
	if o := inspect(t, p, name); o.Settle != 11*time.Second {
		t.Errorf("Settle is %v, want authentication_timeout (10s) and one second", o.Settle)
	}
}

// While the role is revoked such a handshake gains nothing.
func TestHalfOpenHandshakeGainsNothingWhileRevoked(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	name := role(t, "half", "old", "")
	thief := beginHandshake(t, name, "old")
	if _, err := p.(provider.Revoker).Revoke(context.Background(), mutation(name, 1), nil); err != nil {
		t.Fatal(err)
	}
	if code := thief.finish(); code != "28000" {
		t.Errorf("the handshake ends with %q, want 28000", code)
	}
	if left := ask(t, fmt.Sprintf("SELECT count(*)::text FROM pg_stat_activity WHERE usename = '%s'", name)); left != "0" {
		t.Errorf("%s sessions", left)
	}
}
