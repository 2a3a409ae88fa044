package htpasswd

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/remint-dev/remint/engine/provider"
)

// many writes a file of n users, all with one hash.
func many(t testing.TB, path string, n int) {
	t.Helper()
	hash, err := bcrypt.GenerateFromPassword([]byte("the-first-password"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "user%d:%s\n", i, hash)
	}
	write(t, path, b.String())
}

// setAll sets the passwords of the users from..to by ten goroutines.
func setAll(t testing.TB, s *site, from, to int) {
	t.Helper()
	next := make(chan int)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() {
			for i := range next {
				name := fmt.Sprintf("user%d", i)
				m := provider.Mutation{Credential: user(name)}
				if _, err := s.Set(context.Background(), m, password("new-password-of-"+name)); err != nil {
					t.Errorf("Set %s: %v", name, err)
				}
			}
		})
	}
	for i := from; i < to; i++ {
		next <- i
	}
	close(next)
	wg.Wait()
}

// TestTwoProcesses lets two processes write to one file at once: no change of
// either may be lost.
func TestTwoProcesses(t *testing.T) {
	const each = 60
	if path := os.Getenv("REMINT_TEST_SECOND_PROCESS"); path != "" {
		setAll(t, opened(t, path), each, 2*each)
		return
	}
	path := filepath.Join(t.TempDir(), "f")
	many(t, path, 2*each+1)
	second := exec.Command(os.Args[0], "-test.run=^TestTwoProcesses$")
	second.Env = append(os.Environ(), "REMINT_TEST_SECOND_PROCESS="+path)
	var out strings.Builder
	second.Stdout, second.Stderr = &out, &out
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	s := opened(t, path)
	setAll(t, s, 0, each)
	if err := second.Wait(); err != nil {
		t.Fatalf("the second process: %v\n%s", err, out.String())
	}
	for i := range 2 * each {
		name := fmt.Sprintf("user%d", i)
		if p := probe(t, s, name, "new-password-of-"+name); p.Verdict != provider.Accepted {
			t.Errorf("the new password of %s was lost (%s)", name, p.Detail)
		}
	}
	if n := strings.Count(content(t, path), "\n"); n != 2*each+1 {
		t.Errorf("the file has %d lines, want %d", n, 2*each+1)
	}
}

// TestWaitingForTheLock cancels a change that waits for another program.
func TestWaitingForTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, others)
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := opened(t, path)
	ctx, cancel := context.WithCancel(context.Background())
	first, second := make(chan error, 1), make(chan error, 1)
	change := func(ctx context.Context, name string, to chan error) {
		_, err := s.Set(ctx, provider.Mutation{Credential: user(name)}, password("the-new-password"))
		to <- err
	}
	go change(ctx, "bob", first)
	go change(context.Background(), "carol", second)
	cancel()
	if err := <-first; provider.ClassOf(err, "") != provider.Transient {
		t.Errorf("the cancelled change: %v, want a transient error", err)
	}
	if got := content(t, path); got != others {
		t.Errorf("the file changed without the lock: %q", got)
	}
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := <-second; err != nil {
		t.Errorf("the change that went on waiting: %v", err)
	}
	if strings.Contains(content(t, path), "bob:") || !verifies(t, path, "carol", "the-new-password") {
		t.Errorf("want carol and not bob in %q", content(t, path))
	}
}

// TestChangesOfOthersAreSeen edits the file behind the provider's back.
func TestChangesOfOthersAreSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, others)
	s := opened(t, path)
	set(t, s, "bob", "the-new-password")
	apache(t, "-bB", path, "bob", "set-by-apache")
	apache(t, "-bB", path, "carol", "set-by-apache")
	if p := probe(t, s, "bob", "the-new-password"); p.Verdict != provider.Refused {
		t.Errorf("a password that was replaced is %s", p.Verdict)
	}
	set(t, s, "bob", "the-new-password")
	if !verifies(t, path, "bob", "the-new-password") || !verifies(t, path, "carol", "set-by-apache") {
		t.Error("somebody's change was lost")
	}
}

// BenchmarkSet10k resets 10,000 users of one file through ten goroutines.
func BenchmarkSet10k(b *testing.B) {
	for b.Loop() {
		path := filepath.Join(b.TempDir(), "f")
		many(b, path, 10_000)
		setAll(b, opened(b, path), 0, 10_000)
	}
}
