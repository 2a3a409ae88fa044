package executor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// OldSecret is the name under which the old secret is sealed.
const OldSecret = "old"

// doubted names the nth secret of a store of which it is not known whether it works.
func doubted(n int) string { return fmt.Sprintf("%s.%d", OldSecret, n) }

// IsOld reports whether a secret is sealed as the old one, or as one that may be it: a
// store held it, and the target did not say whether it works.
func IsOld(name string) bool { return name == OldSecret || strings.HasPrefix(name, OldSecret+".") }

// reset is one reset in flight. It is used by one goroutine.
type reset struct {
	x   *Executor
	job *Job
	*planner.Reset
	address string
	cred    provider.Credential
	target  provider.Provider
	steps   []config.Step
	past    *history
	wait    waiter
	soft    context.Context // done when no new step may begin

	// batch is what the next flush makes durable; announce is emitted after it.
	batch    journal.Batch
	announce []event.Event
	secrets  map[string]secret.Material
	// known is every secret that was handled, for errors that quote one.
	known secret.Scrubber
	// resumed is set when an earlier process worked on it and may have changed
	// something: until looked has found that it is still ours to finish.
	resumed, looked bool
	// marked is set once the target was told of this process's own fencing token.
	marked bool
	// proved is the proof that earlier processes left.
	proved lifecycle.Proof
	// stored is set once this process wrote to a store.
	stored bool
	// judged are the questions to the result policies at the end.
	judged []plan.Judgement
	// given is the answer that gives the reset up as a whole.
	given *Answer
	// void says that what was observed made overrides worth nothing.
	void string
}

// waiter gives up the worker while time passes.
type waiter interface {
	Wait(ctx context.Context, d time.Duration) error
}

// errInterrupted ends a reset between two steps.
var errInterrupted = errors.New("interrupted")

// stepError says at which step a reset stopped.
type stepError struct {
	step string
	err  error
}

// Error is the cause.
func (e *stepError) Error() string { return e.err.Error() }

// Unwrap gives the cause.
func (e *stepError) Unwrap() error { return e.err }

// run does what is left of the steps, in order, and again what was undone since an
// earlier process did it. A step that failed and may be passed over leaves the reset
// open: it is tried again in a resume.
func (r *reset) run(ctx context.Context) error {
	var left error
	for _, st := range r.steps {
		address := st.Addr.String()
		past := r.past.steps[address]
		if past.done() && !r.again(ctx, st) {
			continue
		}
		if st.Phase == lifecycle.Confirm && past.toldNot() && r.mayRollBack() {
			return &stepError{address, errNotAccepted{saidBy(past.entry.AssertedBy, r.Plan.Observed.Target)}}
		}
		if r.soft.Err() != nil {
			return &stepError{address, errInterrupted}
		}
		if r.job.held() != nil && r.gated(st) && !past.effect() {
			return &stepError{address, r.shut()}
		}
		if st.Phase == lifecycle.Revoke && !r.inPlace() && left != nil {
			// Promise 3: the old one lives until everything that needs the new one has it.
			return left
		}
		if err := r.execute(ctx, st); err != nil {
			if !st.Continue || errors.Is(err, errPoisoned) || errors.Is(err, errSuperseded) {
				return &stepError{address, err}
			}
			if left == nil {
				left = &stepError{address, err}
			}
			continue
		}
		r.stored = r.stored || st.Phase == lifecycle.Distribute
	}
	return left
}

// shut says why a gated step does not begin. Where another run finished a reset of
// the credential, no gate that opens again makes this one worth finishing: it would
// stay open for good.
func (r *reset) shut() error {
	switch {
	case r.job.Generations[r.address] <= r.Plan.Observed.Generation:
		return r.job.held()
	case r.begun():
		return errAnother
	}
	return errDrift
}

// gated reports whether beginning st needs the gate even in a resume: what
// restores a working secret does not.
func (r *reset) gated(st config.Step) bool {
	switch st.Phase {
	case lifecycle.Verify, lifecycle.Approve:
		return true
	case lifecycle.Revoke:
		return !r.inPlace() || r.mode() != lifecycle.Cutover
	case lifecycle.Install, lifecycle.Issue:
		// In contain the old one is dead already: these restore.
		return r.mode() == lifecycle.Cutover
	}
	return false
}

func (r *reset) mode() lifecycle.Mode { return r.job.File.Plan.Mode }

func (r *reset) inPlace() bool { return r.Credential.Type.Kind == lifecycle.InPlace }

// effective reports whether a step of phase p may change something outside, so
// that its intention must be durable first.
func (r *reset) effective(p lifecycle.Phase) bool {
	switch p {
	case lifecycle.Verify, lifecycle.Approve, lifecycle.Confirm:
		return false
	case lifecycle.Issue:
		return r.Credential.Type.Kind == lifecycle.Minted
	case lifecycle.Revoke:
		return !r.inPlace() || r.mode() != lifecycle.Cutover
	case lifecycle.Terminate:
		return r.Credential.Type.Sessions
	}
	return true
}

// mutation describes a change by step to the provider. The label is stable
// over attempts of processes, apart from the attempt's number at its end.
func (r *reset) mutation(step string, attempt int) provider.Mutation {
	return provider.Mutation{
		Credential: r.cred, Label: fmt.Sprintf("%s.%d", r.label(step), attempt), Fence: r.job.Leases[r.address].Fence,
	}
}

func (r *reset) label(step string) string {
	sum := sha256.Sum256([]byte(r.address + " " + step))
	return r.job.Run + "." + hex.EncodeToString(sum[:5])
}

// material gives the secret that an issue step made.
func (r *reset) material(ctx context.Context, issue string) (secret.Material, error) {
	if m, ok := r.secrets[issue]; ok {
		return m, nil
	}
	sealed, err := r.x.Journal.Secret(ctx, r.job.Run, r.address, issue)
	if err != nil {
		return secret.Material{}, provider.Errorf(provider.Permanent, "the secret sealed under %s cannot be read from the state: %v", issue, err)
	}
	m, err := r.x.Seal.Unseal(r.address, issue, sealed)
	if err != nil {
		return secret.Material{}, provider.Errorf(provider.Permanent, "%v", err)
	}
	r.secrets[issue] = m
	r.known.Add(m)
	return m, nil
}

// issued names the issue step that made the new secret, "" if this reset makes none
// or has not made it yet.
func (r *reset) issued() string {
	for _, st := range r.steps {
		if a := st.Addr.String(); st.Phase == lifecycle.Issue && r.past.steps[a].kind == journal.Done {
			return a
		}
	}
	return ""
}

// of gives the entry of the first step of a phase that is done: nothing before one is.
func (r *reset) of(phase lifecycle.Phase) entry { return r.first(phase).entry }

// first is the progress of that step.
func (r *reset) first(phase lifecycle.Phase) progress {
	for _, st := range r.steps {
		if p := r.past.steps[st.Addr.String()]; st.Phase == phase && p.done() {
			return p
		}
	}
	return progress{}
}

// queue adds a record to the next flush and takes it into the history at once.
// Records that evidence is owed for are signed here, so that record and bundle
// become durable together.
func (r *reset) queue(st *config.Step, kind journal.Kind, attempt int, e entry) error {
	rec := journal.Record{Run: r.job.Run, Address: r.address, Kind: kind, Attempt: attempt, At: r.x.now()}
	if st != nil {
		rec.Step = st.Addr.String()
	}
	if kind != journal.Intend && kind != journal.Note {
		if err := r.sign(st, kind, attempt, &e, rec.At); err != nil {
			return err
		}
	}
	rec.Data = e.encode()
	r.batch.Records = append(r.batch.Records, rec)
	return r.past.read(rec)
}

// errPoisoned says that the journal takes no more: nothing may be begun.
var errPoisoned = errors.New("the state cannot be written")

// flush makes everything queued durable, and then tells about it.
func (r *reset) flush(ctx context.Context) error {
	// What has happened must be recorded even when the run is being cancelled.
	if err := r.x.Journal.Append(context.WithoutCancel(ctx), &r.batch); err != nil {
		return fmt.Errorf("%w: %w", errPoisoned, err)
	}
	r.batch = journal.Batch{}
	for _, e := range r.announce {
		r.x.Events.Emit(e)
	}
	r.announce = nil
	return nil
}

func (r *reset) tell(e event.Event) {
	e.Run, e.Address, e.Timestamp = r.job.Run, r.address, r.x.now()
	r.announce = append(r.announce, e)
}

// sign makes the evidence of a record and puts it into the same batch.
func (r *reset) sign(st *config.Step, kind journal.Kind, attempt int, e *entry, at time.Time) error {
	common := r.x.common(r.job)
	common.Sequence, common.Recorded = len(r.past.links)+1, at
	var rec evidence.Record
	if st != nil {
		rec = r.stepPredicate(common, *st, kind, attempt, e, at)
	} else {
		rec = r.resetPredicate(common, e)
	}
	bundle, digest, err := r.x.signed(r.job.Run, r.Credential.Addr.FileName()+".sigstore.jsonl", rec)
	if err != nil {
		return fmt.Errorf("%w: %w", errPoisoned, err)
	}
	e.Sequence, e.Evidence = common.Sequence, digest
	r.batch.Bundles = append(r.batch.Bundles, bundle)
	return nil
}

func (r *reset) stepPredicate(c evidence.Common, st config.Step, kind journal.Kind, attempt int, e *entry, at time.Time) evidence.Step {
	target := r.Plan.Observed.Target
	for _, s := range r.Plan.Steps {
		if s.Address == st.Addr.String() {
			target = s.Target
		}
	}
	return evidence.Step{
		Common: c, Address: r.address, CredentialType: r.Plan.CredentialType, Target: target, Runbook: r.Plan.Runbook,
		Step: st.Addr.String(), Phase: string(st.Phase), Outcome: string(kind), Attempts: attempt,
		StartedAt: e.Started, FinishedAt: at, Facts: e.Facts, Probes: e.Probes, Proof: string(e.Proof), Error: e.Error,
		AssertedBy: e.AssertedBy, Answer: e.Answer, Resolution: e.Resolution, Controls: st.Controls, Judged: e.Judged,
	}
}

func (r *reset) resetPredicate(c evidence.Common, e *entry) evidence.Reset {
	out := evidence.Reset{
		Common: c, Address: r.address, CredentialType: r.Plan.CredentialType, Owner: r.Plan.Owner,
		Environment: r.Plan.Environment, Target: r.Plan.Observed.Target, Runbook: r.Plan.Runbook,
		Outcome: string(e.Outcome), Proof: string(e.Proof), After: e.Version, Error: e.Error,
		Question: e.Question, AssertedBy: e.AssertedBy, Resolution: e.Resolution, Judged: e.Judged,
		Planned: len(r.Plan.Steps), Records: r.past.links, Total: c.Sequence,
	}
	if b := r.past.baseline; b != nil {
		out.Before = b.Before
	}
	if out.Records == nil {
		out.Records = []evidence.RecordLink{}
	}
	return out
}

// touched reports whether anything outside was, or may have been, changed.
func (r *reset) touched() bool { return r.past.touched() }

// begun is touched, whatever a person said since.
func (r *reset) begun() bool { return r.past.begun() }

// open finds the steps and the target of a reset, and takes in what a person
// answered. Where it gives a reset with an error, the target is what failed; ends
// is the answer that ends it, for which no target is needed.
func (x *Executor) open(ctx, soft context.Context, j *Job, p *planner.Reset, past *history, w waiter) (r *reset, ends *Answer, err error) {
	steps, diags := p.Expand()
	if diags.HasErrors() {
		return nil, nil, diags.Err()
	}
	r = &reset{
		x: x, job: j, Reset: p, steps: steps, address: p.Credential.Addr.String(), cred: fleet.Credential(p.Credential),
		past: past, wait: w, soft: soft, secrets: map[string]secret.Material{},
	}
	var broken error
	r.target, broken = x.Fleet.Provider(ctx, p.Credential.Provider)
	if ends, err = r.heed(); err != nil {
		return nil, nil, err
	}
	r.resumed, r.proved = r.touched(), r.proof()
	if !r.resumed {
		// What an earlier process saw before it changed anything may have changed since.
		past.baseline = nil
	}
	return r, ends, broken
}
