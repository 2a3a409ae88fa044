// Package engine is the facade: everything that a command, or another program,
// does with remint goes through it. Data flows one way: config, plan, gates,
// apply, evidence.
package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/sqlite"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
)

// BuiltinPolicies is the name of the policy library as a source.
const BuiltinPolicies = "builtin"

// DefaultParallelism is how many resets are worked on at once unless told.
const DefaultParallelism = 10

// Options is what an Engine works with. Content and providers are handed in:
// the engine imports none.
type Options struct {
	// Dir is the workspace.
	Dir      string
	Registry *provider.Registry
	// Runbooks are the built-in ones, and Policies the policy library.
	Runbooks, Policies fs.FS
	Version            string
	// Vars and VarFiles come from the command line, Environ from REMINT_VAR_*.
	Vars     map[string]string
	VarFiles []string
	Environ  []string
	Events   event.Sink
	Now      func() time.Time
	// Parallelism is DefaultParallelism when zero.
	Parallelism int
	// WrapJournal and WrapArchive, when set, stand between the engine and its
	// journal and archive: tests break things there.
	WrapJournal func(journal.Journal) journal.Journal
	WrapArchive func(executor.Archive) executor.Archive
}

// Engine works on one workspace.
type Engine struct{ opts Options }

// New makes an engine; it reads nothing yet.
func New(opts Options) *Engine {
	if opts.Events == nil {
		opts.Events = event.Discard
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Parallelism <= 0 {
		opts.Parallelism = DefaultParallelism
	}
	return &Engine{opts: opts}
}

// Load evaluates the workspace. Offline needs no variables.
func (e *Engine) Load(offline bool) (*config.Workspace, diag.Diagnostics) {
	library, err := policy.OpenLibrary(e.opts.Policies)
	if err != nil {
		return nil, diag.Errored(diag.ExitDenied, "The policy library cannot be read", "%s. What cannot be asked denies.", err)
	}
	options := libraryOptions(library)
	options.Dir, options.Registry, options.Builtin, options.Version = e.opts.Dir, e.opts.Registry, e.opts.Runbooks, e.opts.Version
	options.Vars, options.VarFiles, options.Environ, options.Offline = e.opts.Vars, e.opts.VarFiles, e.opts.Environ, offline
	w, diags := config.Load(options)
	if w != nil && len(w.Notifiers) == 0 {
		w.Notifiers = []*config.Block{e.defaultNotifier()}
	}
	return w, diags
}

// defaultNotifier writes notices into a file of the workspace: somebody is told
// even where no notifier is declared.
func (e *Engine) defaultNotifier() *config.Block {
	const name = "notices.jsonl"
	return &config.Block{Type: "file", Name: "default", Attrs: provider.NewAttrs(map[string]any{
		"path": provider.Path{Written: name, Absolute: filepath.Join(e.opts.Dir, name)},
	})}
}

// Validate finds everything that can be found without starting a provider:
// in the workspace, in its runbooks for every mode, in its policies.
func (e *Engine) Validate(ctx context.Context) (*config.Workspace, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	var faults diag.Diagnostics
	var beside sync.WaitGroup
	beside.Go(func() {
		var set *policy.Set
		set, faults = e.policies(ctx, w)
		set.Close()
	})
	diags = append(diags, w.Validate()...)
	beside.Wait()
	return w, append(diags, faults...)
}

// PolicySources are the built-in library and the workspace's own.
func (e *Engine) PolicySources(w *config.Workspace) ([]policy.Source, diag.Diagnostics) {
	builtin, err := e.librarySource(w)
	if err != nil {
		return nil, diag.Errored(diag.ExitDenied, "The policy library cannot be read", "%s. What cannot be asked denies.", err)
	}
	sources := []policy.Source{builtin}
	var diags diag.Diagnostics
	for _, p := range w.Policies {
		info, err := os.Stat(p.Path.Absolute)
		if err != nil || !info.IsDir() {
			rng := p.Range
			diags = append(diags, diag.Diagnostic{
				Severity: diag.Error, Summary: "A policy folder is missing", Exit: diag.ExitDenied, Range: &rng,
				Detail: "Policy " + p.Name + " names the folder " + p.Path.Written + ", which is not there. What cannot be asked denies.",
			})
			continue
		}
		root, err := os.OpenRoot(p.Path.Absolute)
		if err != nil {
			diags = append(diags, diag.Errored(diag.ExitDenied, "A policy folder cannot be read", "Policy %s: %s cannot be opened. What cannot be asked denies.", p.Name, p.Path.Written)...)
			continue
		}
		sources = append(sources, policy.Source{Name: p.Name, FS: root.FS(), Enforcement: string(p.Enforcement), Path: p.Path.Written})
	}
	return sources, diags
}

func (e *Engine) policies(ctx context.Context, w *config.Workspace) (*policy.Set, diag.Diagnostics) {
	sources, diags := e.PolicySources(w)
	if diags.HasErrors() {
		return nil, diags
	}
	set, faults := policy.Compile(ctx, sources)
	return set, append(diags, faults...)
}

// state opens the state; without create, a state that is not there is nil.
func (e *Engine) state(ctx context.Context, w *config.Workspace, create bool) (journal.Journal, diag.Diagnostics) {
	path := w.Settings.StatePath.Absolute
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	if create {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, diag.Errored(0, "The state cannot be opened", "The folder of %s cannot be made: %s.", w.Settings.StatePath.Written, reason(err))
		}
	}
	j, err := sqlite.Open(ctx, path, sqlite.Options{Now: e.opts.Now})
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be opened", "%s.", about(w.Settings.StatePath, err))
	}
	if e.opts.WrapJournal != nil {
		j = e.opts.WrapJournal(j)
	}
	return j, nil
}

// about is what err says of p, in the words that p was written in, once.
func about(p provider.Path, err error) string {
	text := strings.TrimSuffix(strings.ReplaceAll(err.Error(), p.Absolute, p.Written), ".")
	if strings.Contains(text, p.Written) {
		return text
	}
	return p.Written + ": " + text
}

// known reads what the state knows of every credential.
func known(ctx context.Context, j journal.Journal) (planner.Known, diag.Diagnostics) {
	out := planner.Known{}
	if j == nil {
		return out, nil
	}
	list, err := j.Credentials(ctx)
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	for _, c := range list {
		out[c.Address] = c
	}
	return out, nil
}
