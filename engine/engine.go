// Package engine is the facade: everything that a command, or another program,
// does with remint goes through it. Data flows one way: config, plan, gates,
// apply, evidence.
package engine

import (
	"context"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/trust"
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
	Trust    TrustOptions
	// Hurry, if set, ends when nobody wants to wait any more: a shared state that is
	// silent is soon given up then.
	Hurry context.Context
	// Parallelism is DefaultParallelism when zero.
	Parallelism int
	// WrapJournal and WrapArchive, when set, stand between the engine and its
	// journal and archive: tests break things there.
	WrapJournal func(journal.Journal) journal.Journal
	WrapArchive func(executor.Archive) executor.Archive
}

// Engine works on one workspace.
type Engine struct {
	opts Options
	// trust says where the trust base was read last; "" while none was.
	trust string
	// owed are the reviews that were found to be owed last.
	owed []evidence.Debt
}

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

// newFleet is an empty fleet that goes by this engine's clock.
func (e *Engine) newFleet() *fleet.Fleet {
	f := fleet.New(e.opts.Registry)
	f.Now = e.opts.Now
	return f
}

// Load evaluates the workspace, under its trust base if there is one. Offline
// needs no variables.
func (e *Engine) Load(offline bool) (*config.Workspace, diag.Diagnostics) {
	w, _, diags := e.load(offline)
	return w, diags
}

// load is Load, with the trust base; nil where the workspace judges itself.
func (e *Engine) load(offline bool) (*config.Workspace, *trustBase, diag.Diagnostics) {
	base, diags := e.loadBase(offline)
	if diags.HasErrors() {
		return nil, nil, diags
	}
	w, unlike, faults := e.loadUnder(offline, base)
	return w, base, slices.Concat(diags, faults, unlike)
}

// loadUnder evaluates the workspace under a trust base, nil for none. unlike are its
// copies of policies that are not what the base says.
func (e *Engine) loadUnder(offline bool, base *trustBase) (w *config.Workspace, unlike, diags diag.Diagnostics) {
	opts := config.Options{Dir: e.opts.Dir, Pinned: base == nil && e.opts.Trust.Pin != ""}
	if base != nil {
		e.trust, opts.Base = base.String(), base.workspace
	}
	w, diags = e.loadFrom(offline, opts)
	if w != nil && base != nil {
		unlike = copies(w)
	}
	return w, unlike, diags
}

// Trust says where the trust base was read, and which commit it was; "" where the
// workspace judges itself.
func (e *Engine) Trust() string { return e.trust }

// loadFrom evaluates one directory.
func (e *Engine) loadFrom(offline bool, opts config.Options) (*config.Workspace, diag.Diagnostics) {
	library, err := policy.OpenLibrary(e.opts.Policies)
	if err != nil {
		return nil, diag.Errored(diag.ExitDenied, "The policy library cannot be read", "%s. What cannot be asked denies.", err)
	}
	withLibrary(&opts, library, e.opts.Registry.Types())
	opts.Registry, opts.Builtin, opts.Version, opts.Offline = e.opts.Registry, e.opts.Runbooks, e.opts.Version, offline
	opts.Vars, opts.VarFiles, opts.Environ = e.opts.Vars, e.opts.VarFiles, e.opts.Environ
	w, diags := config.Load(opts)
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
	w, base, diags := e.load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	var set *policy.Set
	var faults diag.Diagnostics
	var beside sync.WaitGroup
	beside.Go(func() {
		set, faults = e.policies(ctx, w)
		set.Close()
	})
	diags = slices.Concat(diags, w.Unreached(), w.Validate())
	_, unusable := authority(w.Settings.Approvals.TrustedRoot)
	diags = append(diags, unusable...)
	beside.Wait()
	if diags = append(diags, faults...); set != nil && base == nil {
		diags = append(diags, e.pinned(trust.Of(w, set.Digests(), ownSigner(w)))...)
	}
	if s := w.Settings.SharedState; s != nil && !s.URL.IsZero() {
		diags = append(diags, checkURL(s)...)
	}
	return w, diags
}

// PolicySources are the built-in library and the workspace's own.
func (e *Engine) PolicySources(w *config.Workspace) ([]policy.Source, diag.Diagnostics) {
	unreadable := func(err error) ([]policy.Source, diag.Diagnostics) {
		return nil, diag.Errored(diag.ExitDenied, "The policy library cannot be read", "%s. What cannot be asked denies.", err)
	}
	library, err := policy.OpenLibrary(e.opts.Policies)
	if err != nil {
		return unreadable(err)
	}
	builtin, err := builtinSource(library, w)
	if err != nil {
		return unreadable(err)
	}
	taken, err := library.Packages()
	if err != nil {
		return unreadable(err)
	}
	sources := []policy.Source{builtin}
	var diags diag.Diagnostics
	for _, p := range w.Policies {
		source, faults := sourceOf(p)
		source.Taken = taken
		if diags = append(diags, faults...); !faults.HasErrors() {
			sources = append(sources, source)
		}
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
