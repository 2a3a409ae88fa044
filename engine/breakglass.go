package engine

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// BreakGlassRequest says who breaks the glass, and why.
type BreakGlassRequest struct {
	// Signing is what the member signs with.
	Signing
	Reason, Ticket string
	// Expires is as long as the break_glass block allows when zero.
	Expires time.Duration
}

// SignedBreakGlass is a statement ready to be saved.
type SignedBreakGlass struct {
	Trust     string
	Statement evidence.BreakGlass
	Document  []byte
	// ReviewWithin is how long after the run begins a review is owed.
	ReviewWithin time.Duration
	// Notify are told when apply breaks the glass, Via the notifiers by key; Local is set
	// where all of those only write on the machine that applies.
	Notify, Via []string
	Local       bool
}

// BreakGlass signs that a plan cannot wait for all of its gates. Who signs follows
// from the key: it must be that of a member of the group that the block names.
func (e *Engine) BreakGlass(ctx context.Context, file *plan.File, r BreakGlassRequest) (*SignedBreakGlass, diag.Diagnostics) {
	w, _, diags := e.excepting(ctx, file)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	may := w.BreakGlass
	if may == nil {
		q := gate.Question{File: file}
		return nil, append(diags, unbroken(q.Break(nil, nil))...)
	}
	if !file.Plan.Applyable && !file.Plan.Liftable() {
		return nil, append(diags, diag.Errored(diag.ExitDenied, "Nothing opens this plan", "It was made with -offline, or a mandatory policy denies it.")...)
	}
	signer, who, faults := e.exceptional(ctx, w, r.Signing, "A statement")
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	if !slices.Contains(who.Groups, may.Group) {
		return nil, append(diags, diag.Errored(diag.ExitMissing, "She may not break the glass", "%s is not in the group %s, which the break_glass block names.", who.Name, may.Group)...)
	}
	if n := len(file.Plan.Resets); n > may.MaxTargets {
		return nil, append(diags, diag.Errored(diag.ExitMissing, "Too much at once", "The plan is about %d credentials, and the break_glass block allows %d (max_targets). Plan fewer.", n, may.MaxTargets)...)
	}
	expires, faults := countsFor(r.Expires, may.MaxExpires, "break_glass")
	if faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	b := evidence.BreakGlass{Binding: e.binding(file, expires), Member: who.Name, Reason: r.Reason, Ticket: r.Ticket}
	doc, err := signed(w, signer, evidence.BreakGlassType, evidence.SignBreakGlass, b)
	if err != nil {
		return nil, diags.Errorf("The statement cannot be signed", "%s.", err)
	}
	out := &SignedBreakGlass{Trust: file.Plan.Trust, Statement: b, Document: doc, ReviewWithin: may.ReviewWithin, Notify: may.Notify, Local: true}
	for _, n := range may.By(w.Notifiers) {
		out.Via = append(out.Via, n.Key())
		out.Local = out.Local && e.opts.Registry.Notifier(n.Type).Local
	}
	return out, diags
}

// glassDocuments are the statements that a run may rest on.
type glassDocuments struct {
	documents []gate.Document
	// kept are those that the run keeps already.
	kept []gate.Document
}

// glass is there where -break-glass is given.
func (r ApplyRequest) glass() *glassDocuments {
	if !r.BreakGlass {
		return nil
	}
	return &glassDocuments{documents: r.Glass}
}

// unbroken are the faults of a glass that may not be broken.
func unbroken(g gate.Glass) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, m := range g.Missing {
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "The glass is not broken", Detail: m})
	}
	for i, m := range g.Ignored {
		if i == maxIgnored {
			break
		}
		diags = diags.Warnf("A statement does not count", "%s", m)
	}
	return diags
}

// broken is what is owed for a run that begins now.
func (s *session) broken(g *gate.Glass) *executor.BreakGlass {
	if g == nil || g.Signed == nil {
		return nil
	}
	may := s.workspace.BreakGlass
	return &executor.BreakGlass{
		Document: g.Document, Member: g.Member.Name, Reason: g.Signed.Reason, Due: s.engine.opts.Now().UTC().Truncate(time.Second).Add(may.ReviewWithin),
		Notify: may.Notify, Via: may.Via,
	}
}

// keptGlass are the statements that a resume of a run may rest on; nil for a run
// that does not. No resume breaks the glass for a run that was begun without.
func (s *session) keptGlass(ctx context.Context, run string, m meta, given []gate.Document) (*glassDocuments, error) {
	if m.BreakGlass == nil {
		return nil, nil
	}
	later, err := executor.KeptBreakGlass(ctx, s.journal, run)
	kept := append([]gate.Document{m.BreakGlass.Document}, later...)
	return &glassDocuments{documents: slices.Concat(given, kept), kept: kept}, err
}

// fresh is the statement that the gate counted, where the run does not keep it yet.
func (d *glassDocuments) fresh(g *gate.Glass) []gate.Document {
	if d == nil || g == nil || g.Signed == nil || slices.ContainsFunc(d.kept, func(k gate.Document) bool { return bytes.Equal(k.Content, g.Document.Content) }) {
		return nil
	}
	return []gate.Document{g.Document}
}

// participants are all who took part in a run, as names that gate.Is compares.
// documents are what people signed for it: who that was, their keys and certificates
// tell. The names in them are the signers' own claims, and count as well.
func participants(w *config.Workspace, file *plan.File, operator string, m meta, documents []gate.Document) []string {
	out := slices.Concat([]string{operator, file.Plan.Requester}, m.OperatorNames, m.Authors)
	if m.BreakGlass != nil {
		out = append(out, m.BreakGlass.Member)
	}
	by, _ := authority(w.Settings.Approvals.TrustedRoot) // a certificate bars whom it names, too, where none can be verified
	q := gate.Question{Approvers: w.Approvers, Authority: by}
	for _, d := range documents {
		if a, err := evidence.ParseApproval(d.Content); err == nil {
			out = append(out, a.Approver)
		}
		if s, err := evidence.SignatoryOf(d.Content); err == nil {
			out = append(out, s.Identity.Name)
		}
		for _, typ := range evidence.PersonalTypes() {
			if a, found := q.Signatory(typ, d); found {
				out = append(out, a.Name)
			}
		}
	}
	return out
}
