package engine

import (
	"bytes"
	"context"
	"crypto"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing/fstest"

	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/trust"
)

// EvidenceRequest says which evidence, and what to check it with.
type EvidenceRequest struct {
	// Keys are files of the public keys that may have signed: the signer's, and
	// those of signers before it. None means the workspace's own.
	Keys []string
	// LedgerKey is the ledger's public key file; the workspace's own when empty.
	LedgerKey string
	// ApproverKeys are files of the public keys of people who were approvers once, and
	// ApproverIdentities, IDENTITY,ISSUER, what certificates of such people name; those of
	// the workspace count anyway.
	ApproverKeys, ApproverIdentities []string
	// TrustedRoot is a file with the Sigstore trusted root that certificates are verified
	// by; the workspace's when empty.
	TrustedRoot string
	// Exported is a folder that export wrote, to be verified in place of the workspace's
	// evidence; no workspace is read then. TrustExported believes it who the approvers
	// were, and by which trusted root their certificates counted, as far as the trust base
	// is in it that the signed records name.
	Exported      string
	TrustExported bool
	// Checkpoint is a file with a ledger head kept from earlier.
	Checkpoint string
	// Subject is a run, or run/address.
	Subject string
	// Out is where export writes.
	Out string
}

// ledgerKeyPath is where the ledger's private key lies: beside the signer's.
func ledgerKeyPath(w *config.Workspace) string {
	return filepath.Join(filepath.Dir(w.Settings.SignerKey.Absolute), "ledger.key")
}

// EvidenceList sums up every run that there is evidence of.
func (e *Engine) EvidenceList(EvidenceRequest) ([]evidence.Summary, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	list, err := evidence.List(w.Settings.EvidenceDir.Absolute)
	if err != nil {
		return nil, diags.Errorf("The evidence cannot be read", "%s.", err)
	}
	diags = append(diags, e.findOwed(context.Background(), w, nil)...)
	return list, diags
}

// EvidenceVerify checks everything in the evidence directory, offline. Findings
// are in the report; faults are what kept it from being made.
func (e *Engine) EvidenceVerify(ctx context.Context, r EvidenceRequest) (*evidence.Report, diag.Diagnostics) {
	switch {
	case r.Exported != "":
		return e.verifyExported(ctx, r)
	case r.TrustExported:
		return nil, diag.Errored(0, "Nothing exported", "-trust-exported goes with -exported=DIR.")
	}
	w, base, diags := e.load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	o := evidence.VerifyOptions{Dir: w.Settings.EvidenceDir.Absolute, Now: e.opts.Now().UTC()}
	var err error
	if o.PublicKeys, err = publicKeys(r.Keys, w); base != nil && len(r.Keys) == 0 {
		o.PublicKeys, err = []crypto.PublicKey{base.signer}, nil
	}
	if err != nil {
		diags = diags.Errorf("The signer's public key cannot be used", "%s. Name it with -key=FILE.", err)
	}
	if o.LedgerKey, err = ledgerPublicKey(r.LedgerKey, w); err != nil {
		diags = diags.Errorf("The ledger's public key cannot be used", "%s. Name it with -ledger-key=FILE.", err)
	}
	people, faults := r.people(gate.Persons(w.Approvers))
	o.People, diags = people, append(diags, faults...)
	by, faults := r.trustedRoot(w.Settings.Approvals.TrustedRoot)
	o.Authority, diags = func(string) *evidence.Authority { return by }, append(diags, faults...)
	if r.Checkpoint != "" {
		if o.Checkpoint, err = evidence.ReadCheckpoint(r.Checkpoint); err != nil {
			diags = diags.Errorf("The checkpoint cannot be read", "%s: %s.", r.Checkpoint, reason(err))
		}
	}
	if diags.HasErrors() {
		return nil, diags
	}
	report, err := evidence.Verify(ctx, o)
	if err != nil {
		return nil, diags.Errorf("The evidence cannot be verified", "%s.", err)
	}
	return report, diags
}

// publicKeys are the named ones, or the workspace's: the file beside the private
// key, or the private key's own public half.
func publicKeys(named []string, w *config.Workspace) ([]crypto.PublicKey, error) {
	var out []crypto.PublicKey
	for _, file := range named {
		key, err := evidence.LoadPublicKey(file)
		if err != nil {
			return nil, err
		}
		out = append(out, key)
	}
	if len(named) > 0 {
		return out, nil
	}
	private := w.Settings.SignerKey.Absolute
	key, err := evidence.LoadPublicKey(evidence.PublicKeyPath(private))
	if errors.Is(err, fs.ErrNotExist) {
		if s, serr := evidence.LoadSigner(private); serr == nil {
			return []crypto.PublicKey{s.Public()}, nil
		}
	}
	return []crypto.PublicKey{key}, err
}

// ledgerPublicKey is the named one, or the workspace's, found as the signer's is.
func ledgerPublicKey(named string, w *config.Workspace) (note.Verifier, error) {
	if named != "" {
		return evidence.LoadLedgerPublicKey(named)
	}
	private := ledgerKeyPath(w)
	key, err := evidence.LoadLedgerPublicKey(evidence.PublicKeyPath(private))
	if errors.Is(err, fs.ErrNotExist) {
		if own, oerr := evidence.LedgerPublicKeyOf(private); oerr == nil {
			return own, nil
		}
	}
	return key, err
}

// maxShown bounds what is shown at once, in bytes of records; a larger one is shown alone.
const maxShown = 64 << 20

// EvidenceShow reads the records of a run, or of one reset in it, unverified.
func (e *Engine) EvidenceShow(r EvidenceRequest) ([]*evidence.Entry, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	run, address, _ := strings.Cut(r.Subject, "/")
	runs := []string{run}
	if run == "" {
		var err error
		if runs, err = evidence.Runs(w.Settings.EvidenceDir.Absolute); err != nil {
			return nil, diags.Errorf("The evidence cannot be read", "%s.", err)
		}
	}
	out, size := []*evidence.Entry{}, 0
	for _, run := range runs {
		for entry, err := range evidence.Show(w.Settings.EvidenceDir.Absolute, run) {
			if err != nil {
				return nil, diags.Errorf("The evidence cannot be read", "%s.", err)
			}
			if address != "" && !strings.HasPrefix(entry.Record.Name(), run+"/"+address+"/") {
				continue
			}
			if size += entry.Size; size > maxShown && len(out) > 0 {
				return nil, diags.Errorf("Too much to show at once", "There are more than %d MiB of records. Name one run, or one reset of it: `remint evidence show RUN/ADDRESS`. `remint evidence export -out=DIR` writes all of them.", maxShown>>20)
			}
			out = append(out, entry)
		}
	}
	if address != "" && len(out) == 0 {
		return nil, diags.Errorf("No such evidence", "Run %s has none of %s.", run, address)
	}
	return out, diags
}

// EvidenceCheckpoint gives the ledger's signed head.
func (e *Engine) EvidenceCheckpoint(EvidenceRequest) ([]byte, diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return nil, diags
	}
	head, err := evidence.Checkpoint(w.Settings.EvidenceDir.Absolute)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, diags.Errorf("There is no ledger head", "Nothing was logged in %s yet.", w.Settings.EvidenceDir.Written)
	}
	if err != nil {
		return nil, diags.Errorf("The ledger head cannot be shown", "%s.", about(w.Settings.EvidenceDir, err))
	}
	return head, diags
}

// EvidenceExport writes a bundle per file, and beside them the canonical plan,
// the policies and the approvals as the state has kept them.
func (e *Engine) EvidenceExport(ctx context.Context, r EvidenceRequest) (x Exported, diags diag.Diagnostics) {
	w, diags := e.Load(true)
	if w == nil || diags.HasErrors() {
		return x, diags
	}
	if r.Out == "" {
		return x, diags.Errorf("A directory is missing", "Name where to export to: -out=DIR.")
	}
	j, faults := e.state(ctx, w, false)
	if diags = append(diags, faults...); diags.HasErrors() {
		return x, diags
	}
	x.Trust = map[string]int{}
	extras := func(run string) (fs.FS, error) {
		x.Runs++
		if word := evidence.Judges(w.Settings.EvidenceDir.Absolute, run); word != "" {
			x.Trust[word]++
		}
		if j == nil {
			return nil, nil
		}
		return extrasOf(ctx, j, run)
	}
	if j != nil {
		defer j.Close()
	}
	if err := evidence.Export(ctx, w.Settings.EvidenceDir.Absolute, r.Out, extras); err != nil {
		return x, diags.Errorf("The evidence cannot be exported", "%s.", err)
	}
	return x, diags
}

// Exported is what an export wrote.
type Exported struct {
	Runs int
	// Trust counts the runs by where their judges come from.
	Trust map[string]int
}

// extrasOf is what the state keeps of a run besides its records; nil for a run
// that this state does not know.
func extrasOf(ctx context.Context, j journal.Journal, id string) (fs.FS, error) {
	run, err := j.Run(ctx, id)
	if errors.Is(err, journal.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	file, err := plan.Read(bytes.NewReader(run.Plan))
	if err != nil {
		return nil, err
	}
	m, err := decodeMeta(run.Meta)
	if err != nil {
		return nil, err
	}
	canonical, err := plan.Canonical(file.Plan)
	if err != nil {
		return nil, err
	}
	out := fstest.MapFS{"plan.json": {Data: run.Plan}, "plan.canonical.json": {Data: canonical}}
	for source, kept := range m.Policies {
		for name, content := range kept.read() {
			out["policies/"+source+"/"+name] = &fstest.MapFile{Data: []byte(content)}
		}
	}
	if base, err := trust.Kept(m.Trust, file.Plan.TrustDigest); err == nil { // another is the one that the run made the state's
		if base.Shareable() {
			out[trustBaseFile] = &fstest.MapFile{Data: base.Keep()}
		}
		if text := base.TrustedRoot(); text != "" {
			out[trustedRootFile] = &fstest.MapFile{Data: []byte(text)}
		}
	}
	later, _, err := executor.Kept(ctx, j, id)
	if err != nil {
		return nil, err
	}
	for i, a := range append(m.Approvals, later...) {
		out[approvalName(i, a.Name)] = &fstest.MapFile{Data: a.Content}
	}
	overrides, err := executor.KeptOverrides(ctx, j, id)
	if err != nil {
		return nil, err
	}
	for i, o := range append(m.Overrides, overrides...) {
		out[documentName("override", i, o.Name)] = &fstest.MapFile{Data: o.Content}
	}
	glass, err := executor.KeptBreakGlass(ctx, j, id)
	if err != nil {
		return nil, err
	}
	if m.BreakGlass != nil {
		glass = append([]gate.Document{m.BreakGlass.Document}, glass...)
	}
	for i, g := range glass {
		out[documentName("statement", i, g.Name)] = &fstest.MapFile{Data: g.Content}
	}
	if m.Review != nil {
		out["review.json"] = &fstest.MapFile{Data: m.Review}
	}
	answers, err := executor.Resolutions(ctx, j, id)
	if err != nil {
		return nil, err
	}
	for i, a := range answers {
		out[fmt.Sprintf("resolutions/%02d.resolution.json", i+1)] = &fstest.MapFile{Data: a.Content}
	}
	if len(m.Facts) > 0 {
		facts, err := json.Marshal(m.Facts)
		if err != nil {
			return nil, err
		}
		out["facts.json"] = &fstest.MapFile{Data: facts}
	}
	return out, nil
}
