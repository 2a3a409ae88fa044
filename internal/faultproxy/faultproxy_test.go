package faultproxy_test

import (
	"io"
	"net"
	"strings"
	"testing"

	"github.com/remint-dev/remint/internal/faultproxy"
)

// shouter answers each line in capitals.
func shouter(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				b := make([]byte, 100)
				for {
					n, err := c.Read(b)
					if err != nil {
						return
					}
					_, _ = io.WriteString(c, strings.ToUpper(string(b[:n])))
				}
			}()
		}
	}()
	return l.Addr().String()
}

// say sends text over a new connection and gives the answer, "" for none.
func say(t *testing.T, p *faultproxy.Proxy, text string) string {
	t.Helper()
	c, err := net.Dial("tcp", p.Address())
	if err != nil {
		return ""
	}
	defer func() { _ = c.Close() }()
	_, _ = io.WriteString(c, text)
	b := make([]byte, 100)
	n, _ := c.Read(b)
	return string(b[:n])
}

// What each way does to the second request that contains a text, or to its
// reply, and that everything before and after goes through.
func TestWays(t *testing.T) {
	for _, c := range []struct {
		direction, text string
		way             faultproxy.Way
		want            string
	}{
		{faultproxy.Request, "commit", faultproxy.Pass, "COMMIT"},
		{faultproxy.Request, "commit", faultproxy.Cut, ""},
		{faultproxy.Request, "commit", faultproxy.Half, ""},
		{faultproxy.Reply, "COMMIT", faultproxy.Cut, ""},
		{faultproxy.Reply, "COMMIT", faultproxy.Half, "COM"},
		{faultproxy.Reply, "COMMIT", faultproxy.CutAfter, "COMMIT"},
	} {
		for _, toxics := range [][]faultproxy.Toxic{nil, faultproxy.Reset} {
			p := faultproxy.New(t, shouter(t), toxics...)
			p.At(faultproxy.Moment{Direction: c.direction, Text: c.text, N: 2}, func() faultproxy.Way { return c.way })
			for i, want := range []string{"COMMIT", c.want, "COMMIT"} {
				half := i == 1 && c.way == faultproxy.Half && c.direction == faultproxy.Request
				if got := say(t, p, "commit"); got != want && (!half || got != "COM") {
					t.Errorf("%s %v: request %d is answered %q, want %q", c.direction, c.way, i+1, got, want)
				}
			}
			if !p.Reached() {
				t.Errorf("%s %v: the moment was not reached", c.direction, c.way)
			}
		}
	}
}

func TestStopHealPointCount(t *testing.T) {
	p := faultproxy.New(t, "127.0.0.1:1")
	if got := say(t, p, "a"); got != "" {
		t.Errorf("an answer from nowhere: %q", got)
	}
	if err := p.Point(shouter(t)); err != nil {
		t.Fatal(err)
	}
	p.Count(faultproxy.Moment{Direction: faultproxy.Request, Text: "a"})
	if got := say(t, p, "a"); got != "A" {
		t.Errorf("answered %q", got)
	}
	p.Stop()
	if got := say(t, p, "a"); got != "" {
		t.Errorf("answered %q by what is stopped", got)
	}
	if err := p.Heal(); err != nil {
		t.Fatal(err)
	}
	if got := say(t, p, "a"); got != "A" {
		t.Errorf("answered %q", got)
	}
	if n := len(p.Counted()); n != 2 {
		t.Errorf("%d moments counted, not 2", n)
	}
}
