// Command mutate measures tests: it changes the code of a package in every small
// way that it knows, one at a time, and says which changes no test notices.
//
//	go run ./internal/mutate [flags] PACKAGE[:FILE,FILE…]…
//
// All changes go into one test binary, each behind a switch that an environment
// variable sets, so that a package is compiled once. A run without a change tells
// which test reaches which, and only those run, the quickest first.
//
// A change that no test can notice, because the program behaves the same, stands
// in equivalent.txt with its reason. The exit code is 1 when fewer than the floor
// are killed, or when a survivor has no reason.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.Float64Var(&o.floor, "floor", 95, "per cent of all mutants that must be killed")
	flag.IntVar(&o.parallel, "parallel", 1, "mutants that are tried at once")
	flag.StringVar(&o.equivalent, "equivalent", "internal/mutate/equivalent.txt", "mutants that no test can kill, and why")
	flag.StringVar(&o.keep, "keep", "", "a `file` that remembers what was killed: it is not tried again while tests are written")
	flag.StringVar(&o.reach, "reach", "", "a `file` that remembers which test reaches what: it is not learned again, and a test that was there may be missed where it reaches more by now")
	flag.StringVar(&o.match, "match", "", "only mutants whose description has this `text`")
	flag.DurationVar(&o.quick, "quick", 0, "leave out tests that take longer than this")
	flag.DurationVar(&o.limit, "for", 0, "try a fair sample for this long in each package")
	flag.BoolVar(&o.list, "list", false, "list the mutants and try none")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, o, flag.Args())
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

type options struct {
	floor                   float64
	parallel                int
	equivalent, keep, match string
	reach                   string
	list                    bool
	quick, limit            time.Duration
}

// run measures every package, and reports whether all are good enough.
func run(ctx context.Context, o options, targets []string) (bool, error) {
	reasons, err := readReasons(o.equivalent)
	if err != nil {
		return false, err
	}
	kept, err := readKept(o.keep)
	if err != nil {
		return false, err
	}
	good := true
	for _, target := range targets {
		path, files, _ := strings.Cut(target, ":")
		s, err := load(path, strings.FieldsFunc(files, func(r rune) bool { return r == ',' }))
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		if o.list {
			for _, m := range s.mutants {
				fmt.Printf("%s\t%d\t%s\n", m.Key, m.Line, m.After)
			}
			continue
		}
		ok, err := measure(ctx, o, s, reasons, kept)
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		good = good && ok
	}
	return good, nil
}

// measure tries the mutants of one package and prints what became of them.
func measure(ctx context.Context, o options, s *schemata, reasons map[string]string, kept map[string]bool) (bool, error) {
	for key := range reasons {
		if strings.HasPrefix(key, s.name+" ") && !s.has(key) && s.full {
			return false, fmt.Errorf("%s has a reason for what is not there: %s", o.equivalent, key)
		}
	}
	known, err := readReach(o.reach)
	if err != nil {
		return false, err
	}
	l, err := newLab(ctx, s, o.parallel, known)
	if err != nil {
		return false, err
	}
	defer l.close()
	if err := known.write(o.reach, l); err != nil {
		return false, err
	}
	for _, m := range s.mutants {
		switch {
		case !strings.Contains(m.Key, o.match):
			m.Outcome = skipped
		case reasons[m.Key] != "":
			m.Outcome = explained
		case kept[m.Key]:
			m.Outcome = killed
		}
	}
	l.quick, l.limit = o.quick, o.limit
	var mu sync.Mutex
	err = l.tryAll(ctx, o.parallel, func(m *mutant) {
		mu.Lock()
		defer mu.Unlock()
		if m.Outcome == untried {
			return
		}
		fmt.Fprintf(os.Stderr, "%s\t%s\n", m.Outcome, m.Key)
		if m.Outcome == killed || m.Outcome == timedOut {
			kept[m.Key] = true
		}
		if err := writeKept(o.keep, kept); err != nil {
			fmt.Fprintln(os.Stderr, "mutate:", err)
		}
	})
	if err != nil {
		return false, err
	}
	n := map[outcome]int{}
	total, bare := 0, 0
	for _, m := range s.mutants {
		n[m.Outcome]++
		if m.Outcome == skipped {
			continue
		}
		total++
		switch m.Outcome {
		case survived, unreached:
			bare++
			fmt.Printf("%s: %s\n    %s:%d in %s\n    %s\n    becomes %s\n", m.Outcome, m.Key, m.File, m.Line, m.Func, m.Before, m.After)
		case explained:
			fmt.Printf("%s: %s\n    %s:%d: %s\n", m.Outcome, m.Key, m.File, m.Line, reasons[m.Key])
		}
	}
	share := 100 * float64(n[killed]+n[timedOut]) / float64(max(total, 1))
	if n[skipped] > 0 {
		fmt.Printf("%s: %d more were not tried\n", s.name, n[skipped])
	}
	fmt.Printf("%s: %d mutants, %d killed, %d timed out, %d survived with a reason, %d without, of which %d unreached: %.1f %% killed\n",
		s.name, total, n[killed], n[timedOut], n[explained], bare, n[unreached], share)
	return share >= o.floor && bare == 0, nil
}
