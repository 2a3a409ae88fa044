package policy

import (
	"context"
	"slices"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/topdown"
)

// sparing follows in tests the rules that count: whether each held in one, and
// whether there is one in which it was asked about what it is about and did not hold.
// A rule that was ruled out by its first condition already was about something else.
type sparing struct {
	// conditions are, by rule, the places in its body that can fail.
	conditions map[*ast.Rule][]int
	held       map[*ast.Rule]bool
	spared     map[*ast.Rule]bool
	running    map[uint64]*asked
}

// asked is one evaluation of a rule: how far it came, and whether it held at all.
type asked struct {
	rule *ast.Rule
	held bool
	// failed is the condition that failed last of all, by its number; -1 for none.
	failed int
}

func newSparing(c *ast.Compiler) *sparing {
	s := &sparing{conditions: map[*ast.Rule][]int{}, held: map[*ast.Rule]bool{}, spared: map[*ast.Rule]bool{}, running: map[uint64]*asked{}}
	for _, m := range c.Modules {
		if !isStage(m) {
			continue
		}
		for _, rule := range m.Rules {
			if slices.Contains(sets, headName(rule)) {
				s.conditions[rule] = conditions(rule.Body)
			}
		}
	}
	return s
}

// conditions are the expressions of a body that decide something: what iterates over
// the input, gives a name to something, or was made by the compiler of a part of
// another, only says what the rest is about.
func conditions(body ast.Body) []int {
	out := []int{}
	for i, x := range body {
		if x.Generated {
			continue
		}
		if x.IsEquality() || x.IsAssignment() {
			_, is := x.Operand(0).Value.(ast.Var)
			_, other := x.Operand(1).Value.(ast.Var)
			if is || other {
				continue
			}
		}
		out = append(out, i)
	}
	return out
}

// Enabled turns tracing on.
func (*sparing) Enabled() bool { return true }

// Config asks for no values of variables.
func (*sparing) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent follows the rules that count.
func (s *sparing) TraceEvent(e topdown.Event) {
	switch e.Op {
	case topdown.EnterOp:
		if rule, ok := e.Node.(*ast.Rule); ok && s.conditions[rule] != nil {
			s.running[e.QueryID] = &asked{rule: rule, failed: -1}
		}
	case topdown.ExitOp:
		if rule, ok := e.Node.(*ast.Rule); ok && s.running[e.QueryID] != nil {
			s.running[e.QueryID].held, s.held[rule] = true, true
		}
	case topdown.FailOp:
		one := s.running[e.QueryID]
		expr, ok := e.Node.(*ast.Expr)
		if one == nil || !ok {
			return
		}
		for n, i := range s.conditions[one.rule] {
			if x := one.rule.Body[i]; x == expr || x.Index == expr.Index {
				one.failed = max(one.failed, n)
			}
		}
	}
}

// done takes in what one test did.
func (s *sparing) done() {
	for _, one := range s.running {
		// With one condition alone, or none, that it was asked at all is all there is.
		if n := len(s.conditions[one.rule]); !one.held && one.failed >= min(1, n-1) {
			s.spared[one.rule] = true
		}
	}
	clear(s.running)
}

// places are the rules that count, by where they stand, and whether each was spared.
func (s *sparing) places() map[string]bool {
	out := map[string]bool{}
	for rule := range s.conditions {
		out[placeID(rule)] = s.spared[rule]
	}
	return out
}

func placeID(rule *ast.Rule) string { return rule.Head.Location.String() }

// follow runs one test again, with every rule asked: an index over rules would pass
// by those that do not hold. Tests that fail are not of interest.
func (s *sparing) follow(ctx context.Context, c *ast.Compiler, test ast.Ref, limit time.Duration) {
	defer s.done()
	query := c.QueryCompiler()
	body, err := query.Compile(ast.NewBody(ast.NewExpr(ast.NewTerm(test))))
	if err != nil {
		return
	}
	store := inmem.New()
	txn, err := store.NewTransaction(ctx)
	if err != nil {
		return
	}
	defer store.Abort(ctx, txn)
	cancel := topdown.NewCancel()
	defer time.AfterFunc(limit, cancel.Cancel).Stop()
	_, _ = topdown.NewQuery(body).WithCompiler(c).WithQueryCompiler(query).WithStore(store).WithTransaction(txn).
		WithCancel(cancel).WithTime(time.Unix(0, 0)).WithIndexing(false).WithQueryTracer(s).Run(ctx)
}
