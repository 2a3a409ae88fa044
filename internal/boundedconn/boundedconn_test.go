package boundedconn_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/remint-dev/remint/internal/boundedconn"
)

func TestTalk(t *testing.T) {
	var sent bytes.Buffer
	talk := boundedconn.NewTalk(strings.NewReader(strings.Repeat("x", 45)), &sent, 10)
	for question, want := range []int{10, 10, 20, 5} {
		if _, err := io.WriteString(talk, "?"); err != nil {
			t.Fatal(err)
		}
		if want == 20 {
			talk.Let(20)
		}
		got, err := io.ReadAll(talk)
		if len(got) != want || (want >= 10) != errors.Is(err, boundedconn.ErrTooMuch) {
			t.Errorf("answer %d: %d bytes, %v", question, len(got), err)
		}
	}
	if sent.String() != "????" {
		t.Errorf("sent %q", sent.String())
	}
}

func TestConn(t *testing.T) {
	near, far := net.Pipe()
	go func() {
		_, _ = io.WriteString(far, strings.Repeat("x", 11)) // of which the last is not taken
		_ = far.Close()
	}()
	c := boundedconn.Conn(near, 10)
	got, err := io.ReadAll(c)
	if len(got) != 10 || !errors.Is(err, boundedconn.ErrTooMuch) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}
