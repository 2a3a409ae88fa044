package smtp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"mime"
	"mime/quotedprintable"
	"net"
	"net/mail"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// withLogin is aiosmtpd with one user, and a taste for repeating passwords.
const withLogin = `
import sys, asyncio
from aiosmtpd.smtp import SMTP, AuthResult
from aiosmtpd.handlers import Debugging
host, port, user, password = sys.argv[1:5]
def check(server, session, envelope, mechanism, data):
    good = data.login == user.encode() and data.password == password.encode()
    if good:
        return AuthResult(success=True)
    return AuthResult(success=False, handled=False, message="535 5.7.8 wrong password " + data.password.decode())
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Debugging(sys.stdout), authenticator=check, auth_required=True, auth_require_tls=False, loop=loop), host, int(port))
    await server.serve_forever()
asyncio.run(main())
`

// peer is the header that the server adds.
var peer = regexp.MustCompile(`(?m)^X-Peer: .*\n`)

// server is a running aiosmtpd, which prints the mails it gets.
type server struct {
	address string
	mu      sync.Mutex
	out     bytes.Buffer
}

func (s *server) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// start runs Debian's python with args, in which ADDRESS, HOST and PORT stand
// for where to listen, and waits until it does.
func start(t *testing.T, args ...string) *server {
	t.Helper()
	s := &server{address: freeAddress(t)}
	host, port, _ := net.SplitHostPort(s.address)
	for i, a := range args {
		args[i] = strings.NewReplacer("ADDRESS", s.address, "HOST", host, "PORT", port).Replace(a)
	}
	cmd := exec.Command("/usr/bin/python3", append([]string{"-u"}, args...)...)
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = s, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", s.address)
		if err == nil {
			_ = conn.Close()
			return s
		}
		if time.Now().After(deadline) {
			t.Fatalf("the mail server does not start: %s", complaints.String())
		}
	}
}

// mails gives what arrived, as the server printed it. The server answers after
// it has printed, but through a pipe: wait for as many as there must be.
func (s *server) mails(t *testing.T, want int) []string {
	t.Helper()
	const begin, end = "---------- MESSAGE FOLLOWS ----------\n", "------------ END MESSAGE ------------\n"
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		text := s.out.String()
		s.mu.Unlock()
		if strings.Count(text, end) >= want || time.Now().After(deadline) {
			var out []string
			for _, part := range strings.Split(text, begin)[1:] {
				m, _, _ := strings.Cut(part, end)
				if strings.HasPrefix(m, "mail options:") {
					_, m, _ = strings.Cut(m, "\n\n")
				}
				out = append(out, peer.ReplaceAllString(m, ""))
			}
			if len(out) != want {
				t.Fatalf("%d mails arrived, want %d", len(out), want)
			}
			return out
		}
	}
}

// parsed reads a printed mail as a mail program does.
func parsed(t *testing.T, text string) (mail.Header, string) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(text))
	if err != nil {
		t.Fatalf("no mail: %v\n%s", err, text)
	}
	body, err := io.ReadAll(quotedprintable.NewReader(m.Body))
	if err != nil {
		t.Fatal(err)
	}
	return m.Header, string(body)
}

func decoded(t *testing.T, s string) string {
	t.Helper()
	out, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// certificate writes a key and a certificate for 127.0.0.1 signed by itself.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
