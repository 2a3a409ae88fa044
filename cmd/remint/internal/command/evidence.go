package command

import (
	"context"
	"flag"
	"slices"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/diag"
)

func evidenceVerb() *verb {
	return &verb{
		name: "evidence", args: "list | verify | show [RUN[/ADDRESS]] | export -out=DIR [RUN] | checkpoint", synopsis: "list, verify, show, export the evidence, offline",
		help: `
list        the runs that there is evidence of
verify      checks signatures, subjects, order, completeness, people's signed answers,
            and the ledger; exit 1 with a list of what is wrong. With -checkpoint=FILE it also proves that
            nothing before that head has changed. With -exported=DIR it checks an export
show        what the evidence of a run or a reset says
export      writes a Sigstore bundle per file, the ledger, the canonical plan, the
            policies, approvals and trusted root to -out=DIR, for cosign and for auditors
checkpoint  prints the head of the ledger, to be kept elsewhere`,
		setup: func(a *app, fs *flag.FlagSet) func(context.Context, []string) diag.Exit {
			var r engine.EvidenceRequest
			fs.Var((*listFlag)(&r.Keys), "key", "a public key that may have signed, `FILE`; the workspace's own unless told; may be repeated")
			fs.StringVar(&r.LedgerKey, "ledger-key", "", "the ledger's public key, `FILE`; the workspace's own unless told")
			fs.Var((*listFlag)(&r.ApproverKeys), "approver-key", "a public key of somebody who was an approver once, `FILE`, besides those of the workspace; may be repeated")
			fs.Var((*listFlag)(&r.ApproverIdentities), "approver-identity", "what the certificate of somebody who was an approver once names, `IDENTITY,ISSUER`; may be repeated")
			fs.StringVar(&r.TrustedRoot, "trusted-root", "", "the Sigstore trusted root that people's certificates are verified by, `FILE`; the workspace's own unless told")
			fs.StringVar(&r.Exported, "exported", "", "verify what export wrote into `DIR`, without a workspace; -key and -ledger-key must be given")
			fs.BoolVar(&r.TrustExported, "trust-exported", false, "believe the export who the approvers were, and by which trusted root their certificates counted")
			fs.StringVar(&r.Checkpoint, "checkpoint", "", "a ledger head kept from earlier, `FILE`")
			fs.StringVar(&r.Out, "out", "", "where export writes, `DIR`")
			a.workspaceFlags(fs)
			return func(ctx context.Context, args []string) diag.Exit { return a.evidence(ctx, r, args) }
		},
	}
}

func (a *app) evidence(ctx context.Context, r engine.EvidenceRequest, args []string) diag.Exit {
	actions := []string{"list", "verify", "show", "export", "checkpoint"}
	if len(args) == 0 {
		a.fault("What about the evidence?", "Say one of list, verify, show, export, checkpoint: `remint evidence verify`.")
		return diag.ExitError
	}
	if len(args) > 2 {
		a.fault("Too many arguments", "remint evidence %s takes at most one more.", args[0])
		return diag.ExitError
	}
	if len(args) == 2 && args[0] != "show" && args[0] != "export" && slices.Contains(actions, args[0]) {
		a.fault("Too many arguments", "remint evidence %s is about all of the workspace's evidence, and not about %s alone. Leave that out; -chdir=DIR names another workspace.", args[0], args[1])
		return diag.ExitError
	}
	if len(args) == 2 {
		r.Subject = args[1]
	}
	e, diags := a.engine(nil, 0)
	if diags.HasErrors() {
		return a.done(diags)
	}
	switch args[0] {
	case "list":
		list, diags := e.EvidenceList(r)
		if !diags.HasErrors() {
			a.view.EvidenceList(list, e.Owed())
		}
		return a.done(diags)
	case "verify":
		report, diags := e.EvidenceVerify(ctx, r)
		if report == nil {
			return a.done(diags)
		}
		a.view.EvidenceReport(report)
		if exit := a.done(diags); exit != diag.ExitOK || len(report.Findings) == 0 {
			return exit
		}
		return diag.ExitError
	case "show":
		records, diags := e.EvidenceShow(r)
		if !diags.HasErrors() {
			a.view.EvidenceRecords(records)
		}
		return a.done(diags)
	case "export":
		n, diags := e.EvidenceExport(ctx, r)
		if !diags.HasErrors() {
			a.view.Exported(n, r.Out)
		}
		return a.done(diags)
	case "checkpoint":
		head, diags := e.EvidenceCheckpoint(r)
		if !diags.HasErrors() {
			a.view.Checkpoint(head)
		}
		return a.done(diags)
	}
	a.fault("No such action", "remint evidence has no %q.%s", args[0], didYouMean(args[0], actions))
	return diag.ExitError
}
