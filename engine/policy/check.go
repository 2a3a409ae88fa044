package policy

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/remint-dev/remint/engine/diag"
)

// stages lists the packages that are asked; sets the rules in them that count.
var (
	stages = []Stage{StagePlan, StageApproval, StageResult}
	sets   = []string{"deny", "warn", "require"}
)

const misspelt = "Policy that would never be asked"

// packageName is the dotted name of m's package, without "data".
func packageName(m *ast.Module) string {
	var parts []string
	for _, t := range m.Package.Path[1:] {
		if s, ok := t.Value.(ast.String); ok {
			parts = append(parts, string(s))
		}
	}
	return strings.Join(parts, ".")
}

// isStage reports whether m's package is asked. A dot within an element makes
// another package of the same dotted name, so elements are counted.
func isStage(m *ast.Module) bool {
	return len(m.Package.Path) == 3 && slices.Contains(stages, Stage(packageName(m)))
}

func inRemint(m *ast.Module) bool {
	return len(m.Package.Path) > 1 && m.Package.Path[1].Equal(ast.StringTerm("remint"))
}

// checkPackages finds modules and rules that could not mean what they say.
func (f *folder) checkPackages(modules map[string]*ast.Module) diag.Diagnostics {
	var diags diag.Diagnostics
	asked := false
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		m := modules[name]
		if inRemint(m) && !isStage(m) {
			diags = append(diags, f.texts.at(m.Package.Location, misspelt,
				"Policy %q: %s is not a package that is asked.%s Packages for shared helpers stand outside remint, as in `package helpers`.",
				f.source.Name, packageName(m), suggestPackage(m))...)
			continue
		}
		diags = append(diags, f.checkWiths(m)...)
		if !isStage(m) {
			continue
		}
		for _, rule := range m.Rules {
			set := headName(rule)
			if !slices.Contains(sets, set) {
				continue
			}
			asked = true
			if rule.Head.DocKind() != ast.PartialSetDoc || len(rule.Head.Ref()) != 1 || rule.Default {
				diags = append(diags, f.texts.at(rule.Head.Location, "Policy result of the wrong type",
					"Policy %q: %s must be a partial set, written `%s contains {…} if {…}`.", f.source.Name, set, set)...)
			}
		}
	}
	if !asked && !diags.HasErrors() {
		return denied("Policy without rules", "Policy %q: no file defines deny, warn or require in package remint.plan, remint.approval or remint.result, so that it would never say anything.", f.source.Name)
	}
	return diags
}

func suggestPackage(m *ast.Module) string {
	name := packageName(m)
	if strings.HasSuffix(name, "_test") {
		return " Tests belong in a file named NAME_test.rego."
	}
	if best := nearest(name, []string{string(StagePlan), string(StageApproval), string(StageResult)}); best != "" {
		return fmt.Sprintf(" Did you mean %s?", best)
	}
	return " There are remint.plan, remint.approval and remint.result."
}

func nearest(name string, among []string) string {
	best, distance := "", 3
	for _, candidate := range among {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), candidate); d < distance {
			best, distance = candidate, d
		}
	}
	return best
}

func headName(rule *ast.Rule) string {
	if v, ok := rule.Head.Ref()[0].Value.(ast.Var); ok {
		return string(v)
	}
	return ""
}

// checkWiths refuses mocking in what judges.
func (f *folder) checkWiths(m *ast.Module) diag.Diagnostics {
	var diags diag.Diagnostics
	ast.WalkWiths(m, func(w *ast.With) bool {
		diags = append(diags, f.texts.at(w.Location, "Policy replaces its input", "Policy %q: `with` is for tests; a policy judges what it is given.", f.source.Name)...)
		return false
	})
	return diags
}

// checkReached refuses rules that nobody asks, and references to nothing.
func (f *folder) checkReached(c *ast.Compiler) diag.Diagnostics {
	var diags diag.Diagnostics
	reached := map[*ast.Rule]bool{}
	names := slices.Sorted(maps.Keys(c.Modules))
	for _, stage := range stages {
		of := reachedFrom(c, stage)
		maps.Copy(reached, of)
		diags = append(diags, f.checkMembers(stage, of)...)
	}
	for _, name := range names {
		m := c.Modules[name]
		for _, rule := range m.Rules {
			if !reached[rule] {
				diags = append(diags, f.unreached(m, rule)...)
			}
		}
		diags = append(diags, f.checkData(c, m)...)
	}
	return diags
}

// reachedFrom are the rules that the sets of stage depend on, and those sets.
func reachedFrom(c *ast.Compiler, stage Stage) map[*ast.Rule]bool {
	reached := map[*ast.Rule]bool{}
	var visit func(rule *ast.Rule)
	visit = func(rule *ast.Rule) {
		for ; rule != nil && !reached[rule]; rule = rule.Else {
			reached[rule] = true
			for dep := range c.Graph.Dependencies(util.T(rule)) {
				if r, ok := dep.(*ast.Rule); ok {
					visit(r)
				}
			}
		}
	}
	for _, m := range c.Modules {
		for _, rule := range m.Rules {
			if isStage(m) && Stage(packageName(m)) == stage && slices.Contains(sets, headName(rule)) {
				visit(rule)
			}
		}
	}
	return reached
}

// absent lists the members of input that a stage never has, and those of what is in it.
var absent = map[Stage][]string{
	StagePlan:     {"approvals", "now", "operator", "requirements", "resets[].result", "unattended", "verification"},
	StageApproval: {"resets[].result"},
	StageResult:   {"authors", "now"},
}

// checkMembers refuses rules about members of input that their stage does not
// have: they would never hold.
func (f *folder) checkMembers(stage Stage, rules map[*ast.Rule]bool) diag.Diagnostics {
	var diags diag.Diagnostics
	for rule := range rules {
		ast.WalkRefs(rule, func(ref ast.Ref) bool {
			if len(ref) < 2 || !ref[0].Equal(ast.InputRootDocument) {
				return false
			}
			if s, ok := ref[1].Value.(ast.String); ok && slices.Contains(absent[stage], string(s)) {
				diags = append(diags, f.texts.at(rule.Head.Location, misspelt, "Policy %q: input.%s does not exist in %s, so that this rule would never hold.", f.source.Name, string(s), stage)...)
			}
			return false
		})
	}
	slices.SortFunc(diags, func(a, b diag.Diagnostic) int {
		return strings.Compare(fmt.Sprint(a.Range, a.Detail), fmt.Sprint(b.Range, b.Detail))
	})
	return diags
}

// unreached says what is wrong with a rule that nothing leads to. In a helper
// package that is fine, unless it looks as if it was meant to be asked.
func (f *folder) unreached(m *ast.Module, rule *ast.Rule) diag.Diagnostics {
	name := headName(rule)
	if !isStage(m) {
		for _, term := range rule.Head.Ref() {
			if s := strings.Trim(term.String(), `"`); slices.Contains(sets, s) {
				return f.texts.at(rule.Head.Location, misspelt, "Policy %q: %s in package %s is never asked; only remint.plan, remint.approval and remint.result are.", f.source.Name, s, packageName(m))
			}
		}
		return nil
	}
	hint := ""
	if best := nearest(name, sets); best != "" {
		hint = fmt.Sprintf(" Did you mean %s?", best)
	} else if strings.HasPrefix(name, "test_") {
		hint = " Tests belong in a file named NAME_test.rego."
	}
	return f.texts.at(rule.Head.Location, misspelt, "Policy %q: rule %s is none of deny, warn and require, and none of them uses it.%s", f.source.Name, name, hint)
}

// checkData refuses references to documents that do not exist: they would be
// undefined, and a rule that depends on them would never hold.
func (f *folder) checkData(c *ast.Compiler, m *ast.Module) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, rule := range m.Rules {
		ast.WalkRefs(rule, func(ref ast.Ref) bool {
			if len(ref) > 1 && ref[0].Equal(ast.DefaultRootDocument) && len(c.GetRulesDynamicWithOpts(ref, ast.RulesOptions{IncludeHiddenModules: true})) == 0 {
				diags = append(diags, f.texts.at(rule.Head.Location, "Policy refers to nothing", "Policy %q: this rule uses %s, and no rule of this policy defines it. Policies share nothing with each other, and data files are not read.", f.source.Name, ref)...)
			}
			return false
		})
	}
	return diags
}

// checkTests refuses rules in test files that are no tests: they look as if
// they judged, and are never asked.
func (f *folder) checkTests(tests map[string]*ast.Module) diag.Diagnostics {
	var diags diag.Diagnostics
	used := map[string]bool{}
	for _, m := range tests {
		for _, rule := range m.Rules {
			own := headName(rule)
			ast.WalkTerms(rule, func(t *ast.Term) bool {
				if v, ok := t.Value.(ast.Var); ok && string(v) != own {
					used[string(v)] = true
				}
				if s, ok := t.Value.(ast.String); ok && string(s) != own {
					used[string(s)] = true
				}
				return false
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(tests)) {
		for _, rule := range tests[name].Rules {
			own := headName(rule)
			isTest := strings.HasPrefix(own, "test_") || strings.HasPrefix(own, "todo_test_")
			if slices.Contains(sets, own) || !isTest && !used[own] {
				diags = append(diags, f.texts.at(rule.Head.Location, misspelt, "Policy %q: rule %s stands in a test file, which is never asked, and no test uses it. Move it to a file whose name does not end in _test.rego.", f.source.Name, own)...)
			}
		}
	}
	return diags
}
