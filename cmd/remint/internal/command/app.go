// Package command holds the verbs of the command line, a file each. A verb
// reads its flags, calls the engine, and hands what comes back to a view.
package command

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remint-dev/remint/cmd/remint/internal/terminal"
	"github.com/remint-dev/remint/cmd/remint/internal/view"
	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/provider"
)

// Parts are what the commands are made of. Tests put other ones in.
type Parts struct {
	Version            string
	Registry           *provider.Registry
	Runbooks, Policies fs.FS
	// Schemas are those of documents, NAME.schema.json.
	Schemas fs.FS
	// WrapJournal and WrapArchive, when set, stand between the engine and its
	// journal and evidence archive.
	WrapJournal func(journal.Journal) journal.Journal
	WrapArchive func(executor.Archive) executor.Archive
	// Now, when set, is the clock.
	Now func() time.Time
}

// app is one invocation.
type app struct {
	parts Parts
	term  *terminal.Terminal
	view  *view.View
	json  bool
	// common flags of verbs that load a workspace
	vars     listFlag
	varFiles listFlag
	trust    string
	verb     *verb
	// soft ends with the first interrupt, hard with the second.
	soft, hard context.Context
}

// verb is one command.
type verb struct {
	name string
	// args shows the positional arguments in usage; synopsis is one line for the
	// list of commands, help the longer text.
	args, synopsis, help string
	// events is whether -json gives events, and not one document.
	events bool
	// setup declares flags and gives the function to run.
	setup func(a *app, fs *flag.FlagSet) func(ctx context.Context, args []string) diag.Exit
}

// verbs lists every command in the order in which help shows them.
func verbs() []*verb {
	return []*verb{
		initVerb(), validateVerb(), fmtVerb(),
		planVerb(), showVerb(), verifyVerb(), approveVerb(), approvalsVerb(), overrideVerb(), breakGlassVerb(),
		applyVerb(), resumeVerb(), resolveVerb(), reviewVerb(), recoverVerb(),
		statusVerb(), runsVerb(), graphVerb(), evidenceVerb(),
		policyVerb(), testVerb(), trustVerb(),
		providersVerb(), schemaVerb(), versionVerb(),
	}
}

// Main runs the command line of this process and gives its exit code.
func Main(parts Parts) int {
	harden()
	environ := os.Environ()
	withhold(environ)
	term := terminal.New(os.Stdin, os.Stdout, os.Stderr, environ) //nolint:forbidigo // here the terminal gets them
	a := &app{parts: parts, term: term, view: view.New(term)}
	return int(a.main(os.Args[1:]))
}

func (a *app) main(args []string) diag.Exit {
	a.view.JSON = asksJSON(args) // for faults in the command line itself
	args, ok := a.global(args)
	if !ok {
		return diag.ExitError
	}
	if len(args) == 0 || args[0] == "help" && len(args) == 1 || isHelp(args[0]) {
		a.view.Text(usage(a.parts.Version))
		return diag.ExitOK
	}
	if args[0] == "-version" || args[0] == "--version" {
		args[0] = "version"
	}
	if args[0] == "help" {
		args = []string{args[1], "-help"}
	}
	all := verbs()
	for _, v := range all {
		if v.name == args[0] {
			return a.run(v, args[1:])
		}
	}
	var names []string
	for _, v := range all {
		names = append(names, v.name)
	}
	a.fault("No such command", "remint has no command %q.%s `remint help` lists them all.", args[0], didYouMean(args[0], names))
	return diag.ExitError
}

// global takes the flags that come before the verb. After -chdir every path on the
// command line starts in that directory, as with Terraform.
func (a *app) global(args []string) ([]string, bool) {
	for len(args) > 0 {
		name := strings.TrimPrefix(strings.TrimPrefix(args[0], "-"), "-")
		dir, found := strings.CutPrefix(name, "chdir=")
		if !strings.HasPrefix(args[0], "-") || !found && name != "chdir" {
			return args, true
		}
		if !found {
			if len(args) < 2 {
				a.fault("A directory is missing", "Write -chdir=DIR before the command.")
				return nil, false
			}
			dir, args = args[1], args[1:]
		}
		args = args[1:]
		info, err := os.Stat(dir)
		if err != nil || !info.IsDir() {
			a.fault("No such directory", "-chdir names %q, which is not a directory.", dir)
			return nil, false
		}
		if err := os.Chdir(dir); err != nil {
			a.fault("No such directory", "-chdir names %q, which cannot be entered.", dir)
			return nil, false
		}
	}
	return args, true
}

func (a *app) run(v *verb, args []string) diag.Exit {
	flags := flag.NewFlagSet(v.name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	a.verb = v
	a.view.Events = v.events
	do := v.setup(a, flags)
	positional, err := parse(flags, args)
	if errors.Is(err, flag.ErrHelp) {
		a.view.Text(verbUsage(v, flags))
		return diag.ExitOK
	}
	if err != nil {
		a.fault("The command line is not understood", "%s.%s `remint %s -help` shows what it takes.", upperFirst(err.Error()), flagHint(flags, err), v.name)
		return diag.ExitError
	}
	a.view.JSON = a.json
	stop := a.signals()
	defer stop()
	return do(a.soft, positional)
}

// asksJSON reports whether -json is among args, as far as that can be told of a
// command line that may be wrong.
func asksJSON(args []string) bool {
	for _, arg := range args {
		name, value, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		switch {
		case arg == "--":
			return false
		case !strings.HasPrefix(arg, "-") || name != "json":
		case !given:
			return true
		default:
			on, err := strconv.ParseBool(value)
			return on && err == nil
		}
	}
	return false
}

// parse takes flags and positional arguments in any order; "--" ends flags.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var positional []string
	for {
		if err := fs.Parse(args); err != nil {
			return nil, err
		}
		rest := fs.Args()
		if len(rest) == 0 {
			return positional, nil
		}
		if used := len(args) - len(rest); used > 0 && args[used-1] == "--" {
			return append(positional, rest...), nil
		}
		positional, args = append(positional, rest[0]), rest[1:]
	}
}

func isHelp(s string) bool { return slices.Contains([]string{"-h", "-help", "--help"}, s) }

// listFlag is a flag that may be given several times.
type listFlag []string

// String shows the values.
func (l *listFlag) String() string { return strings.Join(*l, ", ") }

// Set adds one.
func (l *listFlag) Set(s string) error { *l = append(*l, s); return nil }

// workspaceFlags declares what every verb that loads a workspace takes.
func (a *app) workspaceFlags(fs *flag.FlagSet) {
	fs.Var(&a.vars, "var", "`NAME=VALUE` sets a variable; may be repeated")
	fs.Var(&a.varFiles, "var-file", "`FILE` sets variables; may be repeated")
	a.trustFlag(fs)
	a.jsonFlag(fs)
}

func (a *app) trustFlag(fs *flag.FlagSet) {
	fs.Func("trust", "take the judges from `PLACE`: a directory, or git:REF[:PATH]; REMINT_TRUST=sha256:… pins them", func(s string) error {
		if a.trust = s; s == "" { // an unset variable in a script must not leave the judges out
			return errors.New("it is empty")
		}
		return nil
	})
}

// trustOptions are the flag and the pin.
func (a *app) trustOptions() (engine.TrustOptions, diag.Diagnostics) {
	t := engine.TrustOptions{Place: a.trust}
	for _, kv := range a.term.Environ {
		if pin, found := strings.CutPrefix(kv, "REMINT_TRUST="); found {
			if t.Pin = pin; pin == "" {
				return t, diag.Errored(0, "REMINT_TRUST is empty", "It is set and says nothing. Set it to the digest that `remint trust show` prints, or unset it.")
			}
		}
	}
	return t, nil
}

func (a *app) pinned() bool {
	t, _ := a.trustOptions()
	return t.Pin != ""
}

// tellTrust says where a trust base was read.
func (a *app) tellTrust(e *engine.Engine) {
	if place := e.Trust(); place != "" {
		a.view.Note("Trust base: " + place)
	}
}

func (a *app) jsonFlag(fs *flag.FlagSet) {
	fs.BoolVar(&a.json, "json", false, "write JSON for machines to stdout")
}

// engine makes the engine of this invocation.
func (a *app) engine(events event.Sink, parallelism int) (*engine.Engine, diag.Diagnostics) {
	vars := map[string]string{}
	var diags diag.Diagnostics
	for _, v := range a.vars {
		name, value, ok := strings.Cut(v, "=")
		if !ok || name == "" {
			diags = diags.Errorf("A variable without a value", "-var=%s must look like -var=NAME=VALUE.", v)
			continue
		}
		vars[name] = value
	}
	if parallelism < 0 || parallelism > maxParallelism {
		diags = diags.Errorf("Not a number to work on at once", "-parallelism=%d: it must be from 1 to %d.", parallelism, maxParallelism)
	}
	dir, err := filepath.Abs(".")
	if err != nil {
		return nil, diags.Errorf("The workspace directory is gone", "The current directory cannot be read.")
	}
	var environ []string
	for _, kv := range a.term.Environ {
		if strings.HasPrefix(kv, variablePrefix) {
			environ = append(environ, kv)
		}
	}
	trust, faults := a.trustOptions()
	diags = append(diags, faults...)
	return engine.New(engine.Options{
		Trust: trust, Dir: dir, Registry: a.parts.Registry, Runbooks: a.parts.Runbooks, Policies: a.parts.Policies, Version: a.parts.Version,
		Vars: vars, VarFiles: a.varFiles, Environ: environ, Events: events, Parallelism: parallelism, WrapJournal: a.parts.WrapJournal, WrapArchive: a.parts.WrapArchive, Now: a.parts.Now, Hurry: a.hard,
	}), diags
}

// maxParallelism is how many credentials are worked on at once at most: more would
// only wait for files and connections that systems do not give.
const maxParallelism = 1000

// fault shows one fault about the command line itself.
func (a *app) fault(summary, format string, args ...any) {
	a.view.Diagnostics(diag.Errored(diag.ExitError, summary, format, args...))
}

// done shows diagnostics and gives the exit code that they ask for.
func (a *app) done(diags diag.Diagnostics) diag.Exit {
	a.view.Diagnostics(diags)
	return diags.Exit()
}

// noArgs refuses positional arguments.
func (a *app) noArgs(args []string) bool {
	if len(args) == 0 {
		return true
	}
	a.fault("Too many arguments", "remint %s takes none, but was given %q.", a.verb.name, strings.Join(args, " "))
	return false
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
