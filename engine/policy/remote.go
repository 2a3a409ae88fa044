package policy

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/diag"
)

// remote asks the sources whose Rego is not known, in a process of their own.
// The process is started when it is needed, and again when it had to be killed;
// what it is told is told again then. One question is asked at a time.
type remote struct {
	limits  Limits
	folders []*folder
	// turn holds one token; who has it may use the rest.
	turn chan struct{}
	p    *process
	// ready are the sources that p has compiled.
	ready map[string]bool
	// speaks is what each source says something about.
	speaks map[string][]Stage
	// rules are those that deny; they are written once, when all is first compiled.
	rules map[string][]AskedRule
	// broken are the sources that passed a bound. They are not asked again: with
	// 10,000 resets to be judged that would take hours, and the answer is no.
	broken map[string]error
}

func newRemote(limits Limits) *remote {
	return &remote{limits: limits, turn: make(chan struct{}, 1), ready: map[string]bool{}, speaks: map[string][]Stage{}, rules: map[string][]AskedRule{}, broken: map[string]error{}}
}

// lock waits for its turn.
func (r *remote) lock(ctx context.Context) error {
	select {
	case r.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return errCancel
	}
}

func (r *remote) unlock() { <-r.turn }

// close ends the process; it is started again if anything more is asked.
func (r *remote) close() {
	r.turn <- struct{}{}
	defer r.unlock()
	r.drop()
}

func (r *remote) drop() {
	if r.p != nil {
		r.p.end()
	}
	r.forget()
}

func (r *remote) forget() { r.p, r.ready = nil, map[string]bool{} }

// call sends q with its parts, and takes the reply with its pages. An error
// leaves no process.
func (r *remote) call(ctx context.Context, q request, b bound, most int, parts func(*wire) error) (reply, page, error) {
	if r.p == nil {
		p, err := start()
		if err != nil {
			return reply{}, page{}, fmt.Errorf("the evaluator cannot be started: %w", err)
		}
		r.p = p
	}
	q.Time, q.Memory = cmp.Or(q.Time, b.time), b.memory
	var answer reply
	var all page
	at := ""
	err := r.p.call(ctx, b, func(c *wire) error {
		c.left = most
		if err := c.write(q); err != nil || parts == nil {
			return err
		}
		return parts(c)
	}, func(c *wire) error {
		for {
			answer = reply{}
			if err := c.read(&answer); err != nil {
				return err
			}
			if answer.At == "" {
				break
			}
			at = answer.At[:len(answer.At)-1]
		}
		for range answer.Parts {
			var one page
			if err := c.read(&one); err != nil {
				return err
			}
			all.Findings = append(all.Findings, one.Findings...)
			all.Asked = append(all.Asked, one.Asked...)
			all.Tests = append(all.Tests, one.Tests...)
			all.Rules = append(all.Rules, one.Rules...)
		}
		return nil
	})
	if err != nil {
		r.forget() // call has ended it
		if at != "" {
			err = fmt.Errorf("%s: %w", at, err)
		}
	}
	return answer, all, err
}

// compile has all sources compiled; faults are in the order of folders.
func (r *remote) compile(ctx context.Context) []diag.Diagnostics {
	faults := make([]diag.Diagnostics, len(r.folders))
	if err := r.lock(ctx); err != nil {
		for i, f := range r.folders {
			faults[i] = f.failed(err)
		}
		return faults
	}
	defer r.unlock()
	for i, f := range r.folders {
		faults[i] = r.compileOne(ctx, f)
	}
	return faults
}

func (r *remote) compileOne(ctx context.Context, f *folder) diag.Diagnostics {
	answer, all, err := r.call(ctx, request{Op: opCompile, Source: f.source.Name, Taken: f.source.Taken, Parts: len(f.modules) + len(f.tests)},
		bound{time: r.limits.Compile, memory: r.limits.Memory}, maxReply, f.send)
	if err != nil {
		return f.failed(err)
	}
	if !answer.Diags.HasErrors() {
		r.ready[f.source.Name] = true
		r.speaks[f.source.Name] = answer.Stages
		if _, known := r.rules[f.source.Name]; !known {
			r.rules[f.source.Name] = all.Asked
		}
	}
	return answer.Diags
}

// files names the files that are asked, for faults of which no more is known.
func (f *folder) files() string {
	var names []string
	for _, m := range f.modules {
		names = append(names, m.name)
	}
	if n := len(names); n > 3 {
		names = append(names[:3], fmt.Sprintf("and %d more", n-3))
	}
	return strings.Join(names, ", ")
}

func (f *folder) send(c *wire) error {
	for _, list := range []struct {
		files []file
		test  bool
	}{{f.modules, false}, {f.tests, true}} {
		for _, one := range list.files {
			if err := c.write(sentFile{Name: one.name, Text: string(one.text), Test: list.test}); err != nil {
				return err
			}
		}
	}
	return nil
}

// eval asks the sources about in. answers and faults are by a folder's index.
func (r *remote) eval(ctx context.Context, in *Input, explain bool, answers []answer, faults []diag.Diagnostics) {
	asked := slices.DeleteFunc(slices.Clone(r.folders), func(f *folder) bool { return !slices.Contains(r.speaks[f.source.Name], in.Stage) })
	if len(asked) == 0 {
		return
	}
	fail := func(f *folder, err error) {
		faults[f.index] = unanswered(f.source.Name, in.Stage, fmt.Errorf("%s: %w", f.files(), err))
	}
	if err := r.lock(ctx); err != nil {
		fail(asked[0], err)
		return
	}
	defer r.unlock()
	told := false
	for _, f := range asked {
		if why := r.broken[f.source.Name]; why != nil {
			fail(f, why)
			continue
		}
		if r.p == nil {
			told = false
		}
		answer, diags, err := r.ask(ctx, f, in, explain, &told)
		if err != nil {
			if !errors.Is(err, errCancel) {
				r.broken[f.source.Name] = err
			}
			fail(f, err)
			continue
		}
		answers[f.index], faults[f.index] = answer, diags
	}
}

func (r *remote) ask(ctx context.Context, f *folder, in *Input, explain bool, told *bool) (answer, diag.Diagnostics, error) {
	name := f.source.Name
	if !r.ready[name] {
		if diags := r.compileOne(ctx, f); diags.HasErrors() {
			return answer{}, diags, nil
		}
	}
	b, most := r.limits.of(len(in.Resets)), maxReply+len(in.Resets)<<12
	if !*told {
		answered, err := r.tell(ctx, in, b)
		if err != nil || answered.Diags.HasErrors() {
			return answer{}, answered.Diags, err
		}
		*told = true
	}
	answered, all, err := r.call(ctx, request{Op: opAsk, Source: name, Explain: explain}, b, most, nil)
	if err != nil {
		return answer{}, nil, err
	}
	if len(all.Findings) > maxFindings(len(in.Resets)) {
		return answer{}, nil, errFrame
	}
	return answer{findings: all.Findings, asked: all.Asked}, answered.Diags, nil
}

// tell hands the input over.
func (r *remote) tell(ctx context.Context, in *Input, b bound) (reply, error) {
	head := *in
	head.Resets = nil
	shapes := newShapes()
	answered, _, err := r.call(ctx, request{Op: opInput, Input: &head, Parts: len(in.Resets)}, b, maxReply, func(c *wire) error {
		for i := range in.Resets {
			n, fresh, err := shapes.of(&in.Resets[i])
			if err != nil {
				return err
			}
			if err := c.write(sentReset{Reset: in.Resets[i], Shape: n, New: fresh}); err != nil {
				return err
			}
		}
		return nil
	})
	return answered, err
}

// test runs the tests of f, each of which is followed once more when it has passed. It
// takes from left, the processor's time that is left for all tests, what they took.
func (r *remote) test(ctx context.Context, f *folder, left *time.Duration) (reply, page, error) {
	if err := r.lock(ctx); err != nil {
		return reply{}, page{}, err
	}
	defer r.unlock()
	own := r.limits.Compile + r.limits.Time + time.Duration(2*len(f.tests))*r.limits.Time
	before := r.used()
	answer, all, err := r.call(ctx, request{Op: opTest, Source: f.source.Name, Time: r.limits.Time, Parts: len(f.modules) + len(f.tests)},
		bound{time: min(own, *left), memory: r.limits.Memory}, maxReply, f.send)
	if errors.Is(err, errTime) && *left < own {
		err = fmt.Errorf("all tests together took more than %v of processor time: have fewer or simpler ones", r.limits.Tests)
	}
	*left = max(*left-(r.used()-before), time.Millisecond)
	return answer, all, err
}

// used is what the process has had of the processor; none where there is no process.
func (r *remote) used() time.Duration {
	if r.p == nil {
		return 0
	}
	return processorTime(r.p.cmd.Process.Pid)
}
