//go:build !race

package main

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func logOf(lines ...string) (out []logged) {
	for _, l := range lines {
		word, op, _ := strings.Cut(l, " ")
		out = append(out, logged{word, op})
	}
	return out
}

// What is promised of signals is seen to be broken where it is.
func TestCrashesNoticedSignals(t *testing.T) {
	const probe, set, next = "provider.Probe#1", "provider.Set#1", "begin journal.Append[intend:reload.services]#1"
	for _, row := range []struct {
		at     string
		code   int
		lines  []logged
		broken bool
	}{
		{interrupt + " " + probe, 6, logOf("begin "+probe, "broke "+probe, next), false},
		{interrupt + " " + probe, 6, logOf("begin "+probe, "broke "+probe, next, next), true},
		{interrupt + " " + probe, 0, logOf(next, next, "begin "+probe, "broke "+probe), false},
		{sigterm + " " + set, 6, logOf("begin "+set, "broke "+set, "effect "+set, next), true},
		{interruptTwo + " " + probe, 6, logOf("begin "+probe, "broke "+probe, next), true},
		{cutOff + " " + probe, 6, logOf("begin "+probe, "broke "+probe), false},
		{cutOff + " " + probe, 6, logOf("begin "+probe, "broke "+probe, "uncut "+probe), true},
		{cutOff + " " + probe, 0, logOf("begin "+probe, "broke "+probe), true},
		{killBefore + " " + probe, -1, logOf("begin "+probe, "broke "+probe), false},
	} {
		if err := heeded(row.at, row.code, row.lines); (err != nil) != row.broken {
			t.Errorf("%s, exit %d, %v: %v", row.at, row.code, row.lines, err)
		}
	}
}

// Who holds a credential is known while it does.
func TestCrashesNoticedWhoHolds(t *testing.T) {
	for _, row := range []struct {
		lines []logged
		held  bool
	}{
		{logOf("begin journal.Acquire#1", "broke journal.Acquire#1"), false},
		{logOf("begin journal.Acquire#1", "effect journal.Acquire#1", "begin provider.Set#1"), true},
		{logOf("effect journal.Acquire#1", "begin journal.Release#1", "broke journal.Release#1"), true},
		{logOf("effect journal.Acquire#1", "begin journal.Release#1"), false},
		{logOf("effect journal.Acquire#1", "begin journal.Release#1", "effect journal.Release#1"), false},
	} {
		if holds(row.lines) != row.held {
			t.Errorf("%v: %v", row.lines, !row.held)
		}
	}
}

// A change outside that no record announced is seen, whoever made it and whatever is logged;
// and so is a second new secret.
func TestCrashesNoticedChanges(t *testing.T) {
	now := "before"
	c := &crash{dir: t.TempDir(), world: world{
		stores: map[string]string{"store": "value"},
		target: func(*testing.T, string) string { return now },
		accepted: func(*testing.T, string) []string {
			return []string{now}
		},
	}, first: []string{"before"}}
	write(t, c.dir, map[string]string{"store": "old"})
	c.seen = sight{target: now, stores: c.stored()}
	if err := c.intended(t); err != nil || c.newMade(t) {
		t.Fatalf("nothing had changed: %v", err)
	}
	now = "once"
	if err := c.intended(t); err == nil {
		t.Error("the target changed")
	}
	c.seen = sight{target: now, stores: c.stored()}
	write(t, c.dir, map[string]string{"store": "new"})
	if err := c.intended(t); err == nil {
		t.Error("a store changed")
	}
	c.notice(t)
	if err := c.once(); err != nil || !c.newMade(t) {
		t.Errorf("one new secret: %v", err)
	}
	now = "twice"
	if c.notice(t); c.once() == nil {
		t.Error("a second new secret was taken")
	}
}

// An operation that was never reached is not covered, however often it was tried.
func TestCrashesNoticedWhatWasNotReached(t *testing.T) {
	total := newTally()
	for _, row := range []struct {
		op  string
		err error
	}{
		{"provider.Set#1", errMissed}, {"provider.Set#2", nil}, {"provider.Set#2", errMissed}, {"archive.File#1", errMissed},
		{"archive.File#2", nil}, {"fsync ./store#1", errMissed}, {"fsync ./store#2", errMissed}, {"write ./once#1", errMissed},
		{"store.Put#1", errors.New("a promise was broken")},
	} {
		total.count([]string{"w"}, []string{killAfter + " " + row.op}, nil, row.err)
	}
	if got, want := total.unreached(), []string{"w fsync ./store", "w provider.Set#1"}; !slices.Equal(got, want) {
		t.Errorf("%v, not %v", got, want)
	}
	if total.missed != 6 || total.violations != 1 || total.cases != 9 || total.broken["fsync ./store"] {
		t.Errorf("%+v", total)
	}
}

// A line of authorized_keys that is a comment lists no key.
func TestCrashesNoticedComments(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"authorized_keys": "# ssh-ed25519 AAAAdead ci\nrestrict ssh-ed25519 AAAAalive ci\n\n"})
	if got := keysIn(dir); !slices.Equal(got, []string{"AAAAalive"}) {
		t.Errorf("%v", got)
	}
}
