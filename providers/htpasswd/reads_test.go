package htpasswd

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
)

// Readers that wait together see what the file held after they asked, and do
// not wait for others longer than they want.
func TestReadersJoin(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("ann:old\n")
	s := &site{file: provider.Path{Written: path, Absolute: path}, now: time.Now}
	s.reads.turn.Lock() // a reading is going on
	type answer struct {
		data []byte
		err  error
	}
	answers := make(chan answer, 1)
	go func() {
		data, err := s.content(context.Background(), path)
		answers <- answer{data, err}
	}()
	var next *reading
	for next == nil {
		s.reads.mu.Lock()
		next = s.reads.next
		s.reads.mu.Unlock()
	}
	write("ann:new\n")
	impatient, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := s.content(impatient, path); provider.ClassOf(err, "") != provider.Transient {
		t.Errorf("a cancelled reader got %v", err)
	}
	s.reads.turn.Unlock()
	got := <-answers
	if got.err != nil || string(got.data) != "ann:new\n" || &got.data[0] != &next.data[0] {
		t.Errorf("%q, %v", got.data, got.err)
	}
	write("ann:newer\n")
	if data, err := s.content(context.Background(), path); err != nil || string(data) != "ann:newer\n" {
		t.Errorf("%q, %v: a later reader was given an earlier reading", data, err)
	}
}
