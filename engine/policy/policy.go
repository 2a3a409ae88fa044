// Package policy asks Rego whether a reset may happen, and under which
// conditions. It is the only importer of OPA.
//
// It fails closed: what cannot be read, compiled, evaluated within its bounds
// or understood is a fault with diag.ExitDenied, never an answer. Every source
// is compiled alone, and only results are united, so that nobody's Rego can
// disarm another's.
package policy

import (
	"context"
	"io/fs"
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
	// Enforcement is Mandatory, Overridable or Advisory.
	Enforcement string
	// Path is put before file names where they are shown; may be empty.
	Path string
}

// Limits bound what policies may cost. The zero value of a field means its default.
type Limits struct {
	// Compile is the time that one source may take to compile; 10 s.
	Compile time.Duration
	// Time is for one evaluation of one source, and TimePerReset is added for
	// each reset; 5 s and 1 ms.
	Time, TimePerReset time.Duration
	// Memory is by how many bytes the heap may grow during an evaluation, and
	// MemoryPerReset is added for each reset; 256 MiB and 64 KiB. It is
	// sampled, and the heap is the process's: a busy process counts too.
	Memory, MemoryPerReset uint64
}

func (l Limits) orDefaults() Limits {
	if l.Compile == 0 {
		l.Compile = 10 * time.Second
	}
	if l.Time == 0 {
		l.Time = 5 * time.Second
	}
	if l.TimePerReset == 0 {
		l.TimePerReset = time.Millisecond
	}
	if l.Memory == 0 {
		l.Memory = 256 << 20
	}
	if l.MemoryPerReset == 0 {
		l.MemoryPerReset = 64 << 10
	}
	return l
}

// Options are the settings of Compile and Test. The zero value is good.
type Options struct {
	Limits Limits
}

// Set is compiled policy, ready to be asked any number of times, by several
// goroutines at once.
type Set struct {
	sources []*compiled
	digest  string
	limits  Limits
}

// compiled is one source.
type compiled struct {
	name, enforcement string
	texts             texts
	compiler          *ast.Compiler
	queries           map[Stage]*query
}

// Compile reads and compiles each source alone. Without faults the set is
// whole; with any, it is nil. It reads the sources' files and does nothing else.
func Compile(ctx context.Context, sources []Source) (*Set, diag.Diagnostics) {
	return Options{}.Compile(ctx, sources)
}

// Compile is the package's Compile under other limits.
func (o Options) Compile(ctx context.Context, sources []Source) (*Set, diag.Diagnostics) {
	diags := checkSources(sources)
	if diags.HasErrors() {
		return nil, diags
	}
	set := &Set{limits: o.Limits.orDefaults(), sources: make([]*compiled, len(sources))}
	digests, faults := make([]sourceDigest, len(sources)), make([]diag.Diagnostics, len(sources))
	var each sync.WaitGroup
	for i, src := range sources { // side by side, since each is compiled alone
		each.Go(func() {
			folder, more := load(src)
			if !more.HasErrors() {
				var c diag.Diagnostics
				set.sources[i], c = folder.compile(ctx, set.limits)
				digests[i], more = folder.digest(), append(more, c...)
			}
			faults[i] = more
		})
	}
	each.Wait()
	diags = append(diags, slices.Concat(faults...)...)
	if diags.HasErrors() {
		return nil, diags
	}
	set.digest = uniteDigests(digests)
	return set, diags
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
		switch s.Enforcement {
		case Mandatory, Overridable, Advisory:
		default:
			diags = append(diags, denied("Unknown enforcement", "Policy %q has enforcement %q; it must be mandatory, overridable or advisory.", s.Name, s.Enforcement)...)
		}
	}
	return diags
}

// Digest is "sha256:…" over names, enforcements and the content of the modules
// that are asked. Order, file names and line endings do not count; tests neither.
func (s *Set) Digest() string { return s.digest }
