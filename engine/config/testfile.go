package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// testSuffix is what files of tests end in. They are no part of the workspace.
const testSuffix = ".reminttest.hcl"

// The bounds on the tests, which stay in memory while a workspace is loaded for each.
const (
	maxTestFiles  = 1000
	maxTestTokens = 100_000 // in all files together
)

// TestFile is one file of tests of a workspace.
type TestFile struct {
	// Name is relative to the workspace.
	Name string
	Runs []*TestRun

	loader *loader
}

// TestRun is one plan that a test makes against mocked targets, and what it
// says of it.
type TestRun struct {
	Name string
	// What the plan is asked, as on the command line.
	Reason            lifecycle.Reason
	Ticket, Requester string
	// Mode is what the plan must be in; "" for whatever follows from the reason.
	Mode      lifecycle.Mode
	Addresses []string
	Where     string
	All       bool
	// Variables are as -var takes them.
	Variables map[string]string
	// Mocks are in the order in which they apply: of the file, then of the run.
	Mocks    []TestMock
	Approval *TestApproval
	Results  []TestResult
	// Denied are the rules, SOURCE/ID, that must deny, Errors what must stand
	// in faults. Both nil means that there is neither.
	Denied, Errors []string
	Range          diag.Range

	asserts []assertion
}

// TestMock is what a target says of a credential, or of all that a block makes.
type TestMock struct {
	Address         addrs.Credential
	Exists, Enabled bool
	Fenced          bool
	Versions        []string
	Sessions        int
	InUseBy         string
	// Age since the last reset; negative when none is known.
	Age time.Duration
	// Fails is the error of a target that cannot be read; "" for one that can.
	Fails string
}

// assertion is a condition that must hold, and what to say when it does not.
type assertion struct {
	condition, message hclsyntax.Expression
}

// LoadTests reads the test files of a workspace directory, in the order of
// their names; all faults at once. It reads those files and does nothing else.
func LoadTests(dir string) ([]*TestFile, diag.Diagnostics) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, diag.Errored(0, "The workspace cannot be read", "The directory %s cannot be read: %s.", dir, cause(err))
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !strings.HasSuffix(e.Name(), testSuffix) })
	if len(entries) > maxTestFiles {
		return nil, diag.Errored(0, "The tests are too large", "The workspace has more than %d files *%s. Write several tests into one.", maxTestFiles, testSuffix)
	}
	var files []*TestFile
	var diags diag.Diagnostics
	size, tokens := 0, maxTokens-maxTestTokens
	for _, e := range entries {
		src, err := readCapped(filepath.Join(dir, e.Name()), maxFileSize)
		if err != nil {
			diags = diags.Errorf("A test file cannot be used", "%s: %s.", e.Name(), err)
			continue
		}
		f, faults := loadTest(dir, e.Name(), src, &tokens)
		if size += len(src); size > maxFileSize || tokens > maxTokens {
			return nil, diag.Errored(0, "The tests are too large", "With %s, the files *%s have more than %d MB or %d words and signs together. Remove what the workspace is not tested with.",
				e.Name(), testSuffix, maxFileSize>>20, maxTestTokens)
		}
		if diags = append(diags, faults...); len(diags) > maxFaults && diags.HasErrors() {
			break // nobody reads more
		}
		files = append(files, f)
	}
	if diags.HasErrors() {
		return nil, diags
	}
	return files, diags
}

// loadTest reads one file; tokens are counted over all of them.
func loadTest(dir, name string, src []byte, tokens *int) (*TestFile, diag.Diagnostics) {
	l, err := newLoader(Options{Dir: dir})
	if err != nil {
		return nil, diag.Errored(0, "The workspace cannot be read", "The directory %s cannot be used: %s.", dir, cause(err))
	}
	defer l.close()
	l.tokens = *tokens
	f := &TestFile{Name: name, loader: l}
	if body := l.parse(src, name); body != nil {
		l.testFile(f, body)
	}
	*tokens = l.tokens
	return f, l.finish()
}

func (l *loader) testFile(f *TestFile, body *hclsyntax.Body) {
	for _, a := range sortedAttributes(body) {
		l.fault(a.NameRange, "An attribute outside of a block", "%s belongs into a block. At the outermost level stand the blocks run \"NAME\" and mock.", quoted(a.Name))
	}
	l.noBlocks(body, "A test file")
	var mocks []TestMock
	for _, b := range body.Blocks {
		if b.Type == "mock" {
			mocks = append(mocks, l.testMock(b)...)
		}
	}
	for _, b := range body.Blocks {
		if b.Type != "run" || !l.labelled(b, `run "NAME"`) || !l.once("run "+quoted(b.Labels[0]), b.DefRange()) {
			continue
		}
		if r := l.testRun(b); r != nil {
			r.Mocks = append(slices.Clone(mocks), r.Mocks...)
			f.Runs = append(f.Runs, r)
		}
	}
	if !slices.ContainsFunc(body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "run" }) {
		l.diags = l.diags.Errorf("A test file without a run", "%s has no block run \"NAME\", and so would pass whatever the workspace is. Write one, or remove the file.", f.Name)
	}
}

func (l *loader) testRun(b *hclsyntax.Block) *TestRun {
	l.noBlocks(b.Body, "A run")
	got := provider.NewAttrs(l.simple(b.Body, b, "A run",
		provider.Attribute{Name: "reason", Type: provider.String, OneOf: words(lifecycle.Reasons()), Default: string(lifecycle.Scheduled)},
		provider.Attribute{Name: "mode", Type: provider.String, OneOf: words(lifecycle.Modes())},
		attr("ticket", provider.String, false), attr("requester", provider.String, false),
		attr("addresses", provider.StringList, false), attr("where", provider.String, false), attr("all", provider.Bool, false),
		attr("variables", provider.StringMap, false), attr("expect_denied", provider.StringList, false), attr("expect_errors", provider.StringList, false)))
	r := &TestRun{
		Name: b.Labels[0], Reason: lifecycle.Reason(got.String("reason")), Mode: lifecycle.Mode(got.String("mode")), Ticket: got.String("ticket"), Requester: got.String("requester"),
		Addresses: got.Strings("addresses"), Where: got.String("where"), All: got.Bool("all"), Variables: got.Map("variables"),
		Denied: got.Strings("expect_denied"), Errors: got.Strings("expect_errors"), Range: rangeOf(b),
	}
	for _, inner := range b.Body.Blocks {
		switch inner.Type {
		case "mock":
			r.Mocks = append(r.Mocks, l.testMock(inner)...)
		case "approval":
			if l.labelled(inner, "approval") && l.once("approval of run "+quoted(r.Name), inner.DefRange()) {
				r.Approval = l.testApproval(inner)
			}
		case "result":
			r.Results = append(r.Results, l.testResult(inner)...)
		case "assert":
			r.asserts = append(r.asserts, l.testAssert(inner)...)
		}
	}
	asserts := slices.ContainsFunc(b.Body.Blocks, func(x *hclsyntax.Block) bool { return x.Type == "assert" })
	if !asserts && r.Denied == nil && r.Errors == nil {
		l.fault(b.DefRange(), "A run that asserts nothing", "A run needs an assert block, expect_denied or expect_errors: it would pass whatever the plan says.")
	}
	return r
}

// testAddress reads the address that a block is about.
func (l *loader) testAddress(b *hclsyntax.Block, written string) (addrs.Credential, bool) {
	if written == "" { // a fault already
		return addrs.Credential{}, false
	}
	a, err := addrs.ParseCredential(written)
	if err != nil {
		l.fault(b.Body.Attributes["address"].Expr.Range(), "Not an address", "%s.", err)
	}
	return a, err == nil
}

func (l *loader) testMock(b *hclsyntax.Block) []TestMock {
	if !l.labelled(b, "mock") {
		return nil
	}
	l.noBlocks(b.Body, "A mock")
	got := provider.NewAttrs(l.simple(b.Body, b, "A mock", attr("address", provider.String, true),
		provider.Attribute{Name: "exists", Type: provider.Bool, Default: true}, provider.Attribute{Name: "enabled", Type: provider.Bool, Default: true},
		attr("fenced", provider.Bool, false), provider.Attribute{Name: "versions", Type: provider.StringList, Default: []string{"mocked"}},
		attr("sessions", provider.Int, false), attr("in_use_by", provider.String, false), attr("age", provider.Duration, false), attr("fails", provider.String, false)))
	a, ok := l.testAddress(b, got.String("address"))
	if !ok {
		return nil
	}
	m := TestMock{
		Address: a, Exists: got.Bool("exists"), Enabled: got.Bool("enabled"), Fenced: got.Bool("fenced"), Versions: got.Strings("versions"),
		Sessions: int(got.Int("sessions")), InUseBy: got.String("in_use_by"), Age: -1, Fails: got.String("fails"),
	}
	if !m.Exists {
		m.Versions, m.Enabled = nil, false
	}
	if got.Has("age") {
		m.Age = got.Duration("age")
	}
	return []TestMock{m}
}

// testAssert takes an assertion's expressions unevaluated: what they speak of
// is there when the plan is.
func (l *loader) testAssert(b *hclsyntax.Block) []assertion {
	if !l.labelled(b, "assert") {
		return nil
	}
	l.noBlocks(b.Body, "An assertion")
	var a assertion
	for _, given := range sortedAttributes(b.Body) {
		switch given.Name {
		case "condition":
			a.condition = given.Expr
		case "error_message":
			a.message = given.Expr
		default:
			l.fault(given.NameRange, "Unknown attribute", "An assertion has no attribute %q.%s", given.Name, suggest(given.Name, []string{"condition", "error_message"}))
			return nil
		}
	}
	if a.condition == nil {
		l.fault(b.DefRange(), "A required attribute is missing", "An assertion needs a condition.")
		return nil
	}
	s := scope{names: map[string][]string{}, what: "an assertion"}
	for _, n := range testNames {
		s.names[n] = nil
	}
	if !l.check(a.condition, s) || a.message != nil && !l.check(a.message, s) {
		return nil
	}
	if len(a.condition.Variables()) == 0 {
		l.fault(a.condition.Range(), "An assertion of nothing", "This condition refers to nothing of the plan, and so is the same whatever the plan says. It may speak of %s.", list(testNames))
		return nil
	}
	return []assertion{a}
}

// testNames are what assertions may speak of.
var testNames = []string{"plan", "resets", "denied", "warned", "required", "diagnostics"}

// Assert evaluates a run's assertions over what was found: documents by the
// names that assertions use, as JSON has them. Each that does not hold is a fault.
func (f *TestFile) Assert(r *TestRun, found map[string]any) diag.Diagnostics {
	l := f.loader
	l.diags, l.truncated, l.spent = nil, 0, false
	l.budget = newBudget()
	ctx := &hcl.EvalContext{Functions: functions(l.budget)}
	vars, err := ctyOf(found)
	if err != nil {
		return diag.Errored(0, "A test cannot be evaluated", "Run %q: %s.", r.Name, err)
	}
	ctx.Variables = vars
	for _, a := range r.asserts {
		l.assert(ctx, a)
	}
	return l.finish()
}

func (l *loader) assert(ctx *hcl.EvalContext, a assertion) {
	v, ok := l.value(a.condition, ctx)
	switch {
	case !ok:
		return
	case !isBool(v):
		l.fault(a.condition.Range(), "A value does not fit", "A condition must be true or false, and this is %s.", kindOf(v))
		return
	case v.True():
		return
	}
	text := "The condition does not hold."
	if a.message != nil {
		if m, ok := l.value(a.message, ctx); ok && isString(m) {
			text = sentence2(addrs.Visible(m.AsString()))
		}
	}
	for _, t := range a.condition.Variables() {
		if v, diags := t.TraverseAbs(ctx); !diags.HasErrors() {
			text += fmt.Sprintf("\n%s is %s", path(t), shortJSON(v))
		}
	}
	l.fault(a.condition.Range(), "An assertion does not hold", "%s", text)
}
