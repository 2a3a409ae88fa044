package engine

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// ResolveRequest is a person's answer to the question of an open run.
type ResolveRequest struct {
	// Run is a run's id, or the beginning of one alone.
	Run string
	// Subject is what `resume` named: ADDRESS/STEP, STEP where no other reset asks
	// about one of that name, or ADDRESS to give the reset up.
	Subject string
	// Answer is done or not-done.
	Answer string
	// Signing is what the answering person signs with.
	Signing
	Comment string
}

// SignedResolution is an answer that the state has taken.
type SignedResolution struct {
	Resolution evidence.Resolution
	// Does is what the answer makes the next resume do.
	Does string
}

// Resolve signs a person's answer where no probe can tell, and keeps it for the
// next resume, which goes on by it. It starts no provider and changes nothing
// outside. Who answers follows from the key: it must be that of an approver of the
// workspace, who may be the operator.
func (e *Engine) Resolve(ctx context.Context, r ResolveRequest) (*SignedResolution, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	j, faults := e.state(ctx, w, false)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	if j == nil {
		return nil, append(diags, noSuchRun(r.Run)...)
	}
	defer j.Close()
	run, faults := runByPrefix(ctx, j, r.Run)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	asked, faults := openQuestion(ctx, j, run, r)
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	signer, faults := r.pen(ctx)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	now := e.opts.Now().UTC().Truncate(time.Second)
	who := signer.approver(w)
	if i := slices.IndexFunc(w.Approvers, func(a config.Approver) bool { return a.Name == who }); i >= 0 && w.Approvers[i].Ended(now) != "" {
		return nil, diags.Errorf("A key that no longer counts", "%s's key %s. Use her new one, or have it declared.", who, w.Approvers[i].Ended(now))
	}
	if who == "" {
		next := "sign with the key of one of them: " + some(approverNames(w))
		if len(w.Approvers) == 0 {
			next = "declare one with an approver block"
		}
		return nil, diags.Errorf("Nobody's key", "No approver block has %s. An answer is the statement of a person whom the workspace knows: %s.", signer.what, next)
	}
	res := evidence.Resolution{
		Run: run.ID, PlanID: run.PlanID, PlanDigest: run.PlanDigest, Address: asked.Address, Step: asked.Step, Question: asked.Asks, Record: asked.Record,
		Answer: r.Answer, Approver: who, Comment: r.Comment, CreatedAt: now,
	}
	doc, err := signed(w, signer, evidence.ResolutionType, evidence.SignResolution, res)
	var said *evidence.Resolution
	if err == nil {
		said, err = evidence.ParseResolution(doc)
	}
	if err == nil {
		err = executor.KeepResolution(ctx, j, run.ID, res.CreatedAt, bytes.TrimSpace(doc))
	}
	if err != nil {
		return nil, diags.Errorf("The answer cannot be kept", "%s. Nothing was recorded.", err)
	}
	out := &SignedResolution{Resolution: *said, Does: asked.NotDone}
	if r.Answer == event.AnswerDone {
		out.Does = asked.Done
	}
	return out, diags
}

// runByPrefix finds the one run whose id is, or begins with, prefix, and which is open.
func runByPrefix(ctx context.Context, j journal.Journal, prefix string) (journal.Run, diag.Diagnostics) {
	runs, err := j.Runs(ctx)
	if err != nil {
		return journal.Run{}, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	var found, open []string
	for _, r := range runs {
		if r.ID == prefix {
			found = []string{r.ID}
			break
		}
		if strings.HasPrefix(r.ID, prefix) && prefix != "" {
			found = append(found, r.ID)
		}
	}
	for _, r := range runs {
		if r.ClosedAt.IsZero() {
			open = append(open, r.ID)
		}
	}
	switch len(found) {
	case 0:
		return journal.Run{}, diag.Errored(0, "No such run", "The state knows no run %s. Open are: %s.", addrs.Quote(prefix), some(open))
	case 1:
	default:
		return journal.Run{}, diag.Errored(0, "Which run?", "More than one run begins with %s: %s.", addrs.Quote(prefix), some(found))
	}
	run, err := j.Run(ctx, found[0])
	if err != nil {
		return run, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	if !run.ClosedAt.IsZero() {
		return run, diag.Errored(0, "The run is closed", "Run %s ended as %s at %s: nothing of it waits for an answer.", run.ID, run.Outcome, run.ClosedAt.UTC().Format(time.RFC3339))
	}
	return run, nil
}

// openQuestion finds the question that r answers, or says why there is none.
func openQuestion(ctx context.Context, j journal.Journal, run journal.Run, r ResolveRequest) (*executor.Asked, diag.Diagnostics) {
	refuse := func(summary, format string, args ...any) (*executor.Asked, diag.Diagnostics) {
		return nil, diag.Errored(0, summary, format, args...)
	}
	if r.Answer != event.AnswerDone && r.Answer != event.AnswerNotDone {
		return refuse("No such answer", "-as=%s must be -as=%s or -as=%s.", r.Answer, event.AnswerDone, event.AnswerNotDone)
	}
	asked, steps, err := executor.Questions(ctx, j, run.ID)
	if err != nil {
		return refuse("The state cannot be read", "%s.", err)
	}
	file, err := plan.Read(bytes.NewReader(run.Plan))
	if err != nil {
		return refuse("The run's plan in the state is damaged", "%s.", err)
	}
	address, step, faults := subject(file, asked, r.Subject)
	if faults.HasErrors() {
		return nil, faults
	}
	q, open := asked[address]
	kind := steps[address][step]
	switch {
	case strings.HasPrefix(step, string(lifecycle.Prove)+"."):
		return refuse("A proof is never answered", "That an old secret is dead is shown by %s, whoever says what. Mend what keeps it from looking, then `remint resume %s`. "+
			"A reset that can never be finished is given up with `remint resolve %s %s -as=not-done -key=FILE`.", step, run.ID, run.ID, address)
	case step == "" && r.Answer == event.AnswerDone:
		return refuse("A reset is never finished by an answer", "Only a proof can call the old secret of %s dead. -as=not-done gives the reset up; for a step, write %s/STEP.", address, address)
	case !open && step != "" && (kind == journal.Done || kind == journal.Failed || kind == journal.Asserted):
		return refuse("Nothing is asked", "How %s of %s ended is known: it is %s. %s", step, address, kind, openAre(asked))
	case !open && len(steps[address]) == 0:
		return refuse("Nothing is asked", "Nothing of %s was begun in this run. %s", address, openAre(asked))
	case !open:
		return refuse("Nothing is asked yet", "`remint resume %s` looks into what happened to %s, and asks only what that does not tell. %s", run.ID, address, openAre(asked))
	case step == "":
		whole := executor.Asked{Question: *executor.Whole(run.ID, address), Record: q.Record}
		return &whole, nil
	case step != q.Step && kind != "":
		return refuse("That is not the question", "How %s of %s ended is known, or is for `resume` to find out: it is %s. %s", step, address, kind, openAre(asked))
	case step != q.Step:
		return refuse("That is not the question", "%s of %s was not begun. %s", step, address, openAre(asked))
	}
	return &q, nil
}

// subject finds the reset and the step that s names.
func subject(file *plan.File, asked map[string]executor.Asked, s string) (address, step string, diags diag.Diagnostics) {
	var found [][2]string
	for _, x := range file.Plan.Resets {
		if s == x.Address {
			return s, "", nil
		}
		// The engine's own step stands in no plan.
		names := []string{asked[x.Address].Step}
		for _, st := range x.Steps {
			names = append(names, st.Address)
		}
		slices.Sort(names)
		for _, name := range slices.Compact(names) {
			switch {
			case name == "":
			case s == x.Address+"/"+name:
				return x.Address, name, nil
			case s == name:
				found = append(found, [2]string{x.Address, name})
			}
		}
	}
	open := slices.DeleteFunc(slices.Clone(found), func(f [2]string) bool { return asked[f[0]].Step != s })
	switch {
	case len(open) == 1:
		return open[0][0], open[0][1], nil
	case len(found) == 1:
		return found[0][0], found[0][1], nil
	case len(found) > 1:
		return "", "", diag.Errored(0, "Which reset?", "%d resets of this run have a step %s: write ADDRESS/%s. %s", len(found), s, s, openAre(asked))
	}
	return "", "", diag.Errored(0, "No such step", "This run has no step or reset %s. %s", addrs.Quote(s), openAre(asked))
}

// maxNamed is how many candidates a message names.
const maxNamed = 10

// openAre names the questions that are open.
func openAre(asked map[string]executor.Asked) string {
	var out []string
	for _, address := range slices.Sorted(maps.Keys(asked)) {
		q := asked[address]
		out = append(out, q.Subject())
	}
	if len(out) == 0 {
		return "No question of this run is open."
	}
	return "Open are: " + some(out) + "."
}

// some names a few, or says none.
func some(names []string) string {
	switch n := len(names); {
	case n == 0:
		return "none"
	case n > maxNamed:
		return strings.Join(names[:maxNamed], ", ") + fmt.Sprintf(" and %d more", n-maxNamed)
	}
	return strings.Join(names, ", ")
}

func approverNames(w *config.Workspace) []string {
	var out []string
	for _, a := range w.Approvers {
		out = append(out, a.Name)
	}
	slices.Sort(out)
	return out
}

// answers verifies what people answered to questions of a run: each by the key of
// an approver of today, where today's judges are the run's or those that the state
// knows, and come from a trust base if the run's did. Otherwise whoever left the trust
// base out could answer with a key of her own. What does not count is said.
func (s *session) answers(ctx context.Context, run journal.Run, file *plan.File, operators []string) ([]executor.Answer, diag.Diagnostics) {
	documents, err := executor.Resolutions(ctx, s.journal, run.ID)
	if err != nil {
		return nil, diag.Errored(diag.ExitUnfinished, "Run "+run.ID+" cannot be resumed", "%s.", err)
	}
	if len(documents) == 0 {
		return nil, nil
	}
	known, _, err := executor.Remembered(ctx, s.journal)
	if err != nil {
		return nil, diag.Errored(diag.ExitUnfinished, "Run "+run.ID+" cannot be resumed", "%s.", err)
	}
	var out []executor.Answer
	var uses []gate.Use
	var diags diag.Diagnostics
	if !plan.TrustCovers(s.engine.trustWord(), file.Plan.Trust) {
		return nil, diags.Warnf("Answers do not count", "The run was begun with -trust or REMINT_TRUST, which say whose answers count, and this resume is without. Resume in the same way.")
	}
	if s.trustDigest != file.Plan.TrustDigest && s.trustDigest != known && known != "" {
		return nil, diags.Warnf("Answers do not count", "What people answered to questions of run %s does not count under this trust base: it is neither the run's nor the one that the state knows. "+
			"Give the run's (-trust), or have this one accepted: `remint trust show`.", run.ID)
	}
	by, faults := authority(s.workspace.Settings.Approvals.TrustedRoot)
	if faults.HasErrors() {
		return nil, faults
	}
	q := gate.Question{Approvers: s.workspace.Approvers, Authority: by}
	for _, d := range documents {
		who, signed := q.Signatory(evidence.ResolutionType, d)
		said, err := evidence.ParseResolution(d.Content)
		// The name in it is the signer's own claim, and stands in evidence.
		if !signed || err != nil || said.Approver != who.Name || said.Run != run.ID || said.PlanDigest != file.Digest || said.PlanID != file.ID {
			diags = diags.Warnf("An answer does not count", "%s in the state is not signed by any approver of this workspace, or is about another run.", d.Name)
			continue
		}
		use := gate.Use{Approver: who, Did: didAnswer(run.ID), ID: gate.StatementID(who.Name, said)}
		if ended := who.Ended(s.engine.opts.Now()); ended != "" {
			use.Why = "the key " + ended
			uses = append(uses, use)
			diags = diags.Warnf("An answer does not count", "%s in the state is %s's, whose key %s. Have somebody else answer.", d.Name, who.Name, ended)
			continue
		}
		uses = append(uses, use)
		out = append(out, executor.Answer{
			Resolution: *said, By: who.Name, Document: d,
			Own: slices.ContainsFunc(append(slices.Clone(operators), file.Plan.Requester), func(name string) bool { return gate.Is(who, name) }),
		})
	}
	_, untold := s.tellUses(ctx, file, uses)
	return out, append(diags, untold...)
}
