//go:build linux && !race

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// receivers get the notices, and keep all that comes.
type receivers struct {
	hook, mail string // where they are
	mu         sync.Mutex
	posts      bytes.Buffer
	mails      bytes.Buffer // to be read once the server has ended
	end        func()
}

// mailServer prints what it gets; of its users only "good" may send, and the others
// are told the password that they gave.
const mailServer = `
import sys, asyncio
from aiosmtpd.smtp import SMTP, AuthResult
from aiosmtpd.handlers import Debugging
def check(server, session, envelope, mechanism, data):
    if data.login == b"good":
        return AuthResult(success=True)
    return AuthResult(success=False, handled=False, message="535 5.7.8 wrong password " + data.password.decode())
async def main():
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(Debugging(sys.stdout), authenticator=check, auth_required=True, auth_require_tls=False, loop=loop), sys.argv[1], int(sys.argv[2]))
    await server.serve_forever()
asyncio.run(main())
`

func newReceivers(t *testing.T) *receivers {
	t.Helper()
	r := &receivers{}
	web := httptest.NewServer(http.HandlerFunc(r.receive))
	t.Cleanup(web.Close)
	r.hook = web.URL
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r.mail = l.Addr().String()
	_ = l.Close()
	host, port, _ := net.SplitHostPort(r.mail)
	var complaints bytes.Buffer
	cmd := exec.Command("/usr/bin/python3", "-u", "-c", mailServer, host, port)
	cmd.Stdout, cmd.Stderr = &r.mails, &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	r.end = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // until all that it wrote is read
	})
	t.Cleanup(r.end)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", r.mail)
		if err == nil {
			_ = conn.Close()
			return r
		}
		if time.Now().After(deadline) {
			r.end()
			t.Fatalf("the mail server does not start: %s", complaints.String())
		}
	}
}

// receive keeps a notice, and answers well or with an error that repeats it.
func (r *receivers) receive(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	text := fmt.Sprintf("%v\n%s\n", q.Header, body)
	r.mu.Lock()
	r.posts.WriteString(text)
	r.mu.Unlock()
	if strings.HasPrefix(q.URL.Path, "/ok") {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	w.WriteHeader(http.StatusInternalServerError)
	_, _ = io.WriteString(w, text)
}

// places ends the mail server, and gives what both have got.
func (r *receivers) places(t *testing.T) map[string][]byte {
	t.Helper()
	r.end()
	r.mu.Lock()
	defer r.mu.Unlock()
	for of, sign := range map[string]struct {
		got  []byte
		text string
	}{"webhook": {r.posts.Bytes(), "Webhook-Signature:[v1,"}, "mail server": {r.mails.Bytes(), "Message-ID:"}} {
		if !bytes.Contains(sign.got, []byte(sign.text)) {
			t.Errorf("the %s got no notice: nothing was searched there", of)
		}
	}
	return map[string][]byte{"the webhook's notices": bytes.Clone(r.posts.Bytes()), "the mails": bytes.Clone(r.mails.Bytes())}
}
