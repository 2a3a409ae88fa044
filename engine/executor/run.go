package executor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/planner"
)

// run is one job in flight.
type run struct {
	x     *Executor
	job   *Job
	filer *filer
	// total counts the lines of the run's own evidence file.
	total int
	// told is whether an earlier process told people that the glass was broken.
	told bool
	// awaited is whether the run had resets under way when this process took it up.
	awaited bool

	mu      sync.Mutex
	results map[string]ResetResult
}

// Apply opens a run, carries the job out, and closes it if nothing is left
// to do. ctx ends calls in flight; soft only keeps new steps from beginning.
// An error means that nothing outside was changed.
func (x *Executor) Apply(ctx, soft context.Context, job *Job) (*Result, diag.Diagnostics) {
	r := &run{x: x, job: job, results: map[string]ResetResult{}}
	leased, diags := r.lease(ctx, diag.ExitError)
	if diags.HasErrors() {
		return nil, diags
	}
	defer leased()
	if diags := r.older(); diags.HasErrors() {
		return nil, diags
	}
	err := x.Journal.Open(ctx, journal.Run{
		ID: job.Run, PlanID: job.File.ID, PlanDigest: job.File.Digest, Operator: job.Operator, OpenedAt: x.now(),
		Plan: encodePlan(job.File), Meta: job.Meta,
	})
	switch {
	case errors.Is(err, journal.ErrSpent):
		return nil, diag.Errored(diag.ExitStale, "The plan is spent", "Plan %s was applied before, and a plan is applied once. Plan again. (`remint runs` shows what became of it.)", job.File.ID)
	case err != nil:
		return nil, diag.Errored(0, "The run cannot be opened", "%s. Nothing was changed.", err)
	}
	r.filer = startFiler(ctx, x.Journal, x.Archive, job.Run)
	defer r.filer.close()
	err = r.opened(ctx)
	if err == nil {
		err = r.alarm(ctx)
	}
	if err != nil {
		return r.abandon(ctx, err)
	}
	histories := map[string]*history{}
	return r.carryOut(ctx, soft, histories), nil
}

// Resume goes on with a run that was interrupted. Resets that ended well are
// left alone. There is no result where somebody else closed the run before it could
// be leased: nothing may follow the record that closed it.
func (x *Executor) Resume(ctx, soft context.Context, job *Job) (*Result, diag.Diagnostics) {
	r := &run{x: x, job: job, results: map[string]ResetResult{}}
	leased, diags := r.lease(ctx, diag.ExitUnfinished)
	if diags.HasErrors() {
		return nil, diags
	}
	defer leased()
	switch state, err := x.Journal.Run(ctx, job.Run); {
	case err != nil:
		return nil, diag.Errored(diag.ExitUnfinished, "The run cannot be read", "%s.", err)
	case !state.ClosedAt.IsZero():
		return nil, nil
	}
	histories, err := r.histories(ctx)
	if err != nil {
		return nil, diag.Errored(diag.ExitUnfinished, "The run cannot be read", "%s.", err)
	}
	r.filer = startFiler(ctx, x.Journal, x.Archive, job.Run)
	defer r.filer.close()
	begin := func(ctx context.Context) error { return r.goOn(ctx, r.overtaken(histories)) }
	if r.total == 0 { // a crash came before anything was said about the run, and who opened it
		begin = r.opened
		job.OperatorNames = slices.Concat(job.OperatorNames, job.OpenedBy)
	}
	err = begin(ctx)
	if err == nil {
		err = r.alarm(ctx)
	}
	if err != nil {
		return nil, diag.Errored(diag.ExitUnfinished, "The run cannot be resumed", "%s. Nothing was changed by this attempt.", err)
	}
	return r.carryOut(ctx, soft, histories), nil
}

// lease takes every credential of the job for this run. Where that fails, and not because
// somebody else is at work, exit says what the run is left as.
func (r *run) lease(ctx context.Context, exit diag.Exit) (release func(), diags diag.Diagnostics) {
	var keys []journal.Key
	at := map[string]int{}
	for _, p := range r.job.Resets {
		key := leaseKey(p)
		if _, taken := at[key]; !taken {
			at[key] = len(keys)
			k := journal.Key{Name: key, Fenced: p.Plan.Observed.Fenced}
			if r.job.Ephemeral {
				k.Above = min(p.Fence, math.MaxInt64-1)
			}
			keys = append(keys, k)
		}
	}
	leases, err := r.x.Journal.Acquire(ctx, r.job.Run, r.job.Operator, keys)
	var held *journal.HeldError
	switch {
	case errors.As(err, &held):
		for _, p := range r.job.Resets {
			if leaseKey(p) == held.Key { // people know it by its address
				held.Key = p.Plan.Address
				break
			}
		}
		next := "Wait for it, or see"
		if held.Silent > 0 || held.Lost { // that may be for ever
			next = "How far that run is, shows"
		}
		return nil, diag.Errored(diag.ExitError, "Another run is at work", "%s. Nothing was changed. %s `remint runs %s`.", held, next, held.Run)
	case err != nil:
		return nil, diag.Errored(exit, "The credentials cannot be leased", "%s. Nothing was changed by this attempt.", err)
	}
	r.job.Leases = map[string]journal.Lease{}
	for _, p := range r.job.Resets {
		r.job.Leases[p.Plan.Address] = leases[at[leaseKey(p)]]
	}
	release = func() { _ = r.x.Journal.Release(context.WithoutCancel(ctx), r.job.Run) }
	if err := r.recount(ctx); err != nil {
		release()
		return nil, diag.Errored(exit, "The state cannot be read", "%s. Nothing was changed by this attempt.", err)
	}
	return release, nil
}

// recount takes in what other runs finished since the job was made: from now on
// nobody else can.
func (r *run) recount(ctx context.Context) error {
	known, err := r.x.Journal.Credentials(ctx)
	if err != nil {
		return err
	}
	generations := maps.Clone(r.job.Generations)
	if generations == nil {
		generations = map[string]int64{}
	}
	for _, c := range known {
		generations[c.Address] = max(generations[c.Address], c.Generation)
	}
	r.job.Generations = generations
	return nil
}

// leaseKey says which credential a reset is about at its target, whatever its
// address: two workspaces that name one differently keep each other out.
func leaseKey(p *planner.Reset) string {
	c := p.Credential
	parts := []string{p.Plan.Observed.Target, c.Type.Name}
	for _, a := range c.Type.Schema.Attributes {
		if a.Key && c.Attrs.Has(a.Name) {
			parts = append(parts, fmt.Sprint(c.Attrs.Public()[a.Name]))
		}
	}
	if len(parts) == 2 {
		parts = append(parts, p.Plan.Address)
	}
	return strings.Join(parts, " ")
}

// opened writes who opened the run, with whose agreement, under which
// decisions, all at once, and files that before the first effect.
func (r *run) opened(ctx context.Context) error {
	doc := &r.job.File.Plan
	lines := []line{
		{event: "opened", fill: func(p *evidence.Run) {
			p.Facts, p.Verification = r.job.Facts, r.job.Verified.Evidence()
			for _, x := range doc.Resets {
				p.Addresses = append(p.Addresses, x.Address)
			}
		}},
		{event: "decisions", fill: func(p *evidence.Run) {
			p.Requirements, p.Decisions, p.Judged = &doc.Requirements, doc.Decisions, slices.Concat(r.job.Judged, r.job.JudgedAgain)
		}},
	}
	for _, a := range r.job.Gate.Approvals {
		lines = append(lines, line{event: "approval", fill: func(p *evidence.Run) { p.Approval = a.Document.Content }})
	}
	if g := r.job.BreakGlass; g != nil {
		lines = append(lines, line{event: "break_glass", fill: func(p *evidence.Run) { p.BreakGlass, p.ReviewDue = g.Document.Content, g.Due }})
	}
	for _, o := range r.job.Gate.Lifting.Overrides {
		lines = append(lines, line{event: "override", fill: func(p *evidence.Run) { p.Override = o.Document.Content }})
	}
	if err := r.append(ctx, nil, nil, lines...); err != nil {
		return err
	}
	return r.filer.flush(ctx)
}

// goOn writes who resumed the run, and the approvals that were given for it.
func (r *run) goOn(ctx context.Context, facts map[string]string) error {
	lines := []line{{event: "resumed", fill: func(p *evidence.Run) {
		p.Facts, p.Verification, p.Judged = facts, r.job.Verified.Evidence(), r.job.JudgedAgain
	}}}
	for _, d := range r.job.KeptVerifications {
		lines = append(lines, line{event: "verification", verification: &d})
	}
	for _, d := range r.job.Kept {
		lines = append(lines, line{event: "approval", document: &d})
	}
	for _, d := range r.job.KeptBreakGlass {
		lines = append(lines, line{event: "break_glass", glass: &d, fill: func(p *evidence.Run) { p.ReviewDue = r.job.BreakGlass.Due }})
	}
	for _, d := range r.job.KeptOverrides {
		lines = append(lines, line{event: "override", override: &d})
	}
	if err := r.append(ctx, nil, nil, lines...); err != nil {
		return err
	}
	return r.filer.flush(ctx)
}

// abandon closes a run whose opening could not be evidenced; nothing was begun.
func (r *run) abandon(ctx context.Context, cause error) (*Result, diag.Diagnostics) {
	err := r.append(ctx, &journal.Close{Run: r.job.Run, At: r.x.now(), Outcome: "abandoned"}, nil, line{event: "closed", fill: func(p *evidence.Run) {
		p.Outcome, p.Total = "abandoned", p.Sequence
		for _, x := range r.job.File.Plan.Resets {
			p.Resets = append(p.Resets, evidence.ResetLink{Address: x.Address, Outcome: string(NotStarted)})
		}
	}})
	if err == nil {
		f := &filer{journal: r.x.Journal, archive: r.x.Archive, run: r.job.Run, hard: ctx}
		err = f.flush(context.WithoutCancel(ctx))
	}
	next := "Nothing was changed."
	if err != nil {
		next += " `remint resume` files what there is to say about it."
	}
	return nil, diag.Errored(diag.ExitError, "The run cannot be evidenced", "%s. %s", cause, next)
}

// line is one record of the run's own evidence file.
type line struct {
	event string
	fill  func(*evidence.Run)
	// document is an approval that the record is about and that the journal keeps
	// with it; those of the run's opening are in its Meta.
	document *gate.Document
	// verification likewise; evidence has what it says, and not the document.
	verification *gate.Document
	// override and glass are documents like an approval.
	override, glass *gate.Document
}

// append signs lines about the run and makes them durable in the journal, all
// or none, together with the run's end if it ends and what is erased then.
func (r *run) append(ctx context.Context, end *journal.Close, erase []journal.Sealed, lines ...line) error {
	doc := &r.job.File.Plan
	batch := journal.Batch{Close: end, Erase: erase}
	for i, l := range lines {
		common := r.x.common(r.job)
		common.Sequence, common.Recorded = r.total+i+1, r.x.now()
		p := evidence.Run{
			Common: common, Event: l.event, Operator: r.job.Operator, Requester: doc.Requester, RequesterStrength: string(r.job.Verified.Level()),
			Reason: string(doc.Reason), Mode: string(doc.Mode), Ticket: doc.Ticket,
		}
		begins := l.event == "opened" || l.event == "resumed"
		if begins {
			p.OperatorNames, p.Authors = r.job.OperatorNames, r.job.Authors
		}
		if l.fill != nil {
			l.fill(&p)
		}
		if l.document != nil {
			p.Approval = l.document.Content
		}
		if l.override != nil {
			p.Override = l.override.Content
		}
		if l.glass != nil {
			p.BreakGlass = l.glass.Content
		}
		bundle, digest, err := r.x.signed(r.job.Run, "run.sigstore.jsonl", p)
		if err != nil {
			return err
		}
		e := entry{Sequence: common.Sequence, Evidence: digest, Operator: r.job.Operator, Approval: l.document, Verification: l.verification, Override: l.override, BreakGlass: l.glass}
		if begins {
			e.OperatorNames, e.Authors = r.job.OperatorNames, r.job.Authors
		}
		e.fact("event", "%s", l.event)
		if l.event == "opened" {
			e.fact(trustFact, "%s", trustOf(doc))
			e.fact(judgesFact, "%s", doc.Trust)
		}
		batch.Records = append(batch.Records, journal.Record{Run: r.job.Run, Kind: journal.Note, At: common.Recorded, Data: e.encode()})
		batch.Bundles = append(batch.Bundles, bundle)
	}
	if err := r.x.Journal.Append(context.WithoutCancel(ctx), &batch); err != nil {
		return err
	}
	r.total += len(lines)
	return nil
}

// histories reads what the journal knows of every reset, and how far the run's
// own evidence got.
func (r *run) histories(ctx context.Context) (map[string]*history, error) {
	out, err := historiesOf(ctx, r.x.Journal, r.job.Run, func(e entry) { r.told = r.told || e.Facts["event"] == toldEvent })
	if err != nil {
		return nil, err
	}
	if own := out[""]; own != nil { // the records of the run itself
		r.total = len(own.links)
	}
	return out, nil
}

// carryOut walks the resets, then closes the run if nothing is left.
func (r *run) carryOut(ctx, soft context.Context, histories map[string]*history) *Result {
	r.tell(event.Event{Type: event.RunOpened, Message: "run " + r.job.Run + " is open", Total: len(r.job.File.Plan.Resets), Trust: r.job.File.Plan.Trust})
	for address, why := range r.job.Refused {
		r.end(ResetResult{Address: address, Outcome: Refused, Exit: diag.ExitStale, Error: why})
	}
	r.walk(ctx, soft, histories)
	res := &Result{Run: r.job.Run, Reason: r.job.File.Plan.Reason, Trust: r.job.File.Plan.Trust}
	open := 0
	for _, p := range r.job.File.Plan.Resets {
		x, ok := r.results[p.Address]
		if !ok {
			x = ResetResult{Address: p.Address, Outcome: NotStarted, Open: true}
		}
		if x.Open {
			open++
		}
		res.Resets = append(res.Resets, x)
	}
	r.conclude(ctx, res, open)
	counts := res.Counts()
	r.tell(event.Event{Type: event.RunClosed, Message: "run " + r.job.Run + ": " + res.Outcome(), Outcome: res.Outcome(), Counts: &counts, Trust: res.Trust, Next: res.Next()})
	return res
}

// conclude writes the run's last line for now: closed when nothing is left,
// interrupted otherwise; and files what is left of the evidence.
func (r *run) conclude(ctx context.Context, res *Result, open int) {
	kind := "closed"
	if open > 0 {
		kind = "interrupted"
	}
	ctx = context.WithoutCancel(ctx)
	err := r.filer.flush(ctx)
	var end *journal.Close
	var key []journal.Sealed
	outcome := res.outcome(kind == "closed")
	if err == nil && kind == "closed" {
		end = &journal.Close{Run: r.job.Run, At: r.x.now(), Outcome: outcome}
		key, err = r.forgettable(ctx)
	}
	if err == nil {
		err = r.append(ctx, end, key, line{event: kind, fill: func(p *evidence.Run) {
			p.Outcome = outcome
			for _, x := range res.Resets {
				p.Resets = append(p.Resets, evidence.ResetLink{Address: x.Address, Outcome: string(x.Outcome), Proof: string(x.Proof), Record: x.record})
			}
			if end != nil {
				p.Total = p.Sequence
			}
		}})
	}
	if err == nil {
		res.Closed = kind == "closed"
		err = r.filer.flush(ctx)
	}
	res.Filed = err == nil
	if err != nil {
		res.Error = err.Error()
		return
	}
	r.tell(event.Event{Type: event.Evidence, Message: "evidence is signed, filed and in the ledger", Done: r.total})
}

// forgettable gives the data key of a run that has nothing sealed any more: what
// may be left of a ciphertext somewhere then opens with nothing. It is erased
// together with the run's end, since nobody comes back to a closed run.
func (r *run) forgettable(ctx context.Context) ([]journal.Sealed, error) {
	sealed, err := r.x.Journal.Secrets(ctx, r.job.Run)
	if err != nil || slices.ContainsFunc(sealed, func(s journal.Sealed) bool { return s.Address != "" }) {
		return nil, err
	}
	return sealed, nil
}

func (r *run) end(x ResetResult) {
	r.mu.Lock()
	r.results[x.Address] = x
	r.mu.Unlock()
	level := event.Info
	message := x.Address + ": " + string(x.Outcome)
	if x.Outcome != Finished {
		level = event.Error
		if x.Error != "" {
			message += ": " + x.Error
		}
	}
	proof := string(x.Proof)
	if x.Outcome == Finished && x.First {
		message, proof = message+", there was no old one", ""
	}
	r.tell(event.Event{Type: event.ResetFinished, Level: level, Address: x.Address, Step: x.Step, Message: message,
		Outcome: string(x.Outcome), Proof: proof, Detail: x.sealed(r.job.Run), Question: x.Question.Told()})
}

func (r *run) tell(e event.Event) {
	if e.Level == "" {
		e.Level = event.Info
	}
	e.Run, e.Timestamp = r.job.Run, r.x.now()
	r.x.Events.Emit(e)
}
