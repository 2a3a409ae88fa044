package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/trust"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// The files of an exported run that say by whom people's words counted.
const (
	trustBaseFile   = "trust_base.json"
	trustedRootFile = "trusted_root.json"
)

// maxTrustBase bounds an exported trust base in bytes; it names all policies, approvers
// and targets of a workspace, which itself may have 16 MB.
const maxTrustBase = 16 << 20

// verifyExported checks what export wrote, without a workspace. Every key comes from
// whoever checks: what lies in the export is believed only where she says so.
func (e *Engine) verifyExported(ctx context.Context, r EvidenceRequest) (*evidence.Report, diag.Diagnostics) {
	var diags diag.Diagnostics
	if len(r.Keys) == 0 || r.LedgerKey == "" {
		diags = diags.Errorf("A key is missing", "Name the public keys that the evidence and its ledger must be signed with, got from elsewhere than the export: -key=FILE -ledger-key=FILE.")
	}
	if r.TrustedRoot != "" && r.TrustExported {
		diags = diags.Errorf("Whose trusted root?", "-trusted-root=FILE is one of yours, and -trust-exported believes the one in the export: give one of them.")
	}
	if diags.HasErrors() {
		return nil, diags
	}
	o := evidence.VerifyOptions{Now: e.opts.Now().UTC()}
	for _, file := range r.Keys {
		key, err := evidence.LoadPublicKey(file)
		if err != nil {
			diags = diags.Errorf("The signer's public key cannot be used", "%s.", err)
		}
		o.PublicKeys = append(o.PublicKeys, key)
	}
	var err error
	if o.LedgerKey, err = evidence.LoadLedgerPublicKey(r.LedgerKey); err != nil {
		diags = diags.Errorf("The ledger's public key cannot be used", "%s.", err)
	}
	if r.Checkpoint != "" {
		if o.Checkpoint, err = evidence.ReadCheckpoint(r.Checkpoint); err != nil {
			diags = diags.Errorf("The checkpoint cannot be read", "%s: %s.", r.Checkpoint, reason(err))
		}
	}
	var faults diag.Diagnostics
	o.People, faults = r.people(nil)
	diags = append(diags, faults...)
	by, faults := r.trustedRoot("")
	if diags = append(diags, faults...); diags.HasErrors() {
		return nil, diags
	}
	o.Authority = func(string) *evidence.Authority { return by }
	if o.Dir, err = evidence.Import(ctx, r.Exported); err != nil {
		return nil, diags.Errorf("The export cannot be read", "%s: %s.", r.Exported, reason(err))
	}
	defer func() { _ = os.RemoveAll(o.Dir) }()
	if r.TrustExported {
		faults := trustExported(&o, r.Exported)
		if diags = append(diags, faults...); faults.HasErrors() {
			return nil, diags
		}
	}
	report, err := evidence.Verify(ctx, o)
	if err != nil {
		return nil, diags.Errorf("The evidence cannot be verified", "%s.", err)
	}
	return report, diags
}

// trustExported takes approvers and trusted roots from the trust bases in an export. Each
// must be the one that the run's records name by its digest; that these are signed by one
// of the keys, verification finds out.
func trustExported(o *evidence.VerifyOptions, export string) diag.Diagnostics {
	runs, err := evidence.Runs(o.Dir)
	if err != nil {
		return diag.Errored(0, "The export cannot be read", "%s.", err)
	}
	roots := map[string]*evidence.Authority{}
	for _, run := range runs {
		path := filepath.Join(export, run, trustBaseFile)
		text, err := boundedfile.Read(path, maxTrustBase)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // a run that the state did not know, or that changed the judges
		case err != nil:
			return diag.Errored(0, "The exported judges cannot be read", "%s: %s. Leave -trust-exported out, and name approvers and trusted root yourself.", path, err)
		}
		named := ""
		for entry, serr := range evidence.Show(o.Dir, run) {
			if r, ok := entry.RunRecord(); serr == nil && ok {
				named = r.TrustDigest
			}
			break
		}
		base, err := trust.Kept(text, named)
		if err != nil {
			return diag.Errored(0, "The exported judges are not the run's", "%s is not the trust base that the records of run %s name, %s. Leave -trust-exported out, and name approvers and trusted root yourself.",
				path, run, named)
		}
		people, _ := EvidenceRequest{}.people(gate.Persons(base.People()))
		o.People = append(o.People, people...)
		a, faults := authority(base.TrustedRoot())
		if faults.HasErrors() {
			return faults
		}
		if a != nil {
			a.Source = "as exported: whoever had the evidence key named it"
			roots[run] = a
		}
	}
	o.Authority = func(run string) *evidence.Authority { return roots[run] }
	return diag.Diagnostics{}.Warnf("The export is believed", "Who the approvers were, and by which trusted root certificates counted, is taken from the export. "+
		"The signed records name it, so that nobody without the evidence key has changed it; whoever had that key could have named others.")
}
