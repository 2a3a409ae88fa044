package command

import (
	"context"
	"embed"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// workspaceTemplate is what init lays down.
//
//go:embed all:template
var workspaceTemplate embed.FS

func initVerb() *verb {
	return &verb{
		name: "init", synopsis: "make a workspace that runs: example, keys, .gitignore",
		help: `
Lays an example workspace into the directory, makes the keys that sign evidence
(keys/evidence.pem), the ledger (keys/ledger.key) and an example approver's, all
of mode 0600. What is there already is left as it is.`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			alg := fs.String("algorithm", string(evidence.ECDSAP256), "the evidence key's `A`: ecdsa-p256 or ed25519")
			bare := fs.Bool("bare", false, "only keys and .gitignore, no example")
			return func(_ context.Context, args []string) diag.Exit {
				if !a.noArgs(args) {
					return diag.ExitError
				}
				return a.init(evidence.Algorithm(*alg), *bare)
			}
		},
	}
}

func (a *app) init(alg evidence.Algorithm, bare bool) diag.Exit {
	if alg != evidence.ECDSAP256 && alg != evidence.Ed25519 {
		a.fault("No such algorithm", "-algorithm=%s: it must be ecdsa-p256 or ed25519.", alg)
		return diag.ExitError
	}
	made, diags := a.layDown(bare)
	for _, k := range []struct {
		path string
		make func(string) error
	}{
		{"keys/evidence.pem", func(p string) error { return evidence.GenerateSigner(p, alg) }},
		{"keys/ledger.key", evidence.GenerateLedgerKey},
		{"keys/alice.pem", func(p string) error { return evidence.GenerateSigner(p, evidence.Ed25519) }},
		{"keys/bob.pem", func(p string) error { return evidence.GenerateSigner(p, evidence.Ed25519) }},
	} {
		path := filepath.FromSlash(k.path)
		if public := evidence.PublicKeyPath(path); exists(path) && !exists(public) {
			if err := evidence.RestorePublic(path); err != nil {
				diags = diags.Errorf("A public key cannot be made", "%s: %s.", filepath.ToSlash(public), err)
				continue
			}
			made = append(made, filepath.ToSlash(public))
		}
		if exists(path) || bare && k.path != "keys/evidence.pem" && k.path != "keys/ledger.key" {
			continue
		}
		if k.path == "keys/ledger.key" {
			if faults := a.lostLedgerKey(); faults.HasErrors() {
				diags = append(diags, faults...)
				continue
			}
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			diags = diags.Errorf("A folder cannot be made", "%s: %s.", filepath.Dir(k.path), reason(err))
			continue
		}
		if info, err := os.Lstat(filepath.Dir(path)); err != nil || !info.IsDir() {
			diags = diags.Errorf("A key cannot be made", "%s is no folder but a link, and a key must not leave the workspace unseen. Remove the link.", filepath.Dir(k.path))
			break
		}
		if err := k.make(path); err != nil {
			diags = diags.Errorf("A key cannot be made", "%s: %s.", k.path, reason(err))
			continue
		}
		made = append(made, k.path)
	}
	for _, m := range made {
		a.view.Note("made " + m)
	}
	if exit := a.done(diags); exit != diag.ExitOK {
		return exit
	}
	if len(made) == 0 {
		a.view.Note("Everything is there already; nothing was changed.")
	} else if !bare {
		a.view.Note("")
		a.view.Note("Now: remint plan -all -out=reset.plan, then look at it, approve it, apply it.")
	}
	return diag.ExitOK
}

// lostLedgerKey refuses to make a ledger key beside evidence that was begun with
// another: what it signed could not go on with that ledger, and whoever finds it
// there would take it for the one that is lost.
func (a *app) lostLedgerKey() diag.Diagnostics {
	dir := "evidence"
	e, diags := a.engine(nil, 0)
	if w, _ := e.Load(true); w != nil && !diags.HasErrors() {
		dir = w.Settings.EvidenceDir.Absolute
	}
	begun, err := evidence.Begun(dir)
	switch {
	case err != nil:
		return diag.Errored(0, "A key cannot be made", "keys/ledger.key: whether there is evidence already cannot be told: %s.", reason(err))
	case begun:
		return diag.Errored(0, "The ledger's key is lost", "There is evidence already, begun with a ledger key that is not at keys/ledger.key any more. "+
			"Put that key back, or name a new directory in the evidence block and keep the old one for auditors.")
	}
	return nil
}

// layDown writes the template's files that are not there yet.
func (a *app) layDown(bare bool) ([]string, diag.Diagnostics) {
	var made []string
	var diags diag.Diagnostics
	err := fs.WalkDir(workspaceTemplate, "template", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel("template", path)
		if err != nil {
			return err
		}
		if rel == "gitignore" {
			rel = ".gitignore"
		} else if bare {
			return nil
		}
		target := rel
		if exists(target) {
			return nil
		}
		data, err := workspaceTemplate.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
			return fmt.Errorf("the folder of %s cannot be made: %w", rel, reason(err))
		}
		if err := atomicfile.Create(context.Background(), target, 0o644, data); err != nil {
			return fmt.Errorf("%s cannot be made: %w", rel, reason(err))
		}
		made = append(made, rel)
		return nil
	})
	if err != nil {
		diags = diags.Errorf("The workspace cannot be laid down", "%s.", err)
	}
	return made, diags
}
