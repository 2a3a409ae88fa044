package executor_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/sqlite"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/secret"
)

// set up: what a test may say of its workspace.
type setup struct {
	typ    string // mem_password unless told
	reason lifecycle.Reason
	// stores are field names; each gets a store of its own, which holds the old
	// secret's field. nil: one for every field.
	stores    []string
	consumers int
	// steps adds text to the step of a phase; retry is `retry { attempts = 3 … }`
	// without a delay worth speaking of.
	steps map[string]string
	// two declares a second credential that depends on the first; apart, that it does not.
	two, apart bool
	rego       string
	// extra is more text in the block of every credential.
	extra string
	// retry replaces the retry block of every step.
	retry *string
}

// env is a workspace, its state and the world around it.
type env struct {
	t     testing.TB
	w     *world
	setup setup
	dir   string
	state string
	old   string // the old secret of "a"
	run   string
	file  *plan.File
	// last is the process that worked last.
	last *process
}

func (s setup) fields() []string {
	switch s.typ {
	case "mem_key":
		return []string{"private_key", "public_key"}
	case "mem_token":
		return []string{"certificate", "private_key"}
	}
	return []string{"value"}
}

func start(t testing.TB, s setup) *env {
	t.Helper()
	if s.typ == "" {
		s.typ = "mem_password"
	}
	if s.reason == "" {
		s.reason = lifecycle.Scheduled
	}
	if s.stores == nil {
		s.stores = s.fields()
	}
	e := &env{t: t, w: newWorld(), setup: s, dir: t.TempDir(), old: "OLD", run: "run-1"}
	e.state = filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(filepath.Join(e.dir, "main.remint.hcl"), []byte(s.workspace()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range e.names() {
		e.w.add(e.w.account(name), "", "OLD")
		for _, f := range s.stores {
			e.w.stores[name+"-"+f] = "OLD-" + f
			if f == probeField(s.typ) {
				e.w.stores[name+"-"+f] = "OLD"
			}
		}
	}
	return e
}

func (e *env) names() []string {
	if e.setup.two {
		return []string{"a", "b"}
	}
	return []string{"a"}
}

func (s setup) workspace() string {
	var b strings.Builder
	retry := "retry {\n attempts = 3\n delay = \"1us\"\n }\n"
	if s.retry != nil {
		retry = *s.retry
	}
	b.WriteString("remint {\n evidence {\n signer \"key\" { path = \"keys/evidence.pem\" }\n }\n}\nprovider \"mem\" \"main\" { environment = \"test\" }\nnotifier \"mem\" \"soc\" {}\n")
	names := []string{"a"}
	if s.two {
		names = append(names, "b")
	}
	for _, n := range names {
		fmt.Fprintf(&b, "credential %q %q {\n provider = mem.main\n name = %q\n owner = \"o@example.com\"\n", s.typ, n, n)
		if n == "b" && !s.apart {
			fmt.Fprintf(&b, " depends_on = [credential.%s.a]\n", s.typ)
		}
		for _, f := range s.stores {
			fmt.Fprintf(&b, " store \"mem\" %q {\n key = %q\n field = %q\n }\n", f, n+"-"+f, f)
		}
		for i := range s.consumers {
			fmt.Fprintf(&b, " consumer \"mem\" \"c%d\" {}\n", i)
		}
		b.WriteString(s.extra + "}\n")
	}
	fmt.Fprintf(&b, "runbook %q {\n resets = %q\n", s.typ, s.typ)
	for _, st := range [][3]string{
		{"verify", "requester"}, {"approve", "owners"}, {"issue", "it"}, {"install", "it", "secret = issue.it"},
		{"confirm", "it", "secret = issue.it"}, {"distribute", "it", "secret = issue.it\n for_each = credential.stores"},
		{"reload", "it", "for_each = credential.consumers"}, {"revoke", "old"}, {"terminate", "sessions"}, {"prove", "dead"},
		{"notify", "owner", "to = credential.owner"},
	} {
		if st[0] == "install" && s.typ == "mem_token" {
			continue
		}
		fmt.Fprintf(&b, " %s %q {\n %s\n %s\n %s }\n", st[0], st[1], st[2], s.steps[st[0]], retry)
	}
	b.WriteString("}\n")
	return b.String()
}

const anyRego = "package remint.plan\nwarn contains {\"id\": \"none\", \"msg\": \"none\"} if input.ticket == \"nobody says this\"\n"

var compiled sync.Map

func policies(t testing.TB, rego string) *policy.Set {
	t.Helper()
	if rego == "" {
		rego = anyRego
	}
	if set, ok := compiled.Load(rego); ok {
		return set.(*policy.Set)
	}
	set, diags := policy.Compile(context.Background(), []policy.Source{{
		Name: "house", Path: "house", Enforcement: "mandatory", FS: fstest.MapFS{"p.rego": {Data: []byte(rego), Mode: 0o444}},
	}})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	compiled.Store(rego, set)
	return set
}

// process is one life of the program.
type process struct {
	e          *env
	dead       atomic.Bool
	ctx, soft  context.Context
	kill, halt context.CancelFunc
	journal    journal.Journal
	x          *executor.Executor
	p          *planner.Planner
	events     event.Recorder
}

// die ends the process: nothing it does from now on reaches anything.
func (p *process) die() {
	p.dead.Store(true)
	p.halt()
	p.kill()
}

func (e *env) process() *process {
	e.t.Helper()
	p := &process{e: e}
	p.ctx, p.kill = context.WithCancel(context.Background())
	p.soft, p.halt = context.WithCancel(p.ctx)
	r := registry(e.w, p)
	ws, diags := config.Load(config.Options{Dir: e.dir, Registry: r, Builtin: fstest.MapFS{}})
	if diags.HasErrors() {
		e.t.Fatal(diags.Err())
	}
	j, err := sqlite.Open(p.ctx, e.state, sqlite.Options{Now: e.w.now})
	if err != nil {
		e.t.Fatal(err)
	}
	p.journal = j
	known := planner.Known{}
	list, err := j.Credentials(p.ctx)
	if err != nil {
		e.t.Fatal(err)
	}
	for _, c := range list {
		known[c.Address] = c
	}
	f := fleet.New(r)
	set := policies(e.t, e.setup.rego)
	p.p = &planner.Planner{Workspace: ws, Fleet: f, Policies: set, Known: known, Events: event.Discard, Now: e.w.now, Parallelism: 1}
	p.x = &executor.Executor{
		Journal: &crashing{j, p}, Fleet: f, Notifiers: ws.Notifiers, Policies: set, Signer: signer{p}, Archive: archive{p}, Seal: sealer{p},
		Events: &p.events, Now: e.w.now, Clock: e.w.now, Program: "remint test", Parallelism: 2,
	}
	e.last = p
	return p
}

func (p *process) close() {
	p.die()
	_ = p.journal.Close()
}

func (p *process) job() *executor.Job {
	j := &executor.Job{Run: p.e.run, File: p.e.file, Operator: "op", Meta: json.RawMessage("{}"), Generations: map[string]int64{}}
	for _, stage := range []policy.Stage{policy.StagePlan, policy.StageApproval} {
		j.Judged = append(j.Judged, plan.Judgement{ID: "asked-" + string(stage), Stage: string(stage), InputDigest: "sha256:1", PolicyDigest: p.e.file.Plan.PolicyDigest, Result: plan.Allowed, AskedAt: p.e.w.now()})
	}
	for a, c := range p.p.Known {
		j.Generations[a] = c.Generation
	}
	return j
}

// plan makes the plan, as a process of its own would have.
func (e *env) plan() {
	e.t.Helper()
	p := e.process()
	defer p.close()
	planned, diags := p.p.Plan(p.ctx, planner.Request{Reason: e.setup.reason, Requester: "r", All: true})
	if diags.HasErrors() {
		e.t.Fatal(diags.Err())
	}
	e.file = planned.File
	e.w.calls = nil
}

// outcome is what a process that lived to the end said.
type outcome struct {
	*executor.Result
	diags diag.Diagnostics
	died  bool
}

func (o outcome) reset(t testing.TB, i int) executor.ResetResult {
	t.Helper()
	if o.Result == nil || i >= len(o.Resets) {
		t.Fatalf("no result %d: died=%v diags=%v", i, o.died, o.diags.Err())
	}
	return o.Resets[i]
}

func (e *env) apply(change ...func(*process, *executor.Job)) outcome {
	e.t.Helper()
	if e.file == nil {
		e.plan()
	}
	return e.work(func(p *process, j *executor.Job) (*executor.Result, diag.Diagnostics) {
		return p.x.Apply(p.ctx, p.soft, j)
	}, change)
}

func (e *env) resume(change ...func(*process, *executor.Job)) outcome {
	e.t.Helper()
	return e.work(func(p *process, j *executor.Job) (*executor.Result, diag.Diagnostics) {
		return p.x.Resume(p.ctx, p.soft, j)
	}, change)
}

func (e *env) work(do func(*process, *executor.Job) (*executor.Result, diag.Diagnostics), change []func(*process, *executor.Job)) outcome {
	e.t.Helper()
	p := e.process()
	defer p.close()
	j := p.job()
	resets, diags := p.p.Restore(e.file)
	if diags.HasErrors() {
		e.t.Fatal(diags.Err())
	}
	j.Resets = resets
	for _, c := range change {
		c(p, j)
	}
	res, diags := do(p, j)
	return outcome{res, diags, p.dead.Load()}
}

// look reads the state between two processes.
func look[T any](e *env, read func(journal.Journal) T) T {
	e.t.Helper()
	j, err := sqlite.Open(context.Background(), e.state, sqlite.Options{Now: e.w.now})
	if err != nil {
		e.t.Fatal(err)
	}
	defer func() { _ = j.Close() }()
	return read(j)
}

// records are the journal's, as "step kind".
func (e *env) records() []string {
	return look(e, func(j journal.Journal) []string {
		var out []string
		for r, err := range j.Records(context.Background(), e.run, "*") {
			if err != nil {
				e.t.Fatal(err)
			}
			if r.Step != "" || r.Kind == journal.Ended {
				out = append(out, strings.TrimSpace(r.Step+" "+string(r.Kind)))
			}
		}
		return out
	})
}

// sealed names what is sealed for the first credential, and gives it.
func (e *env) sealed() map[string]secret.Material {
	return look(e, func(j journal.Journal) map[string]secret.Material {
		out := map[string]secret.Material{}
		list, err := j.Secrets(context.Background(), e.run)
		if err != nil {
			e.t.Fatal(err)
		}
		for _, s := range list {
			raw, err := j.Secret(context.Background(), s.Run, s.Address, s.Name)
			if err != nil {
				e.t.Fatal(err)
			}
			m, err := secret.Decode(raw)
			if err != nil {
				e.t.Fatal(err)
			}
			if strings.HasSuffix(s.Address, ".a") {
				out[s.Name] = m
			}
		}
		return out
	})
}

func (e *env) sealedNames() []string {
	out := []string{}
	for n := range e.sealed() {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}

func (e *env) closed() bool {
	return look(e, func(j journal.Journal) bool {
		r, err := j.Run(context.Background(), e.run)
		if err != nil && !errors.Is(err, journal.ErrNotFound) {
			e.t.Fatal(err)
		}
		return !r.ClosedAt.IsZero()
	})
}

// crashing is a journal that dies with its process, and fails when told to.
type crashing struct {
	journal.Journal
	p *process
}

// Open is a call that leaves the process.
func (c *crashing) Open(ctx context.Context, r journal.Run) error {
	return c.write("open", func() error { return c.Journal.Open(ctx, r) })
}

// read fails a call that only reads when told to.
func (c *crashing) read(op string) error {
	w := c.p.e.w
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.meet(op) != nil {
		return errors.New("the state cannot be read")
	}
	return nil
}

// Acquire may fail.
func (c *crashing) Acquire(ctx context.Context, run, holder string, keys []journal.Key) ([]journal.Lease, error) {
	if err := c.read("acquire"); err != nil {
		return nil, err
	}
	return c.Journal.Acquire(ctx, run, holder, keys)
}

// Records may fail.
func (c *crashing) Records(ctx context.Context, run, address string) iter.Seq2[journal.Record, error] {
	if err := c.read("records"); err != nil {
		return func(yield func(journal.Record, error) bool) { yield(journal.Record{}, err) }
	}
	return c.Journal.Records(ctx, run, address)
}

// Unfiled may fail.
func (c *crashing) Unfiled(ctx context.Context, run string) iter.Seq2[journal.Bundle, error] {
	if err := c.read("unfiled"); err != nil {
		return func(yield func(journal.Bundle, error) bool) { yield(journal.Bundle{}, err) }
	}
	return c.Journal.Unfiled(ctx, run)
}

// Append is a call that leaves the process.
func (c *crashing) Append(ctx context.Context, b *journal.Batch) error {
	op := "append"
	if len(b.Filed) > 0 {
		op = "append filed"
	}
	return c.write(op, func() error { return c.Journal.Append(ctx, b) })
}

// Release is not heard of a dead process.
func (c *crashing) Release(ctx context.Context, run string) error {
	if c.p.dead.Load() {
		return errCrashed
	}
	return c.Journal.Release(ctx, run)
}

func (c *crashing) write(op string, do func() error) error {
	// The world's lock is not held while the journal reads the world's clock.
	w := c.p.e.w
	w.mu.Lock()
	w.calls = append(w.calls, op)
	f := w.meet(op)
	w.mu.Unlock()
	if c.p.dead.Load() {
		return errCrashed
	}
	if f == nil {
		return do()
	}
	if f.effect {
		if err := do(); err != nil {
			return err
		}
	}
	if f.kind == crash {
		c.p.die()
		return errCrashed
	}
	return errors.New("the disk is full")
}

// archive keeps what is filed in the world.
type archive struct{ p *process }

// File files once per ID.
func (a archive) File(ctx context.Context, list []journal.Bundle) error {
	_, err := a.p.e.w.call(ctx, a.p, "file", func() {
		for _, b := range list {
			if _, again := a.p.e.w.filed[b.ID]; !again {
				a.p.e.w.order = append(a.p.e.w.order, b.ID)
			}
			a.p.e.w.filed[b.ID] = string(b.Line)
		}
	})
	return err
}

// signer writes the record itself: what it says is what tests ask.
type signer struct{ p *process }

// Sign fails when told to.
func (s signer) Sign(r evidence.Record) ([]byte, error) {
	if _, err := s.p.e.w.call(context.Background(), s.p, "sign", nil); err != nil {
		return nil, err
	}
	return json.Marshal(r)
}

// sealer only encodes: these secrets are nobody's.
type sealer struct{ p *process }

// Seal fails when told to.
func (s sealer) Seal(_, name string, m secret.Material) ([]byte, error) {
	if _, err := s.p.e.w.call(context.Background(), s.p, "seal "+name, nil); err != nil {
		return nil, err
	}
	return m.Encode(), nil
}

// Unseal opens it.
func (s sealer) Unseal(_, _ string, b []byte) (secret.Material, error) { return secret.Decode(b) }
