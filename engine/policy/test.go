package policy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/remint-dev/remint/engine/diag"
)

// TestReport is what the Rego tests of some sources say.
type TestReport struct {
	Tests []TestResult   `json:"tests"`
	Rules []RuleCoverage `json:"rules"`
	// Coverage is the percentage of lines of Rego, tests aside, that tests evaluated.
	Coverage float64 `json:"coverage"`
}

// TestResult is one test rule's outcome.
type TestResult struct {
	Source  string `json:"source"`
	Package string `json:"package"`
	Name    string `json:"name"`
	// Outcome is pass, fail, error or skip (a rule todo_test_…).
	Outcome string      `json:"outcome"`
	Detail  string      `json:"detail,omitempty"`
	Range   *diag.Range `json:"range,omitempty"`
}

// RuleCoverage says whether any test made a rule hold.
type RuleCoverage struct {
	Source  string `json:"source"`
	Package string `json:"package"`
	Name    string `json:"name"`
	Title   string `json:"title"`
	Covered bool   `json:"covered"`
	// Spared is, of rules that count, whether some test asked it about what it is
	// about, and it did not hold; a rule that always holds was never told from one
	// that is right. True of helpers.
	Spared bool `json:"spared"`
	// Missed are the lines in it that no test evaluated.
	Missed []int       `json:"missed,omitempty"`
	Range  *diag.Range `json:"range,omitempty"`
}

// Passed reports whether no test failed.
func (r *TestReport) Passed() bool {
	return !slices.ContainsFunc(r.Tests, func(t TestResult) bool { return t.Outcome == "fail" || t.Outcome == "error" })
}

// Test compiles the sources as Compile does, and runs the rules test_… of their
// files NAME_test.rego, each source alone. Tests may mock with `with` and print;
// beyond that they can do no more than policies. A failed test is no fault.
func Test(ctx context.Context, sources []Source, o Options) (*TestReport, diag.Diagnostics) {
	strangers := slices.Clone(sources)
	for i := range strangers {
		strangers[i].Known = false // tests are not known to end
	}
	set, diags := o.Compile(ctx, strangers)
	if diags.HasErrors() {
		return nil, diags
	}
	defer set.Close()
	report := &TestReport{Tests: []TestResult{}, Rules: []RuleCoverage{}}
	covered, missed, left := 0, 0, set.limits.Tests
	for _, f := range set.remote.folders {
		answered, all, err := set.remote.test(ctx, f, &left)
		if err != nil {
			return nil, denied(notTested, "Policy %q: %v.", f.source.Name, err)
		}
		if answered.Diags.HasErrors() {
			return nil, answered.Diags
		}
		report.Tests, report.Rules = append(report.Tests, all.Tests...), append(report.Rules, all.Rules...)
		covered, missed = covered+answered.Covered, missed+answered.Missed
	}
	if covered+missed > 0 {
		report.Coverage = 100 * float64(covered) / float64(covered+missed)
	}
	return report, nil
}

const notTested = "Policy tests could not be run"

// test runs one source's tests in this process, each within limit, and returns
// its lines' coverage.
func (f *folder) test(limit time.Duration, report *TestReport, at func(string)) (cover.Report, diag.Diagnostics) {
	caps := capabilities("print", "internal.print", "internal.test_case")
	modules, diags := f.parse(f.modules, caps, at)
	tests, more := f.parse(f.tests, caps, at)
	if diags = append(diags, more...); diags.HasErrors() {
		return cover.Report{}, diags
	}
	at("")
	all := maps.Clone(modules)
	maps.Copy(all, tests)
	tracer := cover.New()
	compiler := newCompiler(caps).WithEnablePrintStatements(true)
	ch, err := tester.NewRunner().
		SetCompiler(compiler).
		SetCoverageQueryTracer(tracer).SetCoverageRuns(nil).
		CapturePrintOutput(true).RaiseBuiltinErrors(true).
		SetTimeout(limit).SetModules(all).
		RunTests(context.Background(), nil)
	if err != nil {
		return cover.Report{}, f.texts.fromOPA(f.source.Name, notTested, err)
	}
	var passed []ast.Ref
	for r := range ch {
		one := f.outcome(r)
		report.Tests = append(report.Tests, one)
		if ref, err := ast.ParseRef(r.Package); err == nil && one.Outcome == "pass" {
			passed = append(passed, ref.Append(ast.StringTerm(r.Name)))
		}
	}
	spared := newSparing(compiler)
	for _, ref := range passed {
		spared.follow(context.Background(), compiler, ref, limit)
	}
	slices.SortFunc(report.Tests, func(a, b TestResult) int {
		return cmp.Or(cmp.Compare(a.Source, b.Source), cmp.Compare(a.Package, b.Package), cmp.Compare(a.Name, b.Name))
	})
	lines := tracer.Report(modules)
	f.coverage(modules, lines, spared.places(), report)
	return linesOf(modules, lines), nil
}

func (f *folder) outcome(r *tester.Result) TestResult {
	out := TestResult{
		Source: f.source.Name, Package: strings.TrimPrefix(r.Package, "data."), Name: r.Name,
		Outcome: "pass", Detail: strings.TrimSpace(string(r.Output)),
	}
	out.Range, _ = f.texts.place(r.Location)
	switch {
	case r.Skip:
		out.Outcome = "skip"
	case r.Error != nil:
		out.Outcome, out.Detail = "error", strings.TrimSpace(out.Detail+"\n"+r.Error.Error())
	case r.Fail:
		out.Outcome = "fail"
	}
	return out
}

// coverage tells of each rule whether it held in any test, and was spared in one.
func (f *folder) coverage(modules map[string]*ast.Module, lines cover.Report, spared map[string]bool, report *TestReport) {
	for _, name := range slices.Sorted(maps.Keys(modules)) {
		for _, rule := range modules[name].Rules {
			c := RuleCoverage{
				Source: f.source.Name, Package: packageName(modules[name]), Name: rule.Head.Ref().String(), Title: title(rule),
				Covered: lines.IsCovered(name, rule.Head.Location.Row),
			}
			known, counts := spared[placeID(rule)]
			c.Spared = known || !counts
			c.Range, _ = f.texts.place(rule.Head.Location)
			last := rule.Location.Row + strings.Count(string(rule.Location.Text), "\n")
			for row := rule.Location.Row; row <= last; row++ {
				if lines.Files[name].IsNotCovered(row) {
					c.Missed = append(c.Missed, row)
				}
			}
			report.Rules = append(report.Rules, c)
		}
	}
}

// linesOf leaves test files out of the sums.
func linesOf(modules map[string]*ast.Module, all cover.Report) cover.Report {
	var out cover.Report
	for name := range modules {
		if fr := all.Files[name]; fr != nil {
			out.CoveredLines += fr.CoveredLines
			out.NotCoveredLines += fr.NotCoveredLines
		}
	}
	return out
}

// String is the outcome as one line.
func (t TestResult) String() string {
	return fmt.Sprintf("%s %s.%s.%s %s", t.Outcome, t.Source, t.Package, t.Name, t.Detail)
}
