package engine

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
)

// ReviewRequest is a review of a run that broke the glass.
type ReviewRequest struct {
	// Run is a run's id, or the beginning of one alone.
	Run string
	Signing
	Comment string
	// Operator is who runs the command.
	Operator Operator
	Facts    map[string]string
}

// Owed are the reviews that were found to be owed by the last call that reports them.
func (e *Engine) Owed() []evidence.Debt { return e.owed }

// findOwed finds the reviews that are owed: as evidence and ledger tell, and the
// state. Deleting one of them pays nothing.
func (e *Engine) findOwed(ctx context.Context, w *config.Workspace, j journal.Journal) diag.Diagnostics {
	var err error
	if e.owed, err = e.debts(ctx, w, j); err != nil {
		return diag.Diagnostics{}.Warnf("Which reviews are owed is not known", "%s.", err)
	}
	return nil
}

func (e *Engine) debts(ctx context.Context, w *config.Workspace, j journal.Journal) ([]evidence.Debt, error) {
	var keys []crypto.PublicKey
	if found, err := publicKeys(nil, w); err == nil {
		keys = found
	}
	now := e.opts.Now().UTC()
	debts, err := evidence.Debts(w.Settings.EvidenceDir.Absolute, keys, now)
	if err != nil || j == nil {
		return debts, err
	}
	runs, err := j.Runs(ctx)
	if err != nil {
		return nil, err
	}
	paid := map[string]bool{}
	for _, r := range runs {
		if reviewed := executor.Reviewed(r); reviewed != "" {
			paid[reviewed] = true
		}
	}
	debts = slices.DeleteFunc(debts, func(d evidence.Debt) bool { return paid[d.Run] })
	for _, r := range slices.Backward(runs) {
		if !strings.HasSuffix(r.ID, executor.Glass) || paid[r.ID] || slices.ContainsFunc(debts, func(d evidence.Debt) bool { return d.Run == r.ID }) {
			continue
		}
		full, err := j.Run(ctx, r.ID)
		if err != nil {
			return nil, err
		}
		d := evidence.Debt{Run: r.ID, Overdue: true}
		if m, err := decodeMeta(full.Meta); err == nil && m.BreakGlass != nil {
			d = evidence.Debt{Run: r.ID, Member: m.BreakGlass.Member, Reason: m.BreakGlass.Reason, Due: m.BreakGlass.Due, Overdue: !now.Before(m.BreakGlass.Due)}
		}
		debts = append(debts, d)
	}
	return debts, nil
}

// owing warns of the reviews that are owed; where the glass is to be broken again,
// one that is overdue forbids it.
func (s *session) owing(ctx context.Context, breaking bool) diag.Diagnostics {
	debts, err := s.engine.debts(ctx, s.workspace, s.journal)
	if err != nil {
		text := diag.Diagnostic{Severity: diag.Warning, Summary: "Which reviews are owed is not known", Detail: err.Error() + "."}
		if breaking {
			text.Severity, text.Exit = diag.Error, diag.ExitMissing
		}
		return diag.Diagnostics{text}
	}
	diags := owedWarnings(debts)
	for _, d := range debts {
		if breaking && d.Overdue {
			diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "A review is overdue",
				Detail: "The glass is not broken again before run " + d.Run + " is reviewed, by somebody who took no part in it: remint review -key=FILE -comment=C " + d.Run + "."})
		}
	}
	return diags
}

// owedWarnings say which reviews are owed.
func owedWarnings(debts []evidence.Debt) diag.Diagnostics {
	var diags diag.Diagnostics
	for i, d := range debts {
		if i == maxIgnored {
			return diags.Warnf("Reviews are owed", "%d more are.", len(debts)-i)
		}
		diags = diags.Warnf("A review is owed", "%s. `remint review -key=FILE -comment=C %s`, by an approver who took no part in it.", DebtText(d), d.Run)
	}
	return diags
}

// DebtText says what is owed, in words.
func DebtText(d evidence.Debt) string {
	switch {
	case d.Due.IsZero():
		return "Run " + d.Run + " broke the glass, and the evidence of when its review is owed is gone: it is overdue"
	case d.Overdue:
		return fmt.Sprintf("Run %s, for which %s broke the glass, was to be reviewed by %s: it is overdue", d.Run, d.Member, d.Due.UTC().Format(time.RFC3339))
	}
	return fmt.Sprintf("Run %s, for which %s broke the glass, is to be reviewed by %s", d.Run, d.Member, d.Due.UTC().Format(time.RFC3339))
}

// Review signs and files a review of a run that broke the glass.
func (e *Engine) Review(ctx context.Context, r ReviewRequest) (*evidence.Review, diag.Diagnostics) {
	s, diags := e.open(ctx, need{judges: true, signer: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	fail := func(exit diag.Exit, summary, format string, args ...any) (*evidence.Review, diag.Diagnostics) {
		return nil, append(diags, diag.Errored(exit, summary, format, args...)...)
	}
	if s.journal == nil {
		return nil, append(diags, noSuchRun(r.Run)...)
	}
	if faults := append(s.older(ctx, false), s.familiar(ctx)...); faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	run, faults := s.owed(ctx, r.Run)
	if faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	file, err := plan.Read(bytes.NewReader(run.Plan))
	if err != nil {
		return fail(0, "The run's plan in the state is damaged", "%s.", err)
	}
	signer, who, faults := e.exceptional(ctx, s.workspace, r.Signing, "A review")
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	part, authors, err := s.part(ctx, run, file, who)
	switch {
	case err != nil:
		return fail(0, "Who took part is not known", "%s.", err)
	case part:
		return fail(diag.ExitMissing, "She took part", "%s asked for run %s, wrote the change that it is of, ran it, approved it or broke the glass for it. Somebody else has to review it.", who.Name, run.ID)
	}
	if author := (gate.Question{Approvers: gate.Persons(s.workspace.Approvers), Authors: authors}).CouldBeAuthor(*who); author != "" {
		diags = diags.Warnf("An author could be the reviewer", "%s wrote the change that run %s is of, and %s lists no identity of that kind. If it is she, somebody else has to review it. List among `identities` what she commits with.",
			addrs.Visible(author), run.ID, who.Name)
	}
	review := evidence.Review{Run: run.ID, PlanID: file.ID, PlanDigest: file.Digest, Reviewer: who.Name, Comment: r.Comment, CreatedAt: e.opts.Now().UTC().Truncate(time.Second)}
	doc, err := signed(s.workspace, signer, evidence.ReviewType, evidence.SignReview, review)
	if err != nil {
		return fail(0, "The review cannot be signed", "%s.", err)
	}
	facts := s.facts(r.Facts)
	told, untold := s.tellUses(ctx, file, []gate.Use{{Approver: *who, Did: "reviewed run " + run.ID, ID: gate.StatementID(who.Name, review)}})
	maps.Copy(facts, told)
	diags = append(diags, untold...)
	meta, err := json.Marshal(meta{OperatorNames: r.Operator.Also, Policies: map[string]keptSource{}, Review: bytes.TrimSpace(doc), Facts: facts})
	if err != nil {
		return fail(0, "The review cannot be kept", "%s.", err)
	}
	id := newRunID(e.opts.Now().UTC().Format("20060102T150405Z")) + evidence.ReviewRun
	x, faults := s.executor(id)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	defer x.close()
	err = x.Review(ctx, &executor.Job{Run: id, File: file, Operator: r.Operator.Name, OperatorNames: r.Operator.Also, Facts: facts, Meta: meta}, run.ID, bytes.TrimSpace(doc))
	switch {
	case errors.Is(err, journal.ErrSpent):
		return fail(0, "It is reviewed already", "Run %s was reviewed before.", run.ID)
	case err != nil:
		return fail(diag.ExitUnfinished, "The review is not evidenced", "%s. Mend this, then `remint resume`.", err)
	}
	return &review, diags
}

// owed finds the run that a review is owed for: closed, and known to the state.
func (s *session) owed(ctx context.Context, prefix string) (journal.Run, diag.Diagnostics) {
	debts, err := s.engine.debts(ctx, s.workspace, s.journal)
	if err != nil {
		return journal.Run{}, diag.Errored(0, "Which reviews are owed is not known", "%s.", err)
	}
	var names, found []string
	for _, d := range debts {
		names = append(names, d.Run)
		if prefix != "" && strings.HasPrefix(d.Run, prefix) {
			found = append(found, d.Run)
		}
	}
	switch {
	case len(found) == 0:
		return journal.Run{}, diag.Errored(0, "No review is owed", "No review of a run %q is owed. Owed are: %s.", prefix, some(names))
	case len(found) > 1:
		return journal.Run{}, diag.Errored(0, "Which run?", "More than one run begins with %q: %s.", prefix, some(found))
	}
	run, err := s.journal.Run(ctx, found[0])
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return run, diag.Errored(0, "Another state's run", "The state knows nothing of run %s. Review it where its state is.", found[0])
	case err != nil:
		return run, diag.Errored(0, "The state cannot be read", "%s.", err)
	case run.ClosedAt.IsZero():
		return run, diag.Errored(0, "The run is open", "A review is about what was done, and run %s is not finished: `remint resume %s` first.", run.ID, run.ID)
	}
	return run, nil
}

// part reports whether somebody took part in a run, as the state and the evidence
// at hand tell, and who wrote the change that it is of.
func (s *session) part(ctx context.Context, run journal.Run, file *plan.File, who *config.Approver) (took bool, authors []string, err error) {
	m, err := decodeMeta(run.Meta)
	if err != nil {
		return false, nil, err
	}
	later, _, err := executor.Kept(ctx, s.journal, run.ID)
	if err != nil {
		return false, nil, err
	}
	glass, err := executor.KeptBreakGlass(ctx, s.journal, run.ID)
	if err != nil {
		return false, nil, err
	}
	answers, err := executor.Resolutions(ctx, s.journal, run.ID)
	if err != nil {
		return false, nil, err
	}
	parties, err := executor.PartiesOf(ctx, s.journal, run)
	if err != nil {
		return false, nil, err
	}
	names := participants(s.workspace, file, run.Operator, m, slices.Concat(m.Approvals, later, glass, answers))
	names = slices.Concat(names, parties.Operators, parties.Authors)
	known, err := evidence.Participants(s.workspace.Settings.EvidenceDir.Absolute, run.ID)
	if err != nil {
		return false, nil, err
	}
	took = slices.ContainsFunc(append(names, known...), func(name string) bool { return gate.Is(*who, name) })
	return took, eachOnce(m.Authors, parties.Authors), nil
}
