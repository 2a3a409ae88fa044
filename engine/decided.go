package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/trust"
	"github.com/remint-dev/remint/internal/atomicfile"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// A source of decisions is the one place that every approval, rejection and
// withdrawal reaches. Whoever can delete files beside a plan cannot make a rejection
// unsaid there; and what cannot be read there is not nothing.

// decisions reads the declared source for a plan; nothing where none is declared. j
// is the state, nil where there is none yet.
func (e *Engine) decisions(ctx context.Context, w *config.Workspace, j journal.Journal, file *plan.File) ([]gate.Document, diag.Diagnostics) {
	src := w.Settings.Approvals.Decisions
	if src == nil {
		return nil, nil
	}
	found, err := readDecisions(ctx, src, j, file.ID)
	if err == nil {
		err = sound(found, w)
	}
	if err != nil {
		return nil, decisionsFault(src, err)
	}
	return found, nil
}

// besides adds what the source has to what was found beside the plan.
func besides(beside, decided []gate.Document) []gate.Document {
	out := slices.Clone(beside)
	for _, d := range decided {
		if !slices.ContainsFunc(beside, func(b gate.Document) bool { return bytes.Equal(bytes.TrimSpace(b.Content), bytes.TrimSpace(d.Content)) }) {
			out = append(out, d)
		}
	}
	return out
}

func decisionsFault(src *config.DecisionSource, err error) diag.Diagnostics {
	rng := src.Range
	return diag.Diagnostics{{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "The decisions cannot be read", Range: &rng,
		Detail: capital(err.Error()) + ". A rejection or withdrawal could be among what is not read, so nothing is applied."}}
}

func readDecisions(ctx context.Context, src *config.DecisionSource, j journal.Journal, id string) ([]gate.Document, error) {
	if !plan.IsID(id) {
		return nil, errors.New("the plan's id is none of remint's")
	}
	if src.Directory.Absolute != "" {
		return filesFor(src, id)
	}
	if j == nil {
		return nil, nil
	}
	kept, err := recallDecisions(ctx, j, id)
	out := make([]gate.Document, len(kept))
	for i, content := range kept {
		out[i] = gate.Document{Name: fmt.Sprintf("decision %d in the state", i+1), Content: content}
	}
	return out, err
}

// filesFor reads the files of a directory that are about a plan.
func filesFor(src *config.DecisionSource, plan string) ([]gate.Document, error) {
	fail := func(name string, err error) ([]gate.Document, error) {
		return nil, fmt.Errorf("%s of the decisions in %s: %s. Mend or mount it", name, src, reason(err))
	}
	root, err := os.OpenRoot(src.Directory.Absolute)
	if err != nil {
		return fail("the directory", err)
	}
	defer root.Close()
	dir, err := root.Open(".")
	if err != nil {
		return fail("the directory", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return fail("the directory", err)
	}
	names = slices.DeleteFunc(names, func(name string) bool { return !strings.HasPrefix(name, plan+".") })
	slices.Sort(names)
	if len(names) > gate.MaxDocuments {
		return nil, fmt.Errorf("%s has more than %d decisions about this plan: plan again", src, gate.MaxDocuments)
	}
	var out []gate.Document
	total := 0
	for _, name := range names {
		content, err := boundedfile.ReadIn(root, name, gate.MaxDocument)
		if err != nil {
			return fail("the file "+name, err)
		}
		if total += len(content); total > gate.MaxTotal {
			return nil, fmt.Errorf("the decisions about this plan in %s are larger than %d MiB together: plan again", src, gate.MaxTotal>>20)
		}
		out = append(out, gate.Document{Name: name, Content: content})
	}
	return out, nil
}

// sound finds what may be a rejection that was cut or altered. A statement of a
// stranger is whole, and counts for nothing.
func sound(found []gate.Document, w *config.Workspace) error {
	by, _ := authority(w.Settings.Approvals.TrustedRoot) // a bad one is told where it is asked

	for _, d := range found {
		claim, err := evidence.ParseApproval(d.Content)
		if err != nil {
			return fmt.Errorf("the file or entry %s is no decision that can be read (%w): have those who may decide do so again, then remove it", d.Name, err)
		}
		for _, a := range w.Approvers {
			if by != nil && claim.KeyID == "" && claim.Identity == (evidence.Identity{Name: a.Identity, Issuer: a.Issuer}) {
				if _, err := by.Identify(evidence.ApprovalType, d.Content); err != nil {
					return fmt.Errorf("the file or entry %s is signed as %s, and does not verify (it says: %s; %w): ask her, then remove it", d.Name, a.Name, claim.Decision, err)
				}
			}
			key, err := evidence.ParsePublicKey([]byte(a.PublicKey))
			if err != nil {
				continue
			}
			if _, err := evidence.VerifyApproval(d.Content, key); errors.Is(err, evidence.ErrSignature) {
				return fmt.Errorf("the file or entry %s names %s's key and is not signed with it, or was altered since (it says: %s): ask her, then remove it", d.Name, a.Name, claim.Decision)
			}
		}
	}
	return nil
}

// decidedOnTrust reads what was decided of a change of the trust base: in the source
// of today, and in that of the base before, which the change may want to be rid of.
func (s *session) decidedOnTrust(ctx context.Context, file *plan.File, old *trust.Base) ([]gate.Document, diag.Diagnostics) {
	today := *s.workspace
	today.Approvers, today.Settings.Approvals.TrustedRoot = old.People(), old.TrustedRoot()
	out, diags := s.engine.decisions(ctx, &today, s.journal, file)
	before := old.Decisions(s.workspace.Dir)
	if diags.HasErrors() || before == nil || today.Settings.Approvals.Decisions != nil && before.String() == today.Settings.Approvals.Decisions.String() {
		return out, diags
	}
	today.Settings.Approvals.Decisions = before
	more, diags := s.engine.decisions(ctx, &today, s.journal, file)
	return append(out, more...), diags
}

// keepDecision writes a decision to the declared source, and names that; "" where
// none is declared. What is not there was not decided.
func (e *Engine) keepDecision(ctx context.Context, w *config.Workspace, file *plan.File, a *SignedApproval) (string, diag.Diagnostics) {
	src := w.Settings.Approvals.Decisions
	if src == nil {
		if a.Approval.Decision == evidence.Withdraw {
			return "", diag.Diagnostics{}.Warnf("Copies still count", "No source of decisions is declared, so whoever kept a copy of %s's approval can use it. Declare `decisions` in the remint block, or revoke the key.", a.Approver)
		}
		return "", nil
	}
	fail := func(err error) (string, diag.Diagnostics) {
		rng := src.Range
		return "", diag.Diagnostics{{Severity: diag.Error, Summary: "The decision cannot be kept", Range: &rng,
			Detail: fmt.Sprintf("Nothing was decided: %s cannot be written: %s. Mend that, and decide again.", src, reason(err))}}
	}
	if !plan.IsID(file.ID) {
		return fail(errors.New("the plan's id is none of remint's"))
	}
	if dir := src.Directory.Absolute; dir != "" {
		path := filepath.Join(dir, file.ID+"."+a.Approver+"."+a.Approval.Nonce+".json")
		if _, err := os.Stat(dir); err != nil { // it is made by who decides who may write to it
			return fail(err)
		}
		if err := atomicfile.Create(ctx, path, 0o644, a.Document); err != nil {
			return fail(err)
		}
		return src.String(), nil
	}
	j, diags := e.state(ctx, w, true)
	if diags.HasErrors() {
		return "", diags
	}
	defer j.Close()
	if err := rememberDecision(ctx, j, file.ID, a.Document); err != nil {
		return fail(err)
	}
	return src.String(), nil
}

func decisionsKey(plan string) string { return "decisions/" + plan }

// recallDecisions gives what the state holds about a plan, oldest first.
func recallDecisions(ctx context.Context, j journal.Journal, plan string) ([]json.RawMessage, error) {
	raw, err := j.Recall(ctx, decisionsKey(plan))
	if err != nil {
		return nil, err
	}
	return decodeDecisions(raw)
}

func decodeDecisions(raw []byte) (kept []json.RawMessage, err error) {
	if raw != nil && json.Unmarshal(raw, &kept) != nil {
		return nil, errors.New("what the state holds of decisions is damaged: restore it from a backup")
	}
	return kept, nil
}

// rememberDecision adds one to what the state holds; others may be adding theirs.
func rememberDecision(ctx context.Context, j journal.Journal, plan string, document []byte) error {
	for {
		old, err := j.Recall(ctx, decisionsKey(plan))
		if err != nil {
			return err
		}
		kept, err := decodeDecisions(old)
		if err != nil {
			return err
		}
		if len(kept) >= gate.MaxDocuments || len(old)+len(document) > gate.MaxTotal {
			return fmt.Errorf("it holds %d decisions about this plan already: plan again", len(kept))
		}
		next, err := json.Marshal(append(kept, bytes.TrimSpace(document)))
		if err != nil {
			return err
		}
		if err := j.Remember(ctx, decisionsKey(plan), old, next); !errors.Is(err, journal.ErrChanged) {
			return err
		}
	}
}
