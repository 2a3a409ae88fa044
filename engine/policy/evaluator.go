package policy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"golang.org/x/sys/unix"

	"github.com/remint-dev/remint/engine/diag"
)

// evaluatorName is argv[0] of a program that is to be an evaluator.
const evaluatorName = "remint-policy-evaluator"

// Any program that has this package in it is its own evaluator. It stands in an
// init, and not in a function for mains to call, because a main that forgot the
// call would start itself without end.
func init() {
	if len(os.Args) > 0 && os.Args[0] == evaluatorName {
		os.Exit(serve(os.Stdin, os.Stdout)) //nolint:forbidigo // a pipe to the parent, not a terminal
	}
}

// evaluator is the child's side: it compiles Rego that it is sent and answers
// questions, one after the other, until its input ends.
type evaluator struct {
	wire    *wire
	sources map[string]*compiled
	about   *subject
}

func serve(r io.Reader, w io.Writer) int {
	confine()
	e := &evaluator{wire: newWire(r, w), sources: map[string]*compiled{}}
	if err := e.send(hello{Data: dataSize()}); err != nil {
		return 1
	}
	for {
		e.wire.left = 1 << 40 // the program is not what is not trusted
		var q request
		if err := e.wire.read(&q); errors.Is(err, io.EOF) {
			return 0
		} else if err != nil {
			return 1
		}
		debug.SetMemoryLimit(int64(q.Memory / 8 * 7))
		if err := e.serve(&q); err != nil {
			return 1
		}
	}
}

// confine gives up what an evaluator needs not: other files, core files,
// privileges, processors. What the system refuses to take is not missed: there
// is nothing of worth in this process.
func confine() {
	runtime.GOMAXPROCS(2)
	debug.SetMaxStack(64 << 20)
	debug.SetGCPercent(400) // its memory is bounded, and mostly it is small and lives briefly
	for what, most := range map[int]uint64{unix.RLIMIT_CORE: 0, unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: 16} {
		_ = unix.Setrlimit(what, &unix.Rlimit{Cur: most, Max: most})
	}
	_ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	_ = unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// dataSize is what RLIMIT_DATA counts of this process now.
func dataSize() uint64 {
	b, err := os.ReadFile("/proc/self/statm")
	if f := strings.Fields(string(b)); err == nil && len(f) > 5 {
		if pages, err := strconv.ParseUint(f[5], 10, 64); err == nil {
			return pages * uint64(os.Getpagesize())
		}
	}
	return 128 << 20
}

func (e *evaluator) send(v any) error {
	if err := e.wire.write(v); err != nil {
		return err
	}
	return e.wire.w.Flush()
}

func (e *evaluator) serve(q *request) error {
	switch q.Op {
	case opCompile:
		return e.compile(q)
	case opInput:
		return e.input(q)
	case opAsk:
		return e.ask(q)
	case opTest:
		return e.test(q)
	case opBundle:
		return e.bundle(q)
	}
	return errFrame
}

// answer sends a reply with its pages.
func (e *evaluator) answer(r reply, list []page) error {
	r.Parts = len(list)
	if err := e.wire.write(r); err != nil {
		return err
	}
	for _, p := range list {
		if err := e.wire.write(p); err != nil {
			return err
		}
	}
	return e.wire.w.Flush()
}

// folder receives the files of a source.
func (e *evaluator) folder(q *request) (*folder, error) {
	f := &folder{source: Source{Name: q.Source, Taken: q.Taken}, texts: texts{}}
	for range q.Parts {
		var in sentFile
		if err := e.wire.read(&in); err != nil {
			return nil, err
		}
		one := file{name: in.Name, text: []byte(in.Text)}
		f.texts[one.name] = one.text
		if in.Test {
			f.tests = append(f.tests, one)
		} else {
			f.modules = append(f.modules, one)
		}
	}
	return f, nil
}

func (e *evaluator) compile(q *request) error {
	f, err := e.folder(q)
	if err != nil {
		return err
	}
	c, diags := f.compile(e.at)
	r := reply{Diags: diags}
	var list []page
	if c != nil {
		list = pages(nil, c.index(), func(p *page, l []AskedRule) { p.Asked = l })
		e.sources[q.Source] = c
		for _, stage := range stages {
			if c.queries[stage] != nil {
				r.Stages = append(r.Stages, stage)
			}
		}
	}
	return e.answer(r, list)
}

// at tells which file is being read, for the case that nothing else can be told.
func (e *evaluator) at(file string) {
	if err := e.send(reply{At: file + " "}); err != nil {
		os.Exit(1) // nobody listens
	}
}

func (e *evaluator) input(q *request) error {
	if q.Input == nil {
		return errFrame
	}
	e.about = nil
	b := newBuilder()
	s := &subject{stage: q.Input.Stage, addresses: map[string][]Step{}}
	var resets []*ast.Term
	var known []*shape
	var fault error
	for range q.Parts {
		var in sentReset
		if err := e.wire.read(&in); err != nil {
			return err
		}
		if in.New != nil {
			known = append(known, in.New)
		}
		if in.Shape < 0 || in.Shape >= len(known) {
			return errFrame
		}
		r, of := &in.Reset, known[in.Shape]
		r.Runbook, r.Phases, r.Steps = of.Runbook, of.Phases, of.Steps
		t, err := b.reset(r)
		if err != nil {
			fault = fmt.Errorf("%s: %w", r.Address, err)
		}
		resets = append(resets, t)
		s.addresses[r.Address] = r.Steps
	}
	if fault != nil {
		return e.answer(reply{Diags: denied("Policy input cannot be made", "%v.", fault)}, nil)
	}
	s.term = b.input(q.Input, resets)
	e.about = s
	return e.answer(reply{}, nil)
}

func (e *evaluator) ask(q *request) error {
	c := e.sources[q.Source]
	if c == nil || e.about == nil {
		return errFrame
	}
	a, diags := c.judge(context.Background(), e.about, bound{time: q.Time, memory: q.Memory}, q.Explain)
	list := pages(nil, a.findings, func(p *page, l []finding) { p.Findings = l })
	list = pages(list, a.asked, func(p *page, l []AskedRule) { p.Asked = l })
	return e.answer(reply{Diags: diags}, list)
}

func (e *evaluator) test(q *request) error {
	f, err := e.folder(q)
	if err != nil {
		return err
	}
	report := &TestReport{}
	covered, missed, diags := 0, 0, diag.Diagnostics(nil)
	if lines, faults := f.test(q.Time, report, e.at); faults.HasErrors() {
		diags = faults
	} else {
		covered, missed = lines.CoveredLines, lines.NotCoveredLines
	}
	list := pages(nil, report.Tests, func(p *page, l []TestResult) { p.Tests = l })
	list = pages(list, report.Rules, func(p *page, l []RuleCoverage) { p.Rules = l })
	return e.answer(reply{Diags: diags, Covered: covered, Missed: missed}, list)
}
