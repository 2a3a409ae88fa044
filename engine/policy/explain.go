package policy

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"

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
	// Package is the stage that it is asked in.
	Package string `json:"package"`
	// Set is deny, warn or require.
	Set string `json:"set"`
	// ID is what its findings are known by; empty where it is computed, or there is none.
	ID string `json:"id"`
	// Title and Remedy are its METADATA's, and may be empty.
	Title  string        `json:"title"`
	Remedy string        `json:"remedy,omitempty"`
	Range  *diag.Range   `json:"range"`
	Rego   *diag.Snippet `json:"rego,omitempty"`
	// Held is how often its body held; 0 means that it said nothing.
	Held int `json:"held"`
	// Cases are some of those.
	Cases []RuleCase `json:"cases,omitempty"`
	// Nearest is how near the rule came to holding another time.
	Nearest *RuleCase `json:"nearest,omitempty"`
}

// Name is what the rule is known by among those of its source: its ID, or else FILE:LINE.
func (r *AskedRule) Name() string {
	if r.ID != "" || r.Range == nil {
		return r.ID
	}
	return fmt.Sprintf("%s:%d", r.Range.Filename, r.Range.Start.Line)
}

// Explain is Eval with a trace of which rules held, where they stand, what they
// read, and what kept them from holding. It costs several times as much.
func (s *Set) Explain(ctx context.Context, in *Input, also ...*Input) (Explanation, diag.Diagnostics) {
	verdict, answers, diags := s.eval(ctx, true, nil, in, also...)
	if diags.HasErrors() {
		return Explanation{}, diags
	}
	out := Explanation{Verdict: verdict, Rules: []AskedRule{}}
	for _, a := range answers {
		out.Rules = append(out.Rules, a.asked...)
	}
	return out, diags
}

// Also adds what the same policies said of another reset, where resets are judged one
// by one. Requirements and judgement stay x's.
func (x *Explanation) Also(other *Explanation) {
	x.Verdict.Decisions = inOrder(slices.Concat(x.Verdict.Decisions, other.Verdict.Decisions))
	for i := range min(len(x.Rules), len(other.Rules)) {
		x.Rules[i].also(&other.Rules[i])
	}
}

// rulesOf are the rules of a set, in the order of files.
func (c *compiled) rulesOf(stage Stage, set string) []*ast.Rule {
	rules := slices.Clone(c.compiler.GetRulesExact(ast.MustParseRef("data." + string(stage) + "." + set)))
	slices.SortFunc(rules, func(a, b *ast.Rule) int {
		return cmp.Or(cmp.Compare(a.Location.File, b.Location.File), cmp.Compare(a.Location.Row, b.Location.Row))
	})
	return rules
}

// explain lists the rules of one source with how often they held, and why.
func (c *compiled) explain(stage Stage, why *reasons) []AskedRule {
	var out []AskedRule
	for _, set := range sets {
		for _, rule := range c.rulesOf(stage, set) {
			one := c.asked(set, rule)
			one.Held, one.Cases = why.held[rule], why.cases[rule]
			if near, ok := why.failed[rule]; ok {
				one.Nearest = &near
			}
			out = append(out, one)
		}
	}
	return out
}

// asked is what is known of a rule before it is asked.
func (c *compiled) asked(set string, rule *ast.Rule) AskedRule {
	place, _ := c.texts.place(rule.Head.Location)
	return AskedRule{Source: c.name, Package: packageOf(rule), Set: set, ID: ruleID(rule), Title: title(rule), Remedy: remedy(rule), Range: place, Rego: c.texts.lines(rule)}
}

// also adds what the same rule did with another input.
func (r *AskedRule) also(other *AskedRule) {
	r.Held += other.Held
	if room := maxCases - len(r.Cases); room > 0 {
		r.Cases = append(r.Cases, other.Cases[:min(room, len(other.Cases))]...)
	}
}

func packageOf(rule *ast.Rule) string {
	if rule.Module == nil {
		return ""
	}
	return packageName(rule.Module)
}

func title(rule *ast.Rule) string {
	for _, a := range rule.Annotations {
		if a.Title != "" {
			return a.Title
		}
	}
	return ""
}

// index lists the rules that deny, of all stages.
func (c *compiled) index() []AskedRule {
	var out []AskedRule
	for _, stage := range stages {
		for _, rule := range c.rulesOf(stage, "deny") {
			if one := c.asked("deny", rule); one.ID != "" {
				out = append(out, one)
			}
		}
	}
	return out
}

// Rule is the rule of a source whose denials have that id, as it is written; nil
// where the id is computed, or not the source's.
func (s *Set) Rule(source, id string) *AskedRule {
	for _, src := range s.sources {
		if src.name != source {
			continue
		}
		var rules []AskedRule
		if src.known != nil {
			if c, diags := src.known(); !diags.HasErrors() {
				rules = c.index()
			}
		} else if s.remote != nil {
			rules = s.remote.rules[source]
		}
		if i := slices.IndexFunc(rules, func(r AskedRule) bool { return r.ID == id }); i >= 0 {
			return &rules[i]
		}
	}
	return nil
}
