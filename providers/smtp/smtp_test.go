package smtp_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/providers/smtp"
)

const canary = "c4nary-Zx9-secret"

func tryOpen(set map[string]any) (provider.Notifier, error) {
	values := map[string]any{"from": "remint@example.com", "tls": "none", "timeout": 30 * time.Second}
	for k, v := range set {
		values[k] = v
	}
	return smtp.Notifier().Open(context.Background(), provider.Block{Attrs: provider.NewAttrs(values)})
}

func open(t *testing.T, set map[string]any) provider.Notifier {
	t.Helper()
	n, err := tryOpen(set)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func notice() provider.Notice {
	return provider.Notice{
		ID: "run1/billing", Kind: "finished", Run: "run1", Address: "credential.postgresql_role.billing", Type: "postgresql_role",
		Owner: "payments@example.com", To: "payments@example.com", Reason: "compromised", Mode: "contain", Ticket: "SEC-1", Outcome: "dead", Proof: "tested",
		Summary: "The password of billing was replaced.", Changes: []string{"store file.dotenv: app/.env", "2 sessions ended"},
		Next: "Nothing.", At: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func TestMail(t *testing.T) {
	s := start(t, "-m", "aiosmtpd", "-n", "-l", "ADDRESS")
	n := open(t, map[string]any{"address": s.address, "from": "Remint Ümlaut <remint@example.com>"})
	for range 2 {
		if err := n.Send(t.Context(), notice()); err != nil {
			t.Fatal(err)
		}
	}
	got := s.mails(t, 2)
	if got[0] != got[1] {
		t.Error("the second mail of one notice differs from the first")
	}
	h, body := parsed(t, got[0])
	if diff := cmp.Diff([]string{
		"Remint Ümlaut <remint@example.com>", "<payments@example.com>", "[remint] The password of billing was replaced.",
		"Wed, 02 Jan 2030 03:04:05 +0000", "auto-generated",
	}, []string{decoded(t, h.Get("From")), h.Get("To"), h.Get("Subject"), h.Get("Date"), h.Get("Auto-Submitted")}); diff != "" {
		t.Error(diff)
	}
	if id := h.Get("Message-Id"); !strings.HasPrefix(id, "<") || !strings.HasSuffix(id, "@example.com>") {
		t.Errorf("Message-ID is %s", id)
	}
	want := `The password of billing was replaced.

Credential: credential.postgresql_role.billing
Type:       postgresql_role
Owner:      payments@example.com
Reason:     compromised
Mode:       contain
Ticket:     SEC-1
Outcome:    dead
Proof:      tested
Run:        run1
Time:       2030-01-02T03:04:05Z

What changed:
- store file.dotenv: app/.env
- 2 sessions ended

What to do next:
Nothing.

-- 
Sent by remint. Notice run1/billing. It never contains a secret and asks for none.
`
	if diff := cmp.Diff(want, body); diff != "" {
		t.Error(diff)
	}
}

func TestHostileNames(t *testing.T) {
	s := start(t, "-m", "aiosmtpd", "-n", "-l", "ADDRESS")
	evil := "x\r\nBcc: thief@example.com\r\n\r\nhidden\u202e\u0000"
	n := notice()
	n.ID, n.Summary, n.Address, n.Owner, n.Next, n.Ticket, n.Changes = evil, evil, evil, evil, "\n.\nQUIT\r\n.\r\n", strings.Repeat("ü", 3000), []string{evil, ".", "From me"}
	n.To = `"Eve\" <x>, y" <eve@example.com>`
	if err := open(t, map[string]any{"address": s.address}).Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	n.Summary = strings.Repeat("ü\r\n", 400)
	if err := open(t, map[string]any{"address": s.address, "to": []string{"soc@example.com", "Ops <ops@example.com>"}}).Send(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	for i, text := range s.mails(t, 2) {
		h, body := parsed(t, text)
		if h.Get("Bcc") != "" || strings.Contains(body, "\r") || strings.ContainsAny(body, "\u202e\x00") {
			t.Errorf("a name broke out:\n%s", text)
		}
		if !strings.Contains(body, `x\u000d\u000aBcc: thief@example.com`) || !strings.Contains(body, `\u000a.\u000aQUIT`) || !strings.Contains(body, "\n- .\n- From me\n") {
			t.Errorf("the body lacks something:\n%s", body)
		}
		if subject := []rune(decoded(t, h.Get("Subject"))); len(subject) > 150 {
			t.Errorf("the subject has %d characters", len(subject))
		}
		for line := range strings.Lines(text) {
			if len(line) > 200 {
				t.Errorf("mail %d has a line of %d bytes", i, len(line))
			}
		}
		to, err := h.AddressList("To")
		if err != nil || len(to) != i+1 {
			t.Errorf("mail %d goes to %v, %v", i, to, err)
		}
	}
}

func TestEncryption(t *testing.T) {
	cert, key := certificate(t)
	ca := provider.Path{Written: "ca.pem", Absolute: cert}
	starttls := start(t, "-m", "aiosmtpd", "-n", "-l", "ADDRESS", "--tlscert", cert, "--tlskey", key)
	smtps := start(t, "-m", "aiosmtpd", "-n", "-l", "ADDRESS", "--smtpscert", cert, "--smtpskey", key)
	plain := start(t, "-m", "aiosmtpd", "-n", "-l", "ADDRESS")
	for name, c := range map[string]struct {
		set  map[string]any
		want string // "" for delivery
	}{
		"starttls":                 {map[string]any{"address": starttls.address, "tls": "starttls", "ca_file": ca}, ""},
		"tls":                      {map[string]any{"address": smtps.address, "tls": "tls", "ca_file": ca}, ""},
		"starttls, unknown":        {map[string]any{"address": starttls.address, "tls": "starttls"}, "unknown authority: set ca_file"},
		"tls, unknown":             {map[string]any{"address": smtps.address, "tls": "tls"}, "unknown authority: set ca_file"},
		"tls, another name":        {map[string]any{"address": strings.Replace(smtps.address, "127.0.0.1", "localhost", 1), "tls": "tls", "ca_file": ca}, "not valid for localhost"},
		"not offered":              {map[string]any{"address": plain.address, "tls": "starttls"}, "offers no STARTTLS"},
		"no TLS there":             {map[string]any{"address": plain.address, "tls": "tls"}, "does not begin with TLS"},
		"the server insists on it": {map[string]any{"address": starttls.address, "tls": "none"}, "answered 530 to the sender"},
	} {
		t.Run(name, func(t *testing.T) {
			err := open(t, c.set).Send(t.Context(), notice())
			if c.want == "" && err != nil || c.want != "" && (provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("%v", err)
			}
		})
	}
	starttls.mails(t, 1)
	smtps.mails(t, 1)
	plain.mails(t, 0)
}

func TestLogin(t *testing.T) {
	s := start(t, "-c", withLogin, "HOST", "PORT", "remint", canary)
	for name, c := range map[string]struct {
		password string
		want     string
	}{
		"right": {canary, ""},
		"wrong": {canary + "x", "answered 535 to the login"},
	} {
		err := open(t, map[string]any{"address": s.address, "username": "remint", "password": secret.FromString(c.password)}).Send(t.Context(), notice())
		if (err == nil) != (c.want == "") || err != nil && (!strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), canary)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := open(t, map[string]any{"address": s.address}).Send(t.Context(), notice()); err == nil {
		t.Error("delivered without a login")
	}
	s.mails(t, 1)
	noLogin := start(t, "-m", "aiosmtpd", "-n", "-l", "ADDRESS")
	err := open(t, map[string]any{"address": noLogin.address, "username": "remint", "password": secret.FromString(canary)}).Send(t.Context(), notice())
	if err == nil || !strings.Contains(err.Error(), "takes no login here") {
		t.Errorf("no login there: %v", err)
	}
}

// talk is a server that says its lines, one to each of the client's, and then
// what happens is end: hang up, or stay silent.
func talk(t *testing.T, silent bool, lines ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { close(done); _ = l.Close() })
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		for i, line := range lines {
			if i > 0 {
				if _, err := in.ReadString('\n'); err != nil {
					return
				}
			}
			fmt.Fprintf(conn, "%s\r\n", line)
		}
		if silent {
			<-done
			return
		}
		for line := ""; line != ".\r\n"; { // the end of the mail
			if line, err = in.ReadString('\n'); err != nil {
				return
			}
		}
	}()
	return l.Addr().String()
}

func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		address string
		class   provider.Class
		want    string
	}{
		"nobody there":       {freeAddress(t), provider.Transient, "failed (connecting)"},
		"busy":               {talk(t, true, "421 "+canary), provider.Transient, "answered 421 to the greeting: not now"},
		"refuses recipient":  {talk(t, true, "220 hi", "250 hi", "250 ok", "550 "+canary), provider.Permanent, "answered 550 to the recipient payments@example.com"},
		"silent":             {talk(t, true), provider.Transient, "did not answer in time (the greeting)"},
		"breaks at the end":  {talk(t, false, "220 hi", "250 hi", "250 ok", "250 ok", "354 go"), provider.Ambiguous, "may have been delivered"},
		"no mail server":     {talk(t, true, "HTTP/1.1 400 "+canary), provider.Transient, "failed (the greeting)"},
		"refuses at the end": {talk(t, true, "220 hi", "250 hi", "250 ok", "250 ok", "354 go", "554 "+canary), provider.Permanent, "answered 554 to the mail"},
	} {
		t.Run(name, func(t *testing.T) {
			timeout := 10 * time.Second
			if name == "silent" {
				timeout = 100 * time.Millisecond
			}
			err := open(t, map[string]any{"address": c.address, "timeout": timeout}).Send(t.Context(), notice())
			if provider.ClassOf(err, "") != c.class || !strings.Contains(fmt.Sprint(err), c.want) || strings.Contains(fmt.Sprint(err), canary) {
				t.Errorf("%s: %v", provider.ClassOf(err, ""), err)
			}
		})
	}
	n := notice()
	n.To = "platform team"
	if err := open(t, map[string]any{"address": freeAddress(t)}).Send(t.Context(), n); provider.ClassOf(err, "") != provider.Permanent {
		t.Errorf("to nobody: %v", err)
	}
}

// flood is a server that says its lines as talk does, and then what again and again.
func flood(t *testing.T, again string, lines ...string) (address string, sent *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	sent = &atomic.Int64{}
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = conn.Close() }()
		in := bufio.NewReader(conn)
		for _, line := range lines {
			fmt.Fprintf(conn, "%s\r\n", line)
			if _, err := in.ReadString('\n'); err != nil {
				return
			}
		}
		chunk := []byte(strings.Repeat(again, 1000))
		for n := 0; err == nil; sent.Add(int64(n)) {
			n, err = conn.Write(chunk)
		}
	}()
	return l.Addr().String(), sent
}

// TestFlood: what a server says without end is not kept until the time is over.
func TestFlood(t *testing.T) {
	for name, c := range map[string]struct {
		tls, again, want string
		lines            []string
	}{
		"a line":                  {"none", "x", "to the greeting", nil},
		"an answer":               {"none", "220-hi\r\n", "to the greeting", nil},
		"an answer before TLS":    {"starttls", "250-hi\r\n", "to the introduction", []string{"220 hi"}},
		"an answer to STARTTLS":   {"starttls", "220-hi\r\n", "to STARTTLS", []string{"220 hi", "250-hi\r\n250 STARTTLS"}},
		"an answer to the sender": {"none", "250-hi\r\n", "to the sender", []string{"220 hi", "250 hi"}},
	} {
		t.Run(name, func(t *testing.T) {
			address, sent := flood(t, c.again, c.lines...)
			err := open(t, map[string]any{"address": address, "tls": c.tls, "timeout": 5 * time.Minute}).Send(t.Context(), notice())
			if provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "more than 1 MiB "+c.want+": no mail server does; check the address") {
				t.Errorf("%v", err)
			}
			if n := sent.Load(); n > 32<<20 { // some of it is on the way
				t.Errorf("%d bytes were taken", n)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	password := secret.FromString(canary)
	for want, set := range map[string]map[string]any{
		"must be a host and a port":                      {"address": "mail.example.com"},
		"must be a mail address":                         {"from": "remint"},
		"must be mail addresses":                         {"to": []string{"a@example.com", "b"}},
		"belong together":                                {"password": password},
		"would send the password to mail.example.com in": {"username": "u", "password": password},
		"cannot be read":                                 {"ca_file": provider.Path{Written: "x", Absolute: "/absent"}},
		"no PEM certificate":                             {"ca_file": provider.Path{Written: "x", Absolute: "/etc/hostname"}},
	} {
		values := map[string]any{"address": "mail.example.com:25"}
		for k, v := range set {
			values[k] = v
		}
		if _, err := tryOpen(values); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), canary) {
			t.Errorf("%q: %v", want, err)
		}
	}
}
