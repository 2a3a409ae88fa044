package policy

import (
	"context"
	"errors"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

// Verdict is what all sources say together.
type Verdict struct {
	// Decisions are sorted by source, level, rule, address and message.
	Decisions []plan.Decision
	// Requirements are the strictest of all.
	Requirements plan.Requirements
}

// Denied reports whether any decision stops the run.
func (v Verdict) Denied() bool {
	for _, d := range v.Decisions {
		if d.Level == plan.Deny {
			return true
		}
	}
	return false
}

// Eval asks every source about in.Stage. It has no side effects, and the same
// input gives the same result. Any fault asks for diag.ExitDenied and names the
// source; then the result is not to be used.
func (s *Set) Eval(ctx context.Context, in *Input) (Verdict, diag.Diagnostics) {
	return s.eval(ctx, in, nil)
}

// eval hands tracers, where there is one, each source's events.
func (s *Set) eval(ctx context.Context, in *Input, tracer func(*compiled) topdown.QueryTracer) (Verdict, diag.Diagnostics) {
	if !stageKnown(in.Stage) {
		return Verdict{}, denied("Unknown policy stage", "There is no stage %q.", in.Stage)
	}
	input, err := term(in)
	if err != nil {
		return Verdict{}, denied("Policy input cannot be made", "%v.", err)
	}
	u := newUnion(in)
	var diags diag.Diagnostics
	for _, c := range s.sources {
		q := c.queries[in.Stage]
		if q == nil {
			continue
		}
		var t topdown.QueryTracer
		if tracer != nil {
			t = tracer(c)
		}
		b := bound{
			time:   s.limits.Time + time.Duration(len(in.Resets))*s.limits.TimePerReset,
			memory: s.limits.Memory + uint64(len(in.Resets))*s.limits.MemoryPerReset,
		}
		answers, err := c.ask(ctx, q, input, b, t)
		if err != nil {
			diags = append(diags, c.failed(in.Stage, err)...)
			continue
		}
		diags = append(diags, u.add(c, in.Stage, answers)...)
	}
	if diags.HasErrors() {
		return Verdict{}, diags
	}
	return u.result(), diags
}

func stageKnown(stage Stage) bool {
	return stage == StagePlan || stage == StageApproval || stage == StageResult
}

// ask evaluates one query within b.
func (c *compiled) ask(ctx context.Context, q *query, input *ast.Term, b bound, tracer topdown.QueryTracer) (map[string]ast.Set, error) {
	cancel := topdown.NewCancel()
	return bounded(ctx, b, cancel.Cancel, func() (map[string]ast.Set, error) {
		ctx := context.WithoutCancel(ctx) // cancel is the one way to stop it
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
			eval = eval.WithQueryTracer(tracer)
		}
		results, err := eval.Run(ctx)
		if err != nil {
			return nil, err
		}
		if len(results) != 1 {
			return nil, errors.New("the result is undefined")
		}
		out := map[string]ast.Set{}
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
	})
}

// failed says which source and where in it.
func (c *compiled) failed(stage Stage, err error) diag.Diagnostics {
	const summary = "Policy could not be evaluated"
	var e *topdown.Error
	if errors.As(err, &e) {
		return c.texts.at(e.Location, summary, "Policy %q, package %s: %s. What cannot be evaluated denies.", c.name, stage, e.Message)
	}
	return denied(summary, "Policy %q, package %s: %v. What cannot be evaluated denies.", c.name, stage, err)
}
