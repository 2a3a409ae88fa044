package policy

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/remint-dev/remint/engine/diag"
)

// What an explanation shows at most: a rule may hold for every reset of a plan.
const (
	maxCases   = 3
	maxValues  = 20
	maxValue   = 200
	maxSnippet = 40 // lines
)

// RuleCase is one way in which a rule held, or did not.
type RuleCase struct {
	// Read are the members of the input that its body read itself, and what they
	// were; what its helpers read is not among them.
	Read []InputValue `json:"read"`
	// Failed is the expression that did not hold, with where it stands.
	Failed string      `json:"failed,omitempty"`
	Range  *diag.Range `json:"range,omitempty"`
}

// InputValue is a member of the input. An object with an address is shown by that.
type InputValue struct {
	Path  string `json:"path"`
	Value string `json:"value"`
}

// reasons follows the rules of an evaluation: how often each held, and why.
type reasons struct {
	c     *compiled
	input *ast.Term
	held  map[*ast.Rule]int
	cases map[*ast.Rule][]RuleCase
	// failed is how near each rule came to holding, nearest the index of what failed.
	failed  map[*ast.Rule]RuleCase
	nearest map[*ast.Rule]int
	// rules are the rules that count, and running the queries that are about them.
	rules   map[*ast.Rule]bool
	running map[uint64]*ast.Rule
}

func newReasons(c *compiled, stage Stage, input *ast.Term) *reasons {
	r := &reasons{
		c: c, input: input, held: map[*ast.Rule]int{}, cases: map[*ast.Rule][]RuleCase{}, failed: map[*ast.Rule]RuleCase{},
		nearest: map[*ast.Rule]int{}, rules: map[*ast.Rule]bool{}, running: map[uint64]*ast.Rule{},
	}
	for _, set := range sets {
		for _, rule := range c.rulesOf(stage, set) {
			r.rules[rule] = true
		}
	}
	return r
}

// Enabled turns tracing on.
func (*reasons) Enabled() bool { return true }

// Config asks for no values of variables: they are what makes traces slow. Those
// that are wanted are looked up.
func (*reasons) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent follows the rules that count.
func (r *reasons) TraceEvent(e topdown.Event) {
	switch e.Op {
	case topdown.EnterOp:
		if rule, ok := e.Node.(*ast.Rule); ok && r.rules[rule] {
			r.running[e.QueryID] = rule
		}
	case topdown.ExitOp:
		rule, ok := e.Node.(*ast.Rule)
		if !ok {
			return
		}
		r.held[rule]++
		if r.rules[rule] && len(r.cases[rule]) < maxCases {
			r.cases[rule] = append(r.cases[rule], RuleCase{Read: r.read(&e, rule.Body)})
		}
	case topdown.FailOp:
		rule, expr := r.running[e.QueryID], (*ast.Expr)(nil)
		if expr, _ = e.Node.(*ast.Expr); rule == nil || expr == nil {
			return
		}
		at := slices.IndexFunc(rule.Body, func(x *ast.Expr) bool { return x == expr || x.Index == expr.Index })
		if near, seen := r.nearest[rule]; at < 0 || seen && at <= near {
			return
		}
		r.nearest[rule] = at
		one := RuleCase{Read: r.read(&e, rule.Body[:at+1])}
		if loc := rule.Body[at].Location; loc != nil {
			one.Failed = clipText(strings.Join(strings.Fields(string(loc.Text)), " "))
			one.Range, _ = r.c.texts.place(loc)
		}
		r.failed[rule] = one
	}
}

// read gives the members of the input that expressions name, as they are bound now.
func (r *reasons) read(e *topdown.Event, body []*ast.Expr) []InputValue {
	out := []InputValue{}
	// alias are variables that stand for members of the input.
	alias := map[ast.Var]ast.Ref{}
	for _, x := range body {
		if x.IsEquality() || x.IsAssignment() {
			v, is := x.Operand(0).Value.(ast.Var)
			ref, of := x.Operand(1).Value.(ast.Ref)
			if is && of {
				if whole := r.resolve(e, ref, alias); whole != nil {
					alias[v] = whole
				}
			}
		}
	}
	add := func(ref ast.Ref) {
		whole := r.resolve(e, ref, alias)
		if len(whole) < 2 || len(out) >= maxValues {
			return
		}
		value := "undefined"
		if v, err := r.input.Value.Find(whole[1:]); err == nil {
			if o, ok := v.(ast.Object); ok {
				if a := o.Get(ast.StringTerm("address")); a != nil {
					v = a.Value
				}
			}
			value = clipText(v.String())
		}
		one := InputValue{Path: clipText(whole.String()), Value: value}
		if !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	for _, x := range body {
		ast.WalkTerms(x, func(t *ast.Term) bool {
			switch v := t.Value.(type) {
			case ast.Ref:
				add(v)
				return true
			case ast.Var:
				if whole := alias[v]; whole != nil && !x.IsEquality() {
					add(whole)
				}
			}
			return false
		})
	}
	return out
}

// resolve is ref from the input's root, with its variables as they are bound; nil
// where it is no member of the input, or not bound yet.
func (r *reasons) resolve(e *topdown.Event, ref ast.Ref, alias map[ast.Var]ast.Ref) ast.Ref {
	if v, ok := ref[0].Value.(ast.Var); ok && alias[v] != nil {
		ref = append(slices.Clone(alias[v]), ref[1:]...)
	}
	if !ref[0].Equal(ast.InputRootDocument) {
		return nil
	}
	out := ast.Ref{ref[0]}
	for _, t := range ref[1:] {
		t = e.Plug(t)
		if !ast.IsConstant(t.Value) { // not bound: all of them
			break
		}
		out = append(out, t)
	}
	return out
}

func clipText(s string) string {
	if len(s) <= maxValue {
		return s
	}
	s = s[:maxValue]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

// idIn finds the id that a rule gives what it says, where it is written out.
var idIn = regexp.MustCompile(`"id"\s*:\s*"([^"\\]+)"`)

// ruleID is METADATA's, or the one that is written in the rule; "" if it is computed.
func ruleID(rule *ast.Rule) string {
	for _, a := range rule.Annotations {
		if id, ok := a.Custom["id"].(string); ok {
			return id
		}
	}
	if rule.Location != nil {
		if m := idIn.FindSubmatch(rule.Location.Text); m != nil {
			return string(m[1])
		}
	}
	return ""
}

func remedy(rule *ast.Rule) string {
	for _, a := range rule.Annotations {
		if text, ok := a.Custom["remedy"].(string); ok {
			return text
		}
	}
	return ""
}

// lines is all of a rule, as it is written.
func (t texts) lines(rule *ast.Rule) *diag.Snippet {
	if rule.Location == nil {
		return nil
	}
	all := strings.Split(string(rule.Location.Text), "\n")
	if len(all) > maxSnippet {
		all = append(all[:maxSnippet], "…")
	}
	for i := range all {
		all[i] = clipText(all[i])
	}
	return &diag.Snippet{Code: strings.Join(all, "\n"), StartLine: rule.Location.Row}
}
