// Package config turns a directory of *.remint.hcl files into a static model:
// parsed, evaluated, checked. It is the only package that knows HCL. It opens
// no target and no secret, and reports every fault at once, each with its
// place and a remedy.
package config

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// Options say what to load and what it may name.
type Options struct {
	// Dir is the workspace directory.
	Dir string
	// Registry holds the types, stores, consumers, notifiers and verifiers that exist.
	Registry *provider.Registry
	// Builtin holds the built-in runbooks as *.remint.hcl files.
	Builtin fs.FS
	// Groups are the groups of the policy library that can be chosen, and
	// DefaultGroups those that are asked when none is.
	Groups, DefaultGroups []string
	// Parameters can be set in the library; ParameterGroups says of which group
	// each is. A group that cannot be chosen is always asked.
	Parameters      provider.Schema
	ParameterGroups map[string]string
	// Algorithms are the names that a signature of a policy bundle may have.
	Algorithms []string
	// Version of the program, for required_version; "" skips that check.
	Version string
	// Vars are -var values by name, VarFiles the -var-file paths, Environ the
	// environment, of which REMINT_VAR_NAME is used. Vars win over files, later
	// files over earlier ones, files over the environment.
	Vars     map[string]string
	VarFiles []string
	Environ  []string
	// Offline needs no variable values: those without one are unknown, and
	// attributes that depend on them are left out.
	Offline bool

	// Base is the trust base that the workspace is held against: what it declares
	// is taken from there, and the workspace may only be stricter. Nil means that
	// the workspace judges itself.
	Base *Workspace
	// Pinned is set where the workspace judges itself, and the digest of its judges is
	// pinned. Credentials are not under that digest, and may lower nothing by themselves.
	Pinned bool
	// Home is set when a trust base is loaded: Dir is then where it is read from,
	// and Home the workspace in which its paths lead to targets, keys and notices.
	// Label stands before the names of its files.
	Home, Label string
}

// isBase reports whether a trust base is loaded.
func (o Options) isBase() bool { return o.Home != "" }

// Load reads a workspace. Its diagnostics are all faults at once; the
// workspace is nil when there are any. Nothing is written, and nothing but files is read.
func Load(opts Options) (*Workspace, diag.Diagnostics) {
	l, err := newLoader(opts)
	if err != nil {
		return nil, diag.Errored(diag.ExitError, "The workspace cannot be read", "The directory %s cannot be used: %s.", opts.Dir, cause(err))
	}
	defer l.close()
	bodies := l.readWorkspace()
	if len(bodies) > 0 {
		l.sort(bodies)
		l.evaluate()
	}
	if l.diags.HasErrors() { // what Validate would add of the runbooks is wanted in the same list
		l.diags = append(l.diags, l.ws.checkRunbooks()...)
	}
	diags := l.finish()
	if diags.HasErrors() {
		return nil, diags
	}
	return l.ws, diags
}

// loader is one Load under way.
type loader struct {
	opts  Options
	dir   string // what is read
	home  string // where paths lead
	files diag.Sources
	// files are as diagnostics quote them; raw are as they were read.
	raw map[string][]byte
	// names say which values are not quoted.
	names names
	diags diag.Diagnostics
	// broken is set when a part could not be read, so that what is missing
	// elsewhere may be a consequence.
	broken bool
	// spent is set when it was said that the budget is.
	spent     bool
	truncated int
	tokens    int
	budget    *budget
	reader    *reader
	blocks    map[string][]*hclsyntax.Block
	first     map[string]hcl.Range // of every declared name
	vars      map[string]*variable
	locals    map[string]*local
	ctx       *hcl.EvalContext
	paths     *paths
	ws        *Workspace
	pending   []*credentialBlock
	targets   []protected // what providers write to
	books     map[string]*book
	told      map[string]bool
	count     int // of for_each instances
	// decisionLogAt is where the path of the decision log is written.
	decisionLogAt hcl.Range
}

func newLoader(opts Options) (*loader, error) {
	dir, err := filepath.Abs(opts.Dir)
	if err != nil {
		return nil, err
	}
	r, err := newReader(dir)
	if err != nil {
		return nil, err
	}
	home := dir
	if opts.isBase() {
		if home, err = filepath.Abs(opts.Home); err != nil {
			return nil, err
		}
	}
	l := &loader{
		opts: opts, dir: dir, home: home, files: diag.Sources{}, raw: map[string][]byte{}, names: namesIn(opts.Registry), budget: newBudget(), reader: r,
		blocks: map[string][]*hclsyntax.Block{}, first: map[string]hcl.Range{},
		vars: map[string]*variable{}, locals: map[string]*local{}, books: map[string]*book{}, told: map[string]bool{}, paths: newPaths(home),
		ws: &Workspace{Dir: dir, Providers: map[string]*ProviderBlock{}, Runbooks: map[string]*Runbook{}, Offline: opts.Offline},
	}
	l.ws.declared, l.ws.guarded, l.ws.files = map[string]hcl.Range{}, map[string]bool{}, l.files
	if opts.Base != nil {
		l.paths.protect(opts.Base.Dir, "the trust base")
	}
	l.ctx = &hcl.EvalContext{Functions: functions(l.budget)}
	l.ctx.Functions["file"] = bounded("file", r.function(), l.budget)
	return l, nil
}

func (l *loader) close() { l.reader.close() }

// topLevel says which blocks there are and how they are labelled.
var topLevel = map[string]string{
	"remint": "remint", "variable": `variable "NAME"`, "locals": "locals", "provider": `provider "TYPE" "NAME"`,
	"approver": `approver "NAME"`,
	"policy":   `policy "NAME"`,
	"library":  "library",
	"notifier": `notifier "TYPE" "NAME"`,
	"verifier": `verifier "TYPE" "NAME"`,
	"allow":    `allow "TYPE"`,
	"override": "override", "break_glass": "break_glass",
	"credential": `credential "TYPE" "NAME"`, "runbook": `runbook "NAME"`,
}

// sort checks the outermost level and files its blocks by type.
func (l *loader) sort(bodies []*hclsyntax.Body) {
	for _, body := range bodies {
		for _, a := range sortedAttributes(body) {
			l.fault(a.NameRange, "An attribute outside of a block", "%s belongs into a block. At the outermost level stand blocks only: %s.", quoted(a.Name), list(keys(topLevel)))
		}
		for _, b := range body.Blocks {
			form, known := topLevel[b.Type]
			if !known {
				l.fault(b.TypeRange, "There is no such block", "%q is no block of this language.%s", addrs.Visible(b.Type), suggest(b.Type, keys(topLevel)))
				continue
			}
			if l.labelled(b, form) {
				l.blocks[b.Type] = append(l.blocks[b.Type], b)
			}
		}
	}
}

// evaluate goes from what nothing depends on to what depends on all.
func (l *loader) evaluate() {
	l.loadVariables()
	l.loadLocals()
	l.loadSettings()
	l.loadPolicies()
	l.loadLibrary()
	l.protectDecisionLog()
	l.loadApprovers()
	l.loadProviders()
	l.loadNotifiers()
	l.loadVerifiers()
	l.loadExceptions()
	l.loadAllowed()
	l.loadRunbooks()
	l.loadCredentials()
	l.bindConsumers()
	l.loadDependencies()
	l.checkTargets()
	l.checkAccounts()
}

// labelled checks a block's labels against its form, as in `provider "TYPE" "NAME"`.
func (l *loader) labelled(b *hclsyntax.Block, form string) bool {
	want := strings.Count(form, " ")
	if len(b.Labels) != want {
		r := b.TypeRange
		if len(b.Labels) > want {
			r = b.LabelRanges[want]
		}
		l.fault(r, "Wrong labels", "This block is written %s { … }: it has %s, not %d.", form, plural(want, "label"), len(b.Labels))
		return false
	}
	ok := true
	for i, label := range b.Labels {
		if !addrs.Identifier(label) {
			l.fault(b.LabelRanges[i], "Not a name", "%s cannot be a name here. A name is a letter or underscore, then letters, digits, underscores and dashes, all of them ASCII, at most 128.%s", addrs.Quote(label), deceptive(label))
			ok = false
		}
	}
	return ok
}

// once reports whether this is the first declaration of a thing called what.
func (l *loader) once(what string, r hcl.Range) bool {
	if before, taken := l.first[what]; taken {
		l.fault(r, "Declared twice", "%s is already declared at %s:%d. Rename one of the two, or remove it.", what, before.Filename, before.Start.Line)
		return false
	}
	l.first[what] = r
	return true
}

// maxFaults is how many faults are told apart; nobody reads more.
const maxFaults = 200

// fault reports one fault. Past maxFaults it only counts.
func (l *loader) fault(r hcl.Range, summary, detail string, args ...any) {
	l.report(fault(summary, fmt.Sprintf(detail, args...), r, nil), r)
}

func (l *loader) report(d diag.Diagnostic, r hcl.Range) {
	if len(l.diags) >= maxFaults {
		l.truncated++
		return
	}
	d.Range, d.Snippet = l.files.Place(r)
	l.diags = append(l.diags, d)
}

// hcl reports what HCL found.
func (l *loader) hcl(found hcl.Diagnostics) {
	for _, d := range diag.FromHCL(found, l.files) {
		if d.Detail == sentence(errSpent.Error()) || d.Detail == sentence(errText.Error()) {
			if l.spent { // everything that is evaluated from here on says the same
				continue
			}
			l.spent = true
		}
		if len(l.diags) >= maxFaults {
			l.truncated++
			continue
		}
		if !slices.ContainsFunc(l.diags, func(x diag.Diagnostic) bool { return same(x, d) }) {
			l.diags = append(l.diags, d)
		}
	}
}

func same(a, b diag.Diagnostic) bool {
	return a.Summary == b.Summary && a.Detail == b.Detail && (a.Range == nil) == (b.Range == nil) && (a.Range == nil || *a.Range == *b.Range)
}

func fault(summary, detail string, r hcl.Range, files diag.Sources) diag.Diagnostic {
	d := diag.Diagnostic{Severity: diag.Error, Summary: summary, Detail: detail}
	d.Range, d.Snippet = files.Place(r)
	return d
}

// finish is every diagnostic, in the order of their places.
func (l *loader) finish() diag.Diagnostics {
	sortDiagnostics(l.diags)
	if l.truncated > 0 {
		l.diags = l.diags.Errorf("More faults", "%d more faults are not shown. Mend these first.", l.truncated)
	}
	return l.diags
}

func sortDiagnostics(d diag.Diagnostics) {
	slices.SortStableFunc(d, func(a, b diag.Diagnostic) int {
		switch {
		case a.Range == nil && b.Range == nil:
			return 0
		case a.Range == nil:
			return 1
		case b.Range == nil:
			return -1
		case a.Range.Filename != b.Range.Filename:
			return strings.Compare(a.Range.Filename, b.Range.Filename)
		}
		return a.Range.Start.Byte - b.Range.Start.Byte
	})
}
