package postgresql_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/postgresql"
	"github.com/remint-dev/remint/internal/pgtest"
)

// hold is the other process: it holds the run JOURNAL_TEST_RUN with one key, fenced
// or not, and does what it is told on its standard input.
func hold() {
	ctx := context.Background()
	run := os.Getenv("JOURNAL_TEST_RUN")
	j, err := postgresql.Open(ctx, os.Getenv("JOURNAL_TEST_URL"), postgresql.Options{Schema: os.Getenv("JOURNAL_TEST_SCHEMA"), Create: true})
	if err == nil {
		_, err = j.Acquire(ctx, run, "ann", []journal.Key{{Name: "key of " + run, Fenced: os.Getenv("JOURNAL_TEST_FENCED") != ""}})
	}
	if err == nil {
		err = j.Open(ctx, journal.Run{ID: run, PlanID: "plan of " + run, OpenedAt: time.Now()})
	}
	fmt.Println("ready", err)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		switch in.Text() {
		case "append":
			err = j.Append(ctx, &journal.Batch{Records: []journal.Record{{Run: run, Kind: journal.Note, Address: "holder"}}})
		case "holds":
			err = j.Holds(ctx, run)
		case "release":
			err = j.Release(ctx, run)
		}
		fmt.Println(in.Text(), errors.Is(err, journal.ErrLost), err)
	}
}

// holder is such a process.
type holder struct {
	cmd *exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func newHolder(t *testing.T, url, schema, run, fenced string) *holder {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "JOURNAL_TEST_URL="+url, "JOURNAL_TEST_SCHEMA="+schema, "JOURNAL_TEST_RUN="+run, "JOURNAL_TEST_FENCED="+fenced)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &holder{cmd, in, bufio.NewReader(out)}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	if got := h.says(t); got != "ready <nil>" {
		t.Fatal(got)
	}
	return h
}

func (h *holder) says(t *testing.T) string {
	t.Helper()
	line, err := h.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func (h *holder) told(t *testing.T, what string) string {
	t.Helper()
	fmt.Fprintln(h.in, what)
	return h.says(t)
}

func (h *holder) signal(t *testing.T, sig syscall.Signal) {
	t.Helper()
	if err := h.cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// heard makes the server have heard of a stopped holder at another time than it did:
// ago, or with 0 at a time that is not past however slow this machine is. How long a
// silence is long is for TestJudge.
func heard(t *testing.T, url, schema string, h *holder, ago time.Duration) {
	t.Helper()
	if ago == 0 {
		ago = time.Hour
	}
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	tag, err := conn.Exec(t.Context(), "UPDATE "+pgx.Identifier{schema, "runner"}.Sanitize()+" SET seen = clock_timestamp() + $1 WHERE pid = $2", ago, h.cmd.Process.Pid)
	if err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%v, %v", tag, err)
	}
}

func take(t *testing.T, j journal.Journal, run, key string, fenced bool) error {
	t.Helper()
	_, err := j.Acquire(t.Context(), run, "bob", []journal.Key{{Name: key, Fenced: fenced}})
	return err
}

// A live holder is named with its age; a killed one is taken over as soon as
// the server sees that it is gone, by another run and by its own.
func TestKilledHolder(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	for _, same := range []bool{false, true} {
		schema := fresh()
		h := newHolder(t, s.SuperURL(), schema, "r1", "")
		time.Sleep(1200 * time.Millisecond)
		j := open(t, s.SuperURL(), schema)
		run := map[bool]string{false: "r2", true: "r1"}[same]
		var held *journal.HeldError
		err := take(t, j, run, "key of r1", false)
		if !errors.As(err, &held) || held.Run != "r1" || !strings.HasPrefix(held.Holder, "ann on ") || held.Age < time.Second || held.Age > time.Minute || held.Silent != 0 {
			t.Fatalf("a live holder: %v", err)
		}
		h.signal(t, syscall.SIGKILL)
		began := time.Now()
		for { // the server may need a moment to see that its client is gone
			err := take(t, j, run, "key of r1", false)
			if err == nil {
				break
			}
			if !errors.As(err, &held) || time.Since(began) > time.Minute {
				t.Fatalf("a dead holder: %v", err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// lease acquires one key that is fenced, and reports whether an earlier holder may wake.
func lease(t *testing.T, j journal.Journal, run, key string) (overtaken bool) {
	t.Helper()
	got, err := j.Acquire(t.Context(), run, "bob", []journal.Key{{Name: key, Fenced: true}})
	if err != nil || len(got) != 1 || got[0].Fence < 2 {
		t.Fatalf("%s: %+v, %v", run, got, err)
	}
	return got[0].Overtaken
}

// A stopped holder whose target can fence it is taken over by its own run, and by no
// other as long as it may wake; one whose target cannot is not taken over. It wakes and
// learns that it lost the run: it cannot write, and cannot give back what is another's.
// Once it says that it has nothing of that run in hand any more, another run may begin.
func TestStoppedHolder(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	schema := fresh()
	fenced, bare := newHolder(t, s.SuperURL(), schema, "r1", "yes"), newHolder(t, s.SuperURL(), schema, "r2", "")
	for _, h := range []*holder{fenced, bare} {
		if got := h.told(t, "append"); got != "append false <nil>" {
			t.Fatal(got)
		}
		h.signal(t, syscall.SIGSTOP)
	}
	j := open(t, s.SuperURL(), schema)
	// They believe for a moment what they heard last. When this is over, what they had
	// sent before they were stopped has arrived, too.
	time.Sleep(2 * time.Second)
	var held *journal.HeldError
	heard(t, s.SuperURL(), schema, fenced, 0)
	if err := take(t, j, "r3", "key of r1", true); !errors.As(err, &held) || held.Silent != 0 {
		t.Fatalf("a holder that was heard of just now: %v", err)
	}
	for _, h := range []*holder{fenced, bare} {
		heard(t, s.SuperURL(), schema, h, -time.Hour)
	}
	if err := take(t, j, "r3", "key of r1", true); !errors.As(err, &held) || held.Silent < time.Hour || !held.Fenced || !strings.Contains(err.Error(), "over a newer one") {
		t.Fatalf("another run beside a stopped holder that is fenced: %v", err)
	}
	// Its session stands, and a network may only have been slow: it keeps its run from who
	// asks for none of its keys.
	if _, err := j.Acquire(t.Context(), "r1", "filing evidence", nil); !errors.As(err, &held) || held.Run != "r1" || !strings.HasPrefix(held.Holder, "ann on ") {
		t.Fatalf("filing the evidence of a stopped holder that is fenced: %v", err)
	}
	if !lease(t, j, "r1", "key of r1") {
		t.Error("its own run does not learn that it may wake")
	}
	lost := func(when string) {
		t.Helper()
		if err := j.Release(t.Context(), "r1"); err != nil {
			t.Fatal(err)
		}
		if err := take(t, j, "r3", "key of r1", true); !errors.As(err, &held) || !held.Lost || held.Run != "r1" || !strings.HasPrefix(held.Holder, "ann on ") || held.Age <= 0 {
			t.Fatalf("another run, when one that lost its own is still %s: %v", when, err)
		}
		if !lease(t, j, "r1", "key of r1") {
			t.Errorf("its own run does not learn that one that lost it is still %s", when)
		}
	}
	lost("stopped")
	if err := take(t, j, "r4", "key of r2", false); !errors.As(err, &held) || held.Silent < time.Hour || !strings.Contains(err.Error(), "may be stopped") {
		t.Fatalf("a stopped holder that is not fenced: %v", err)
	}
	for _, h := range []*holder{fenced, bare} {
		h.signal(t, syscall.SIGCONT)
	}
	for _, what := range []string{"holds", "append"} {
		if got := fenced.told(t, what); !strings.HasPrefix(got, what+" true") {
			t.Errorf("the one that lost its run: %s", got)
		}
		if got := bare.told(t, what); got != what+" false <nil>" {
			t.Errorf("the one that did not: %s", got)
		}
	}
	lost("awake")
	if got := fenced.told(t, "release"); got != "release false <nil>" {
		t.Error(got)
	}
	if err := j.Holds(t.Context(), "r1"); err != nil {
		t.Errorf("what was taken over was given back by the one that lost it: %v", err)
	}
	if err := j.Release(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	if lease(t, j, "r3", "key of r1") {
		t.Error("who has nothing in hand any more is still feared")
	}
	n := 0
	for _, err := range j.Records(t.Context(), "r1", "*") {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1 {
		t.Errorf("%d records of the run that was lost, want the one from before", n)
	}
}

// Who lost a run and was killed keeps nobody away: neither its own run nor others. It
// does so for others as long as it stands, however long ago it was heard of, and
// whoever had the run since.
func TestOvertakenHolderDies(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	schema := fresh()
	h := newHolder(t, s.SuperURL(), schema, "r1", "yes")
	h.signal(t, syscall.SIGSTOP)
	time.Sleep(2 * time.Second) // what it had sent has arrived
	heard(t, s.SuperURL(), schema, h, -48*time.Hour)
	j := open(t, s.SuperURL(), schema)
	if _, err := j.Acquire(t.Context(), "r1", "bob", []journal.Key{{Name: "another key", Fenced: true}}); err != nil { // it takes all of it
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	j = open(t, s.SuperURL(), schema)
	var held *journal.HeldError
	if err := take(t, j, "r2", "key of r1", true); !errors.As(err, &held) || !held.Lost {
		t.Fatalf("another run: %v", err)
	}
	if !lease(t, j, "r1", "key of r1") {
		t.Error("its own run does not learn that it may wake")
	}
	if err := j.Release(t.Context(), "r1"); err != nil {
		t.Fatal(err)
	}
	h.signal(t, syscall.SIGKILL)
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		err := take(t, j, "r2", "key of r1", true)
		if err == nil {
			break
		}
		if !errors.As(err, &held) || time.Since(began) > time.Minute {
			t.Fatalf("when it was dead: %v", err)
		}
	}
	if err := j.Release(t.Context(), "r2"); err != nil {
		t.Fatal(err)
	}
	if lease(t, j, "r1", "key of r1") {
		t.Error("the dead one is still feared")
	}
}

// A state of the first format gets what it lacks, and keeps what it has.
func TestFirstFormat(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	schema := fresh()
	j := open(t, s.SuperURL(), schema)
	if err := j.Open(t.Context(), journal.Run{ID: "r1", PlanID: "p1", OpenedAt: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := pgx.Connect(t.Context(), s.SuperURL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for _, sql := range []string{"SET search_path = " + schema, "DROP TABLE overtaken", "DELETE FROM remint_state", "INSERT INTO remint_state (format) VALUES (1)"} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		j, err := postgresql.Open(t.Context(), s.SuperURL(), postgresql.Options{Schema: schema})
		if err != nil {
			t.Fatal(err)
		}
		if err := take(t, j, "r1", "k", true); err != nil {
			t.Error(err)
		}
		if runs, err := j.Runs(t.Context()); err != nil || len(runs) != 1 {
			t.Errorf("runs %+v, %v", runs, err)
		}
		if err := j.Close(); err != nil {
			t.Error(err)
		}
	}
}

// A holder that died while the server's clock was ten years ahead is taken over as
// soon as any other, now that it is right again.
func TestHolderOfTheFuture(t *testing.T) {
	s := pgtest.New(t, pgtest.Options{})
	schema := fresh()
	h := newHolder(t, s.SuperURL(), schema, "r1", "")
	j := open(t, s.SuperURL(), schema)
	h.signal(t, syscall.SIGKILL)
	heard(t, s.SuperURL(), schema, h, 10*365*24*time.Hour)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for { // the server may need a moment to see that its client is gone
		_, err := j.Acquire(ctx, "r2", "bob", []journal.Key{{Name: "key of r1"}})
		var held *journal.HeldError
		if err == nil {
			return
		}
		if !errors.As(err, &held) {
			t.Fatalf("a holder that was heard of in ten years: %v", err)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
