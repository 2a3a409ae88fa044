package policy

import (
	"cmp"
	"context"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/topdown"

	"github.com/remint-dev/remint/engine/diag"
)

// Explanation is a verdict with the rules that led to it.
type Explanation struct {
	Verdict Verdict
	// Rules are all that were asked, in the order of sources and files.
	Rules []AskedRule
}

// AskedRule is a deny, warn or require rule that an evaluation asked.
type AskedRule struct {
	Source string `json:"source"`
	// Set is deny, warn or require.
	Set string `json:"set"`
	// Title is its METADATA's, and may be empty.
	Title string      `json:"title"`
	Range *diag.Range `json:"range"`
	// Held is how often its body held; 0 means that it said nothing.
	Held int `json:"held"`
}

// Explain is Eval with a trace of which rules held, and where they stand. It
// costs several times as much.
func (s *Set) Explain(ctx context.Context, in *Input, also ...*Input) (Explanation, diag.Diagnostics) {
	verdict, answers, diags := s.eval(ctx, true, in, also...)
	if diags.HasErrors() {
		return Explanation{}, diags
	}
	out := Explanation{Verdict: verdict, Rules: []AskedRule{}}
	for _, a := range answers {
		out.Rules = append(out.Rules, a.asked...)
	}
	return out, diags
}

// explain lists the rules of one source with how often they held.
func (c *compiled) explain(stage Stage, count *counter) []AskedRule {
	var out []AskedRule
	for _, set := range sets {
		rules := slices.Clone(c.compiler.GetRulesExact(ast.MustParseRef("data." + string(stage) + "." + set)))
		slices.SortFunc(rules, func(a, b *ast.Rule) int {
			return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row))
		})
		for _, rule := range rules {
			place, _ := c.texts.place(rule.Head.Location)
			out = append(out, AskedRule{Source: c.name, Set: set, Title: title(rule), Range: place, Held: count.held[rule]})
		}
	}
	return out
}

func title(rule *ast.Rule) string {
	for _, a := range rule.Annotations {
		if a.Title != "" {
			return a.Title
		}
	}
	return ""
}

// counter counts how often the body of a rule held.
type counter struct{ held map[*ast.Rule]int }

// Enabled turns tracing on.
func (*counter) Enabled() bool { return true }

// Config asks for no values of variables: they are what makes traces slow.
func (*counter) Config() topdown.TraceConfig { return topdown.TraceConfig{} }

// TraceEvent counts.
func (c *counter) TraceEvent(e topdown.Event) {
	if e.Op != topdown.ExitOp {
		return
	}
	if rule, ok := e.Node.(*ast.Rule); ok {
		c.held[rule]++
	}
}
