package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/verify"
)

// Proofs is what apply and resume are given about who asks.
type Proofs struct {
	// Documents are files that `verify` wrote.
	Documents []gate.Document
	// Presented is brought now.
	Presented []verify.Presented
	// Getenv reads what a CI puts into the environment; may be nil.
	Getenv func(name string) string
}

// keep are the documents for file that a run keeps for its resumes. What was
// brought on the command line is brought again.
func (p Proofs) keep(file *plan.File) []gate.Document {
	return slices.DeleteFunc(slices.Clone(p.Documents), func(d gate.Document) bool {
		_, err := verify.Read(d.Content, file)
		return err != nil
	})
}

// VerifyRequest says what somebody brings for a plan.
type VerifyRequest struct {
	File      *plan.File
	Presented verify.Presented
	// Key signs a statement, for verifiers that take one.
	Key secret.Value
	// Document is the one beside the plan, nil if there is none yet.
	Document []byte
	Getenv   func(name string) string
}

// Verification is what came of it.
type Verification struct {
	Accepted verify.Accepted
	// Document is to be saved beside the plan.
	Document []byte
	// Lost is set for what may not be kept: apply wants it again.
	Lost bool
}

// Verify judges what somebody brings, and gives the document to keep. It needs
// neither variables nor the state where what is brought can be judged again later.
func (e *Engine) Verify(ctx context.Context, r VerifyRequest) (*Verification, diag.Diagnostics) {
	if faults := ofResets(r.File); faults.HasErrors() {
		return nil, faults
	}
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	if faults := verifiable(r.File); faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	checker := e.checker(w, verify.Forgetful{}, r.Getenv)
	if e.once(w, r.Presented) {
		s, faults := e.open(ctx, need{state: true})
		if diags = append(diags, faults...); faults.HasErrors() {
			return nil, diags
		}
		defer s.close()
		if doc := r.File.Plan; s.trustDigest != doc.TrustDigest || !plan.TrustCovers(e.trustWord(), doc.Trust) {
			return nil, append(diags, diag.Errored(diag.ExitStale, "Another trust base", "The plan was made under the trust base %s (%s), and the verifiers at hand are of %s (%s). "+
				"A code is judged once, so it is judged by those of the plan: verify with the same -trust, or plan again.", doc.TrustDigest, doc.Trust, s.trustDigest, e.trustWord())...)
		}
		checker = e.checker(s.workspace, memory{s.journal}, r.Getenv)
	}
	if !r.Key.IsZero() {
		brought, err := checker.Prove(ctx, r.File, r.Presented, r.Key)
		if err != nil {
			return nil, append(diags, unverified(verify.Refusal{Why: err.Error()})...)
		}
		r.Presented.Brought = brought
	}
	var document *verify.Document
	if r.Document != nil {
		var err error
		if document, err = verify.Read(r.Document, r.File); err != nil {
			diags = diags.Warnf("An older verification is replaced", "What lay beside the plan is not kept: %s.", err)
		}
	}
	got, refused := checker.Present(ctx, r.File, r.Presented)
	if len(refused) > 0 {
		return nil, append(diags, unverified(refused...)...)
	}
	entry := document.With(r.File, got, r.Presented.Brought, e.opts.Now())
	last := entry.Verifications[len(entry.Verifications)-1]
	if got.Address == "" {
		diags = append(diags, elsewise(gate.InsteadOf(w.Approvers, r.File.Plan.Requester, got.Identity, got.Strength), false)...)
	}
	def := e.opts.Registry.Verifier(got.Method)
	out := &Verification{Accepted: got, Lost: last.Evidence == "" && !def.Once && def.Takes != provider.TakesNothing}
	if !out.Lost {
		out.Document = entry.Encode()
	}
	if len(entry.Verifications) > verify.MaxVerifications || len(out.Document) > verify.MaxDocument {
		return nil, diags.Errorf("The document is full", "More than %d verifications, or %d MiB, in one document are not read. Give the document beside the plan another name, for apply's -verification=FILE, and verify again.",
			verify.MaxVerifications, verify.MaxDocument>>20)
	}
	return out, diags
}

// verifiable refuses a plan for which nobody needs to be verified.
func verifiable(file *plan.File) diag.Diagnostics {
	if file.Plan.Applyable || file.Plan.Liftable() {
		return nil
	}
	return diag.Errored(0, "The plan is not applyable", "It was made with -offline, or a policy denies it; there is nothing to verify for.")
}

// Takes says what the verifier of that name takes; of the only one, without a name.
func (e *Engine) Takes(name string) (provider.Takes, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return "", diags
	}
	takes, err := e.checker(w, verify.Forgetful{}, nil).Takes(name)
	if err != nil {
		return "", unverified(verify.Refusal{Why: err.Error()})
	}
	return takes, nil
}

// Challenges says, for each verifier that wants an answer bound to the plan, what
// to bind it to.
func (e *Engine) Challenges(ctx context.Context, file *plan.File, address string) (map[string]map[string]any, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	out, err := e.checker(w, verify.Forgetful{}, nil).Challenges(ctx, file, address)
	if err != nil {
		return nil, append(diags, unverified(verify.Refusal{Why: err.Error()})...)
	}
	return out, diags
}

func (e *Engine) checker(w *config.Workspace, m provider.Memory, getenv func(string) string) *verify.Checker {
	return &verify.Checker{Registry: e.opts.Registry, Verifiers: w.Verifiers, Memory: m, Getenv: getenv, Now: e.opts.Now}
}

// once reports whether what is brought may go to a verifier that the state
// remembers for.
func (e *Engine) once(w *config.Workspace, p verify.Presented) bool {
	return slices.ContainsFunc(w.Verifiers, func(b *config.Block) bool {
		def := e.opts.Registry.Verifier(b.Type)
		return def.Once && (p.Verifier == "" && p.Takes == def.Takes || p.Verifier == b.Name || p.Verifier == b.Key())
	})
}

// unverified turns refusals into faults with exit code 4.
func unverified(refused ...verify.Refusal) diag.Diagnostics {
	var diags diag.Diagnostics
	for _, r := range refused {
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "Not verified", Detail: r.String()})
	}
	return diags
}

// read reads the documents that were found; what is none for the plan does not count.
func (p Proofs) read(file *plan.File) ([]*verify.Document, diag.Diagnostics) {
	var diags diag.Diagnostics
	var documents []*verify.Document
	for _, d := range p.Documents {
		doc, err := verify.Read(d.Content, file)
		if err != nil {
			diags = diags.Warnf("A verification does not count", "%s: %s.", addrs.Visible(d.Name), err)
			continue
		}
		documents = append(documents, doc)
	}
	return documents, diags
}

// verified finds out who asks for a plan. What was brought now and does not hold is
// a fault; what was found and does not hold does not count.
func (s *session) verified(ctx context.Context, m provider.Memory, file *plan.File, p Proofs) (verify.Outcome, diag.Diagnostics) {
	documents, diags := p.read(file)
	checker := s.engine.checker(s.workspace, m, p.Getenv)
	outcome, refused := checker.Check(ctx, file, documents, p.Presented)
	for _, r := range refused {
		if r.Presented {
			diags = append(diags, unverified(r)...)
			continue
		}
		diags = diags.Warnf("A verification does not count", "%s", r)
	}
	return outcome, diags
}

// memory is the state as verifiers know it.
type memory struct{ journal.Journal }

// Remember is the journal's, in the words of the contract.
func (m memory) Remember(ctx context.Context, key string, old, next []byte) error {
	err := m.Journal.Remember(ctx, key, old, next)
	if errors.Is(err, journal.ErrChanged) {
		return fmt.Errorf("%w", provider.ErrConflict)
	}
	return err
}
