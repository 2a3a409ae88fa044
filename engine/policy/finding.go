package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// finding is one member of deny, warn or require, in plain values: so it can
// come from another process. A member of require has either Approvals or Strength.
type finding struct {
	Set       string             `json:"set"`
	Rule      string             `json:"rule,omitempty"`
	Message   string             `json:"message,omitempty"`
	Address   string             `json:"address,omitempty"`
	Step      string             `json:"step,omitempty"`
	Controls  []string           `json:"controls,omitempty"`
	Approvals int                `json:"approvals,omitempty"`
	Group     string             `json:"group,omitempty"`
	Strength  lifecycle.Strength `json:"strength,omitempty"`
}

// maxFindings is how much one source may say of n resets.
func maxFindings(n int) int { return 1000 + 16*n }

// answer is what one source says of one input.
type answer struct {
	findings []finding
	// asked is there when an explanation was wanted.
	asked []AskedRule
}

// check refuses what no evaluator that works would send.
func (f *finding) check(addresses map[string][]Step) error {
	steps, known := addresses[f.Address]
	if f.Address != "" && !known {
		return fmt.Errorf("the address %q is none of the plan's", f.Address)
	}
	if f.Step != "" && (f.Address == "" || f.Set == "require" || len(f.Step) > maxMessage) {
		return errors.New("a step goes with the address of a reset, and is as long as those of runbooks at most")
	}
	if f.Step != "" && !slices.ContainsFunc(steps, func(s Step) bool { return s.Address == f.Step }) {
		return fmt.Errorf("the step %q is none of those of %s%s", f.Step, f.Address, stepsOf(steps))
	}
	ok := len(f.Group) <= maxMessage && len(f.Controls) <= maxControls
	switch {
	case f.Set == "require" && f.Strength != "":
		ok = ok && f.Strength.Valid() && f.Approvals == 0
	case f.Set == "require":
		ok = ok && f.Approvals >= 1 && f.Approvals <= maxApprovals
	case slices.Contains(sets, f.Set):
		ok = ok && f.Strength == "" && f.Approvals == 0 && f.Group == "" && f.Rule != "" && len(f.Rule) <= maxID && f.Message != "" && len(f.Message) <= maxMessage
	default:
		ok = false
	}
	if !ok {
		return errFrame
	}
	return nil
}

// stepsOf names some steps, in brackets.
func stepsOf(steps []Step) string {
	const most = 12
	var names []string
	for _, s := range steps[:min(len(steps), most)] {
		names = append(names, s.Address)
	}
	if len(steps) > most {
		names = append(names, fmt.Sprintf("and %d more", len(steps)-most))
	}
	if len(names) == 0 {
		return ", which has none"
	}
	return " (" + strings.Join(names, ", ") + ")"
}

// understand turns the sets of one source into findings. What it does not
// understand is a fault at the rule.
func (c *compiled) understand(stage Stage, answers map[string]ast.Set, addresses map[string][]Step) ([]finding, diag.Diagnostics) {
	var diags diag.Diagnostics
	var out []finding
	for _, set := range sets {
		s := answers[set]
		if s == nil {
			continue
		}
		fault := func(err error) {
			rules := c.compiler.GetRulesExact(ast.MustParseRef("data." + string(stage) + "." + set))
			diags = append(diags, c.texts.at(rules[0].Location, "Policy result of the wrong type",
				"Policy %q, %s.%s: %v. What is not understood denies.", c.name, stage, set, err)...)
		}
		if s.Len()+len(out) > maxFindings(len(addresses)) {
			fault(fmt.Errorf("it has %d members; all sets of one policy may have %d for a plan of %d resets", s.Len(), maxFindings(len(addresses)), len(addresses)))
			continue
		}
		for _, t := range s.Slice() {
			f, err := findingOf(set, t)
			if err == nil {
				err = f.check(addresses)
			}
			if err != nil {
				fault(err)
				if len(diags) >= maxErrors {
					return nil, diags
				}
				continue
			}
			out = append(out, f)
		}
	}
	return out, diags
}

func findingOf(set string, t *ast.Term) (finding, error) {
	m, err := membersOf(t)
	if err != nil {
		return finding{}, err
	}
	if set == "require" {
		return requirement(m)
	}
	return decision(set, m)
}

// decision reads a member of deny or warn.
func decision(set string, m members) (finding, error) {
	f := finding{Set: set}
	var errs [5]error
	f.Rule, errs[0] = m.text("id", true, maxID)
	f.Message, errs[1] = m.text("msg", true, maxMessage)
	f.Address, errs[2] = m.text("address", false, maxMessage)
	f.Controls, errs[3] = m.texts("controls")
	f.Step, errs[4] = m.text("step", false, maxMessage)
	if err := errors.Join(errs[:]...); err != nil {
		return f, err
	}
	return f, m.done()
}

// requirement reads a member of require.
func requirement(m members) (finding, error) {
	f := finding{Set: "require"}
	var err error
	if f.Address, err = m.text("address", false, maxMessage); err != nil {
		return f, err
	}
	approvals, hasApprovals := m["approvals"]
	strength, hasStrength := m["strength"]
	delete(m, "approvals")
	delete(m, "strength")
	if hasApprovals == hasStrength {
		return f, errors.New(`a requirement must have either "approvals" or "strength"`)
	}
	if hasStrength {
		s, _ := strength.(ast.String)
		if f.Strength = lifecycle.Strength(s); !f.Strength.Valid() {
			return f, fmt.Errorf("strength is %s; it must be one of %q", clip(strength), lifecycle.Strengths())
		}
		return f, m.done()
	}
	n, _ := approvals.(ast.Number)
	if f.Approvals, _ = n.Int(); f.Approvals < 1 || f.Approvals > maxApprovals { // 0 is what is none
		return f, fmt.Errorf("approvals is %s; it must be an integer from 1 to %d", clip(approvals), maxApprovals)
	}
	if g, has := m["group"]; has {
		s, ok := g.(ast.String)
		if !ok || len(s) > maxMessage {
			return f, fmt.Errorf("group is %s; it must be a string of at most %d bytes", clip(g), maxMessage)
		}
		f.Group = string(s)
		delete(m, "group")
	}
	return f, m.done()
}
