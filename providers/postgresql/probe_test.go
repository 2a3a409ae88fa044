package postgresql_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/remint-dev/remint/engine/provider"
)

// No server that asks for the password in another way than SCRAM gets it, be
// it the role's or the provider's own.
func TestNothingIsSentToServersThatAskForIt(t *testing.T) {
	welcome := []pgproto3.BackendMessage{&pgproto3.AuthenticationOk{}, &pgproto3.BackendKeyData{ProcessID: 1, SecretKey: []byte{0, 0, 0, 1}}, &pgproto3.ReadyForQuery{TxStatus: 'I'}}
	for what, c := range map[string]struct {
		answer []pgproto3.BackendMessage
		says   string
	}{
		"cleartext": {[]pgproto3.BackendMessage{&pgproto3.AuthenticationCleartextPassword{}}, "a cleartext password"},
		"md5":       {[]pgproto3.BackendMessage{&pgproto3.AuthenticationMD5Password{Salt: [4]byte{1, 2, 3, 4}}}, "an md5 hash"},
		"nothing":   {welcome, "without"},
	} {
		for _, mode := range []string{"disable", "prefer", "allow"} {
			t.Run(what+" "+mode, func(t *testing.T) {
				f := newFake(t, c.answer...)
				p := open(t, "postgres://admin:admin-canary@"+f.address()+"/postgres?sslmode="+mode, nil)
				wantVerdict(t, p, "role", "role-canary", provider.Unclear, c.says)
				if n := f.seen(); n != 1 {
					t.Errorf("the server was asked to log in %d times, want once", n)
				}
				control, err := p.(provider.Controller).Control(context.Background(), credential("role"))
				if err != nil || control.Verdict != provider.Unclear {
					t.Errorf("Control is %+v, %v", control, err)
				}
				_, err = p.Inspect(context.Background(), credential("role"))
				if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "canary") {
					t.Errorf("Inspect: %v, want a Permanent error that says %q and no password", err, c.says)
				}
				_ = p.Close()
				if f.stop(); len(f.received) > 0 {
					t.Errorf("the server was sent %q", f.received)
				}
			})
		}
	}
}

func TestProbeTellsAnswersApart(t *testing.T) {
	sasl := &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}}
	fatal := func(code string) *pgproto3.ErrorResponse {
		return &pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: code, Message: "no"}
	}
	for what, c := range map[string]struct {
		answer []pgproto3.BackendMessage
		want   provider.Verdict
		detail string
	}{
		"wrong password":            {[]pgproto3.BackendMessage{sasl, fatal("28P01")}, provider.Refused, "28P01"},
		"wrong before it was asked": {[]pgproto3.BackendMessage{fatal("28P01")}, provider.Unclear, "28P01"},
		"not permitted":             {[]pgproto3.BackendMessage{sasl, fatal("28000")}, provider.Disabled, "28000"},
		"too many connections":      {[]pgproto3.BackendMessage{sasl, fatal("53300")}, provider.Unclear, "53300"},
		"starting up":               {[]pgproto3.BackendMessage{fatal("57P03")}, provider.Unclear, "57P03"},
		"no such database":          {[]pgproto3.BackendMessage{sasl, fatal("3D000")}, provider.Unclear, "3D000"},
		"a pooler's protocol error": {[]pgproto3.BackendMessage{sasl, fatal("08P01")}, provider.Unclear, "08P01"},
		"another mechanism of SASL": {[]pgproto3.BackendMessage{&pgproto3.AuthenticationSASL{AuthMechanisms: []string{"PLAIN"}}}, provider.Unclear, "broke off"},
		"an impostor's SCRAM":       {[]pgproto3.BackendMessage{sasl, &pgproto3.AuthenticationSASLFinal{Data: []byte("v=AAAA")}, &pgproto3.AuthenticationOk{}}, provider.Unclear, "broke off"},
	} {
		f := newFake(t, c.answer...)
		// The real server does not know the role, and refuses it (28P01).
		p := open(t, server.SuperURL(), map[string]any{"probe_addresses": []string{f.address()}})
		got := wantVerdict(t, p, "role", "pw", c.want, c.detail)
		if want := net.JoinHostPort(server.Host, strconv.Itoa(server.Port)) + ", " + f.address(); got.Endpoint != want {
			t.Errorf("%s: at %s, want %s", what, got.Endpoint, want)
		}
		if !strings.Contains(got.Detail, f.address()+" "+string(c.want)+": ") {
			t.Errorf("%s: the fake alone is not %s: %s", what, c.want, got.Detail)
		}
	}
	// Whether VALID UNTIL has passed cannot be read here: no refusal counts.
	f := newFake(t, sasl, fatal("28P01"))
	p := open(t, "postgres://admin:x@"+f.address()+"/postgres", nil) // sslmode=prefer
	wantVerdict(t, p, "role", "pw", provider.Unclear, "could not be read")
}

func TestProbeOfServersThatDoNotAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts in the kernel, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	p := open(t, "postgres://a:b@"+silent.Addr().String()+"/x", map[string]any{"connect_timeout": 150 * time.Millisecond})
	wantVerdict(t, p, "role", "pw", provider.Unclear, "timed out")
	p = open(t, "postgres://a:b@127.0.0.1:1/x", nil)
	wantVerdict(t, p, "role", "pw", provider.Unclear, "no connection")
}

// Accepted at one place is accepted, and a control must succeed at every one.
func TestSeveralPlaces(t *testing.T) {
	real := net.JoinHostPort(server.Host, strconv.Itoa(server.Port))
	name := role(t, "pooled", "right", "")
	refusing := newFake(t, &pgproto3.AuthenticationSASL{AuthMechanisms: []string{"SCRAM-SHA-256"}},
		&pgproto3.ErrorResponse{Severity: "FATAL", SeverityUnlocalized: "FATAL", Code: "28P01"})
	dsn := fmt.Sprintf("host=%s port=%d user=postgres password=%s dbname=postgres sslmode=disable", server.Host, server.Port, server.SuperPassword)
	for _, url := range []string{server.SuperURL(), dsn, strings.TrimSuffix(server.SuperURL(), "?sslmode=disable")} {
		both := open(t, url, map[string]any{"probe_addresses": []string{refusing.address()}})
		got := wantVerdict(t, both, name, "right", provider.Accepted, "28P01")
		if want := real + ", " + refusing.address(); got.Endpoint != want {
			t.Errorf("Endpoint is %q, want %q", got.Endpoint, want)
		}
		wantVerdict(t, both, name, "wrong", provider.Refused, "28P01")
		control, err := both.(provider.Controller).Control(context.Background(), credential(name))
		if err != nil || control.Verdict != provider.Refused || control.Endpoint != got.Endpoint {
			t.Errorf("Control is %+v, %v; one place refuses it", control, err)
		}
	}
	down := open(t, server.SuperURL(), map[string]any{"probe_addresses": []string{"127.0.0.1:1"}})
	wantVerdict(t, down, name, "wrong", provider.Unclear, "no connection")
	wantVerdict(t, down, name, "right", provider.Accepted, "logged in")

	socket := fmt.Sprintf("host=%s port=%d user=postgres password=%s dbname=postgres", server.SocketDir, server.Port, server.SuperPassword)
	byAddress := open(t, socket, map[string]any{"probe_addresses": []string{real}})
	if got := wantVerdict(t, byAddress, name, "right", provider.Accepted, ""); got.Endpoint != real {
		t.Errorf("a Unix socket is probed too: %s", got.Endpoint)
	}
	if got := wantVerdict(t, open(t, socket, nil), name, "right", provider.Accepted, ""); !strings.Contains(got.Endpoint, server.SocketDir) {
		t.Errorf("Endpoint is %q", got.Endpoint)
	}
}

func TestProbeOfRealServersOddities(t *testing.T) {
	p := open(t, server.SuperURL(), nil)
	for _, group := range []string{"open_door", "cleartext", "barred"} {
		super(t, fmt.Sprintf("DO $$ BEGIN CREATE ROLE %s; EXCEPTION WHEN duplicate_object THEN END $$", group))
	}
	for what, c := range map[string]struct {
		options string
		want    provider.Verdict
		detail  string
	}{
		"trust in pg_hba.conf":     {"IN ROLE open_door", provider.Unclear, "without a password"},
		"password in pg_hba.conf":  {"IN ROLE cleartext", provider.Unclear, "cleartext"},
		"reject in pg_hba.conf":    {"IN ROLE barred", provider.Disabled, "28000"},
		"no connection left":       {"CONNECTION LIMIT 0", provider.Unclear, "53300"},
		"expired":                  {"VALID UNTIL '2001-01-01'", provider.Disabled, "28P01; the role's VALID UNTIL passed at 2001-01-01T"},
		"expired for ever":         {"VALID UNTIL '-infinity'", provider.Disabled, "VALID UNTIL 'infinity'"},
		"not expired yet":          {"VALID UNTIL '2101-01-01'", provider.Accepted, ""},
		"nothing odd":              {"", provider.Accepted, ""},
		"one connection, repeated": {"CONNECTION LIMIT 1", provider.Accepted, ""},
	} {
		name := role(t, "odd", "right", c.options)
		for range 3 { // an accepted one has left before the next
			wantVerdict(t, p, name, "right", c.want, c.detail)
		}
		if t.Failed() {
			t.Fatal(what)
		}
	}
	name := role(t, "md5", "right", "")
	super(t, fmt.Sprintf("SET password_encryption = md5; ALTER ROLE %q PASSWORD 'right'", name))
	// pg_hba.conf demands SCRAM, which an md5 hash cannot do.
	wantVerdict(t, p, name, "right", provider.Refused, "28P01")
	if o := inspect(t, p, name); o.Versions[0].ID != "md5" || !strings.Contains(strings.Join(o.Notes, "\n"), "md5") {
		t.Errorf("%+v", o)
	}
	if _, err := p.Probe(context.Background(), credential(name), material("")); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("an empty password: %v", err)
	}
}
