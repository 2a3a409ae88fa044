package policy

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/remint-dev/remint/engine/diag"
)

// subject is an input as the sources of one process are asked about it.
type subject struct {
	stage Stage
	term  *ast.Term
	// addresses are those of the resets, with their steps.
	addresses map[string][]Step
}

// judge asks one source, in this process, within b. The same subject gives the
// same answer.
func (c *compiled) judge(ctx context.Context, s *subject, b bound, explain bool) (answer, diag.Diagnostics) {
	q := c.queries[s.stage]
	if q == nil {
		return answer{}, nil
	}
	var why *reasons
	var tracer topdown.QueryTracer
	if explain {
		why = newReasons(c, s.stage, s.term)
		tracer = why
	}
	w := b.watch(ctx)
	found, err := c.ask(q, s.term, w.cancel, tracer)
	if passed := w.stop(); passed != nil {
		if errors.Is(passed, errCancel) {
			return answer{}, c.failed(s.stage, passed)
		}
		return answer{}, c.exceeded(q, s, passed)
	}
	if err != nil {
		return answer{}, c.failed(s.stage, err)
	}
	var out answer
	var diags diag.Diagnostics
	if out.findings, diags = c.understand(s.stage, found, s.addresses); diags.HasErrors() {
		return answer{}, diags
	}
	if explain {
		out.asked = c.explain(s.stage, why)
	}
	return out, nil
}

// ask evaluates one query. A panic is an error.
func (c *compiled) ask(q *query, input *ast.Term, cancel topdown.Cancel, tracer topdown.QueryTracer) (out map[string]ast.Set, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the evaluator failed: %v", p)
		}
	}()
	ctx := context.Background() // cancel is the one way to stop it
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return nil, err
	}
	defer store.Abort(ctx, txn)
	eval := topdown.NewQuery(q.body).
		WithCompiler(c.compiler).
		WithQueryCompiler(q.compiler).
		WithStore(store).
		WithTransaction(txn).
		WithInput(input).
		WithCancel(cancel).
		WithTime(time.Unix(0, 0)).
		WithStrictBuiltinErrors(true)
	if tracer != nil {
		eval = eval.WithQueryTracer(tracer).WithIndexing(false) // what an index rules out is asked nothing, and has no reason
	}
	results, err := eval.Run(ctx)
	if err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, errors.New("the result is undefined")
	}
	out = map[string]ast.Set{}
	for _, name := range q.sets {
		t := results[0][ast.Var(name)]
		if t == nil {
			return nil, errors.New(name + " is undefined")
		}
		set, ok := t.Value.(ast.Set)
		if !ok {
			return nil, errors.New(name + " is not a set")
		}
		out[name] = set
	}
	return out, nil
}

const notEvaluated = "Policy could not be evaluated"

// failed says which source, and where in it.
func (c *compiled) failed(stage Stage, err error) diag.Diagnostics {
	var e *topdown.Error
	if errors.As(err, &e) {
		return c.texts.at(e.Location, notEvaluated, "Policy %q, package %s: %s. What cannot be evaluated denies.", c.name, stage, e.Message)
	}
	return unanswered(c.name, stage, err)
}

// unanswered is the fault of a source of which no more is known than err.
func unanswered(source string, stage Stage, err error) diag.Diagnostics {
	return denied(notEvaluated, "Policy %q, package %s: %v. What cannot be evaluated denies.", source, stage, err)
}

// exceeded asks once more, for a moment and with a trace, to say in which rule
// the bound was passed: without a trace OPA does not tell, and with one it is slow.
func (c *compiled) exceeded(q *query, s *subject, why error) diag.Diagnostics {
	debug.FreeOSMemory() // what was evaluated so far is garbage now
	last := &lastRule{}
	w := bound{time: 200 * time.Millisecond, memory: 32 << 20}.watch(context.Background())
	_, _ = c.ask(q, s.term, w.cancel, last)
	_ = w.stop()
	debug.FreeOSMemory()
	if last.rule == nil {
		return unanswered(c.name, s.stage, why)
	}
	return c.texts.at(last.rule.Head.Location, notEvaluated, "Policy %q, package %s: %v; this rule was being evaluated. What cannot be evaluated denies.", c.name, s.stage, why)
}

// lastRule remembers the rule that was entered last.
type lastRule struct{ rule *ast.Rule }

// Enabled turns tracing on.
func (*lastRule) Enabled() bool { return true }

// Config asks for no values of variables.
func (*lastRule) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent remembers.
func (l *lastRule) TraceEvent(e topdown.Event) {
	if e.Op == topdown.EnterOp {
		if rule, ok := e.Node.(*ast.Rule); ok {
			l.rule = rule
		}
	}
}
