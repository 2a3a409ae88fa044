// Package policy asks Rego whether a reset may happen, and under which
// conditions. It is the only importer of OPA.
//
// It fails closed: what cannot be read, compiled, evaluated within its bounds
// or understood is a fault with diag.ExitDenied, never an answer. Every source
// is compiled alone, and only results are united, so that nobody's Rego can
// disarm another's.
package policy

import (
	"cmp"
	"context"
	"io/fs"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/diag"
)

// The enforcements of a source.
const (
	// Mandatory denials stop the run; nothing overrides them.
	Mandatory = "mandatory"
	// Overridable denials stop the run until somebody overrides them.
	Overridable = "overridable"
	// Advisory denials are shown and stop nothing. What an advisory source
	// requires is still required: it can only make a run stricter.
	Advisory = "advisory"
)

// Source is a folder of Rego with a name of its own.
type Source struct {
	// Name is "builtin", or the label of the policy block.
	Name string
	FS   fs.FS
	// Enforcement is Mandatory, Overridable or Advisory. Rules has that of rules, by
	// id, where it is another.
	Enforcement string
	Rules       map[string]string
	// Path is put before file names where they are shown; may be empty.
	Path string
	// Revision is that of the signed bundle that the files come from, "" for a folder.
	Revision string
	// Taken are packages of another source, which this one may not declare: it would
	// change nothing there, and look as if it did.
	Taken []string
	// Known Rego came with the program, whose tests compile it. It is compiled
	// when it is first asked, and judged in this process. All other Rego is
	// compiled and judged in a process of its own, whose time and memory this
	// one enforces.
	Known bool
}

// Limits bound what policies may cost. The zero value of a field means its default.
type Limits struct {
	// Compile is the time that one source may take to compile; 4 s.
	Compile time.Duration
	// Time is for one evaluation of one source, and TimePerReset is added for
	// each reset; 3 s and 1 ms.
	Time, TimePerReset time.Duration
	// Tests is for all tests of all sources together; 5 min.
	Tests time.Duration
	// Memory is what the process of the Rego may take besides what it starts with,
	// and MemoryPerReset is added for each reset; 128 MiB and 32 KiB.
	Memory, MemoryPerReset uint64
}

func (l Limits) orDefaults() Limits {
	l.Compile = cmp.Or(l.Compile, 4*time.Second)
	l.Time = cmp.Or(l.Time, 3*time.Second)
	l.Tests = cmp.Or(l.Tests, 5*time.Minute)
	l.TimePerReset = cmp.Or(l.TimePerReset, time.Millisecond)
	l.Memory = cmp.Or(l.Memory, 128<<20)
	l.MemoryPerReset = cmp.Or(l.MemoryPerReset, 32<<10)
	return l
}

// Options are the settings of Compile and Test. The zero value is good.
type Options struct {
	Limits Limits
	// Log, when set, is told every decision. Where it fails, the decision is no.
	// Several goroutines may call it at once.
	Log func(Record) error
}

// Set is compiled policy, ready to be asked any number of times, by several
// goroutines at once. Close it when nothing more is asked.
type Set struct {
	sources []*judged
	digest  string
	// digests are those of the sources' contents, by name.
	digests map[string]string
	// revisions are those of the sources that are signed bundles, by name.
	revisions map[string]string
	limits    Limits
	remote    *remote // nil where all Rego is known
	log       func(Record) error
	// unread is why nothing can be asked; see Options.Unread.
	unread diag.Diagnostics
}

// judged is one source of a set's. known is nil where its Rego is judged elsewhere.
type judged struct {
	name, enforcement string
	rules             map[string]string
	known             func() (*compiled, diag.Diagnostics)
}

// compiled is the Rego of one source, ready to be judged by.
type compiled struct {
	name     string
	texts    texts
	compiler *ast.Compiler
	queries  map[Stage]*query
}

// Compile reads and compiles each source alone. Without faults the set is
// whole; with any, it is nil. It reads the sources' files and changes nothing.
func Compile(ctx context.Context, sources []Source) (*Set, diag.Diagnostics) {
	return Options{}.Compile(ctx, sources)
}

// Compile is the package's Compile under other limits.
func (o Options) Compile(ctx context.Context, sources []Source) (*Set, diag.Diagnostics) {
	diags := checkSources(sources)
	if diags.HasErrors() {
		return nil, diags
	}
	set := &Set{limits: o.Limits.orDefaults(), log: o.Log}
	var digests []sourceDigest
	for i, src := range sources {
		f, faults := load(src)
		diags = append(diags, faults...)
		f.index = i
		digests = append(digests, f.digest())
		one := &judged{name: src.Name, enforcement: src.Enforcement, rules: src.Rules}
		set.sources = append(set.sources, one)
		switch {
		case src.Known:
			one.known = sync.OnceValues(func() (*compiled, diag.Diagnostics) { return f.compile(func(string) {}) })
		case !faults.HasErrors():
			if set.remote == nil {
				set.remote = newRemote(set.limits)
			}
			set.remote.folders = append(set.remote.folders, f)
		}
	}
	if set.remote != nil {
		diags = append(diags, slices.Concat(set.remote.compile(ctx)...)...)
	}
	if diags.HasErrors() {
		set.Close()
		return nil, diags
	}
	set.digests, set.revisions = map[string]string{}, map[string]string{}
	for _, d := range digests {
		set.digests[d.Name] = d.content()
		if d.Revision != "" {
			set.revisions[d.Name] = d.Revision
		}
	}
	set.digest = uniteDigests(digests)
	return set, diags
}

// Warm compiles what is known ahead of the first question. It may run beside
// other work, which is what it is for.
func (s *Set) Warm() {
	for _, src := range s.sources {
		if src.known != nil {
			_, _ = src.known()
		}
	}
}

// Close ends the process that judges, if there is one.
func (s *Set) Close() {
	if s != nil && s.remote != nil {
		s.remote.close()
	}
}

func checkSources(sources []Source) diag.Diagnostics {
	var diags diag.Diagnostics
	if len(sources) == 0 {
		return denied("No policy", "There is no policy source at all; at least the built-in library must be asked.")
	}
	seen := map[string]bool{}
	for _, s := range sources {
		switch {
		case s.Name == "" || s.FS == nil:
			diags = append(diags, denied("Policy source without name or folder", "Every policy source needs a name and a folder.")...)
		case seen[s.Name]:
			diags = append(diags, denied("Policy name used twice", "Two policy sources are called %q; give one of them another label (\"builtin\" is the built-in library's).", s.Name)...)
		}
		seen[s.Name] = true
		for _, e := range append(slices.Sorted(maps.Values(s.Rules)), s.Enforcement) {
			if e != Mandatory && e != Overridable && e != Advisory {
				diags = append(diags, denied("Unknown enforcement", "Policy %q has enforcement %q; it must be mandatory, overridable or advisory.", s.Name, e)...)
			}
		}
	}
	return diags
}

// Digest is "sha256:…" over names, enforcements and the content of the modules
// that are asked. Order, file names and line endings do not count; tests neither.
func (s *Set) Digest() string { return s.digest }

// Revisions are those of the sources that are signed bundles, by name.
func (s *Set) Revisions() map[string]string { return s.revisions }

// Digests are those of the sources' contents by name, as the function Digests has them.
func (s *Set) Digests() map[string]string { return s.digests }
