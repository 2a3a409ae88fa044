package main

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// outcome says what became of a mutant.
type outcome string

const (
	untried   outcome = ""
	skipped   outcome = "skipped"
	killed    outcome = "killed"
	timedOut  outcome = "timed out"
	survived  outcome = "survived"
	unreached outcome = "unreached"
	explained outcome = "survived with a reason"
)

// Tests may take this much longer than four times what they took without a mutant:
// processor time for those that loop, and time by the clock for those that wait,
// which is long because the machine may be busy with other things.
const (
	patience     = 4 * time.Second
	longPatience = 45 * time.Second
)

// lab is a test binary with every mutant in it.
type lab struct {
	s           *schemata
	dir, binary string
	// took is the processor time of each test alone, without a mutant, and waited
	// how long it was by the clock.
	took, waited map[string]time.Duration
	// reach is, by mutant, the tests that came to where it makes a difference.
	reach map[int][]string

	// patience is the processor time that tests may take beyond four times the usual.
	patience time.Duration
	// quick, if not 0, leaves out tests that take longer.
	quick time.Duration
	// limit, if not 0, is the time after which no more are tried.
	limit time.Duration

	// known is what an earlier run learned, by test.
	known reach

	mu sync.Mutex
	// killers are, by function, the tests that killed a mutant of it, the last one
	// first: they often kill its neighbours too.
	killers map[string][]string
}

// newLab builds the binary and learns what the tests reach.
func newLab(ctx context.Context, s *schemata, parallel int, known reach) (*lab, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	l := &lab{s: s, patience: patience, dir: dir, binary: filepath.Join(dir, "tests"), took: map[string]time.Duration{}, waited: map[string]time.Duration{}, reach: map[int][]string{},
		known: known, killers: map[string][]string{}}
	if err := errors.Join(l.build(ctx), l.learn(ctx, parallel)); err != nil {
		l.close()
		return nil, err
	}
	return l, nil
}

func (l *lab) close() { os.RemoveAll(l.dir) }

func (l *lab) build(ctx context.Context) error {
	replace := map[string]string{}
	for name, src := range l.s.files {
		to := filepath.Join(l.dir, filepath.Base(name))
		if err := os.WriteFile(to, src, 0o600); err != nil {
			return err
		}
		replace[name] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	overlay := filepath.Join(l.dir, "overlay.json")
	if err := os.WriteFile(overlay, b, 0o600); err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", l.binary, l.s.path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the mutants do not compile, a defect of this program:\n%s", out)
	}
	return nil
}

// learn runs every test alone, without a mutant.
func (l *lab) learn(ctx context.Context, parallel int) error {
	if _, err := os.Stat(l.binary); err != nil {
		return nil // not built, which was said
	}
	cmd := exec.CommandContext(ctx, l.binary, "-test.list", ".")
	cmd.Dir = l.s.dir
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("the tests cannot be listed: %w", err)
	}
	tests := slices.DeleteFunc(strings.Fields(string(out)), func(t string) bool { return strings.HasPrefix(t, "Benchmark") })
	tests = slices.DeleteFunc(tests, l.recall)
	return side(parallel, len(tests), func(i int) error { return l.learnOne(ctx, tests[i]) })
}

func (l *lab) learnOne(ctx context.Context, test string) error {
	trace := filepath.Join(l.dir, test+".trace")
	began := time.Now()
	how, err := l.test(ctx, []string{test}, 5*time.Minute, 10*time.Minute, "REMINT_MUTANT_TRACE="+trace)
	// A machine that is busy with other things may fail a test of what is bounded in time.
	for again := 0; err == nil && how.outcome != survived && again < 4; again++ {
		began = time.Now()
		how, err = l.test(ctx, []string{test}, 5*time.Minute, 10*time.Minute, "REMINT_MUTANT_TRACE="+trace)
	}
	if err != nil {
		return err
	}
	if how.outcome != survived {
		return fmt.Errorf("%s fails without a mutant (%s)", test, how.outcome)
	}
	b, err := os.ReadFile(trace)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it reaches none
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.took[test], l.waited[test] = how.used, time.Since(began)
	for _, n := range slices.Compact(slices.Sorted(slices.Values(strings.Fields(string(b))))) {
		i, err := strconv.Atoi(n)
		if err != nil {
			return fmt.Errorf("the trace of %s is broken: %w", test, err)
		}
		l.reach[i] = append(l.reach[i], test)
	}
	return nil
}

// side does n things, some side by side, and stops at the first error.
func side(parallel, n int, do func(int) error) error {
	var next, failed atomic.Int64
	errs := make([]error, max(parallel, 1))
	var group sync.WaitGroup
	for w := range errs {
		group.Go(func() {
			for i := int(next.Add(1)) - 1; i < n && failed.Load() == 0; i = int(next.Add(1)) - 1 {
				if errs[w] = do(i); errs[w] != nil {
					failed.Add(1)
					return
				}
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// tryAll tries every mutant that has no outcome yet, some at once, and tells done
// of each.
func (l *lab) tryAll(ctx context.Context, parallel int, done func(*mutant)) error {
	began, order := time.Now(), l.order()
	return side(parallel, len(order), func(at int) (err error) {
		m := l.s.mutants[order[at]]
		if l.limit > 0 && time.Since(began) > l.limit {
			m.Outcome = skipped
			return nil
		}
		m.Outcome, err = l.try(ctx, order[at])
		done(m)
		return err
	})
}

// order is what is to be tried: with a limit it is mixed, the same each time, so
// that what such a run got to is a fair sample.
func (l *lab) order() []int {
	var out []int
	for i, m := range l.s.mutants {
		if m.Outcome == untried {
			out = append(out, i)
		}
	}
	if l.limit > 0 {
		rand.New(rand.NewPCG(1, 1)).Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out
}

// try runs the tests that reach a mutant, in groups: those that killed a neighbour,
// then the quickest first.
func (l *lab) try(ctx context.Context, i int) (outcome, error) {
	tests := slices.Clone(l.reach[i])
	if len(tests) == 0 {
		return unreached, nil
	}
	l.mu.Lock()
	killers := l.killers[l.s.mutants[i].Func]
	l.mu.Unlock()
	if l.quick > 0 {
		tests = slices.DeleteFunc(tests, func(t string) bool { return l.took[t] > l.quick })
	}
	slices.SortFunc(tests, func(a, b string) int {
		return cmp.Or(-cmp.Compare(rank(killers, a), rank(killers, b)), cmp.Compare(l.took[a], l.took[b]))
	})
	for len(tests) > 0 {
		n, sum, first := 1, l.took[tests[0]], rank(killers, tests[0]) > 0
		for n < len(tests) && first == (rank(killers, tests[n]) > 0) && sum+l.took[tests[n]] < 2*time.Second {
			sum += l.took[tests[n]]
			n++
		}
		var waited time.Duration
		for _, t := range tests[:n] {
			waited += l.waited[t]
		}
		how, err := l.test(ctx, tests[:n], l.patience+4*sum, longPatience+4*waited, "REMINT_MUTANT="+strconv.Itoa(i))
		if how.outcome != survived || err != nil {
			if how.by != "" {
				l.mu.Lock()
				name := l.s.mutants[i].Func
				l.killers[name] = slices.Insert(slices.DeleteFunc(slices.Clone(l.killers[name]), func(t string) bool { return t == how.by }), 0, how.by)
				l.mu.Unlock()
			}
			return how.outcome, err
		}
		tests = tests[n:]
	}
	return survived, nil
}

// rank is how much a test is to be preferred: it is among the last three that killed
// a neighbour, the last one first.
func rank(killers []string, test string) int {
	if at := slices.Index(killers, test); at >= 0 && at < 3 {
		return 3 - at
	}
	return 0
}

// result is how a run of tests ended: which test failed first, if the output tells,
// and the processor time that was used.
type result struct {
	outcome outcome
	by      string
	used    time.Duration
}

// test runs tests until one fails, all pass, or the time is over: work on the
// processor, wait by the clock. What they leave
// behind is removed.
func (l *lab) test(ctx context.Context, tests []string, work, wait time.Duration, env string) (result, error) {
	tmp, err := os.MkdirTemp(l.dir, "tmp-")
	if err != nil {
		return result{}, err
	}
	defer os.RemoveAll(tmp)
	whole := ctx
	ctx, cancel := context.WithTimeout(whole, wait)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-c", `ulimit -t "$0" && exec "$@"`, strconv.Itoa(int(math.Ceil(work.Seconds()))),
		l.binary, "-test.v", "-test.failfast", "-test.parallel=4", "-test.timeout=0", "-test.run=^("+strings.Join(tests, "|")+")$")
	cmd.Dir = l.s.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+tmp, env)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // tests start processes too
	end := func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.Cancel, cmd.WaitDelay = end, time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return result{}, err
	}
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	r := result{outcome: survived}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		if name, ok := strings.CutPrefix(strings.TrimSpace(lines.Text()), "--- FAIL: "); ok {
			r.by, _, _ = strings.Cut(strings.Fields(name)[0], "/")
			_ = end()
			break
		}
	}
	err = cmd.Wait()
	_ = end() // children that outlived it
	if whole.Err() != nil {
		return result{}, whole.Err()
	}
	r.used = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	status, _ := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case r.by != "":
		r.outcome = killed
	case ctx.Err() != nil, status.Signaled() && (status.Signal() == syscall.SIGXCPU || status.Signal() == syscall.SIGKILL):
		r.outcome = timedOut
	case err != nil:
		r.outcome = killed
	}
	return r, nil
}
