package engine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/trust"
)

// TrustReport is who judges, and how that differs from whom the state knows.
type TrustReport struct {
	// Trust is self-asserted, pinned or base; Place says where a base was read.
	Trust  string      `json:"trust"`
	Place  string      `json:"place,omitempty"`
	Digest string      `json:"digest"`
	Base   *trust.Base `json:"base"`
	// Incomplete is set when some of it depends on variables without a value: the
	// digest is not the one that plans have then.
	Incomplete bool `json:"incomplete,omitempty"`
	// Remembered is the digest that the state knows, "" if it knows none.
	Remembered string `json:"remembered,omitempty"`
	// Changes are what differs from what the state knows, a line each.
	Changes []string `json:"changes,omitempty"`
}

// AcceptRequest says how to take over another trust base.
type AcceptRequest struct {
	// File is the change, as proposed and approved; nil proposes it now, which is
	// enough only where nobody could approve.
	File      *plan.File
	Approvals []gate.Document
	Operator  Operator
	Facts     map[string]string
}

// ShowTrust tells who judges this workspace. It starts no provider. Judges that are
// not the pinned ones come back together with a fault that says so: whoever sets a
// new pin wants to see them.
func (e *Engine) ShowTrust(ctx context.Context) (*TrustReport, diag.Diagnostics) {
	unpinned := *e
	if trust.CheckPin(e.opts.Trust.Pin) == nil {
		unpinned.opts.Trust.Pin = ""
	}
	s, diags := unpinned.open(ctx, need{judges: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	e.trust = unpinned.trust
	faults := e.pinned(s.trust)
	diags = append(diags, faults...)
	word := e.trustWord()
	if faults.HasErrors() {
		word = unpinned.trustWord()
	}
	out := &TrustReport{
		Trust: word, Place: e.trust, Digest: s.trustDigest, Base: s.trust, Incomplete: !s.trust.Known(),
	}
	digest, old, faults := s.remembered(ctx)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	if out.Remembered = digest; digest != "" && digest != out.Digest {
		out.Changes = trust.Diff(old, s.trust)
	}
	return out, diags
}

// remembered is the trust base that the state knows; "" if it knows none.
func (s *session) remembered(ctx context.Context) (string, *trust.Base, diag.Diagnostics) {
	if s.journal == nil {
		return "", nil, nil
	}
	unreadable := func(err error) (string, *trust.Base, diag.Diagnostics) {
		return "", nil, diag.Errored(0, "The state cannot be read", "%s.", err)
	}
	digest, id, err := executor.Remembered(ctx, s.journal)
	if err != nil {
		return unreadable(err)
	}
	if digest == "" || digest == s.trustDigest { // the rest is needed to compare only
		return digest, s.trust, nil
	}
	run, err := s.journal.Run(ctx, id)
	if err != nil {
		return unreadable(err)
	}
	m, err := decodeMeta(run.Meta)
	if err != nil {
		return unreadable(err)
	}
	base, err := trust.Kept(m.Trust, digest)
	if err != nil {
		return unreadable(err)
	}
	return digest, base, nil
}

// familiar holds the judges against those that the state knows. Nothing is said where
// it knows none: the first run's are remembered.
func (s *session) familiar(ctx context.Context) diag.Diagnostics {
	digest, old, diags := s.remembered(ctx)
	if diags.HasErrors() || digest == "" || digest == s.trustDigest {
		return diags
	}
	next := "`remint trust accept` makes it this state's"
	if who := names(old); who != "" {
		next = "`remint trust propose -out=FILE`, the approval of FILE by one who could approve before (" + who + "), and `remint trust accept FILE` make it this state's"
	}
	return diag.Errored(diag.ExitMissing, "The trust base has changed", "It is not the one that this state knows: %s. Put it back, or have it accepted: %s.", summary(trust.Diff(old, s.trust)), next)
}

// summary is the beginning of a list of changes.
func summary(changes []string) string {
	const most = 5
	if n := len(changes); n > most {
		return strings.Join(changes[:most], "; ") + fmt.Sprintf("; and %d more", n-most)
	}
	return strings.Join(changes, "; ")
}

func names(b *trust.Base) string {
	var out []string
	for _, a := range b.Approvers {
		out = append(out, a.Name)
	}
	return strings.Join(out, ", ")
}

// ProposeTrust makes the plan of a change from the trust base that the state knows
// to the present one, for approvers of the former to approve.
func (e *Engine) ProposeTrust(ctx context.Context, operator string) (*plan.File, diag.Diagnostics) {
	s, diags := e.open(ctx, need{judges: true})
	if diags.HasErrors() {
		return nil, diags
	}
	defer s.close()
	file, _, faults := s.propose(ctx, operator)
	return file, append(diags, faults...)
}

func (s *session) propose(ctx context.Context, operator string) (*plan.File, *trust.Base, diag.Diagnostics) {
	digest, old, diags := s.remembered(ctx)
	switch {
	case diags.HasErrors():
		return nil, nil, diags
	case !s.trust.Known():
		return nil, nil, diag.Errored(0, "The trust base is not known", "Some of it depends on variables that have no value here. Give them their values (-var, -var-file, REMINT_VAR_name).")
	case digest == "":
		return nil, nil, diag.Errored(0, "Nothing to accept", "The state knows no trust base yet: the first apply makes it remember the present one.")
	case digest == s.trustDigest:
		return nil, nil, diag.Errored(0, "Nothing to accept", "The state knows the present trust base, %s.", digest)
	}
	change := &plan.TrustChange{To: s.trustDigest, Changes: trust.Diff(old, s.trust), Approvers: keyHolders(old)}
	file, err := plan.New(plan.Plan{
		Reason: lifecycle.Scheduled, Mode: lifecycle.Cutover, Requester: operator, Applyable: true, Trust: s.engine.trustWord(),
		WorkspaceDigest: s.trustDigest, PolicyDigest: s.policies.Digest(), TrustDigest: digest, TrustChange: change,
		Requirements: plan.Requirements{Approvals: needed(old)},
	}, nil, s.engine.opts.Now())
	if err != nil {
		return nil, nil, diag.Errored(0, "The change cannot be written", "%s.", err)
	}
	return file, old, nil
}

// needed is how many approvers of a base must agree that another takes its place:
// one, and none where there is nobody.
func needed(old *trust.Base) []plan.Approvals {
	if len(old.Approvers) == 0 {
		return nil
	}
	return []plan.Approvals{{Count: 1, Addresses: []string{}}}
}

// Acceptance is a change of trust base that may be made.
type Acceptance struct {
	// File is the change.
	File *plan.File
	// Unapproved is set where the base before had nobody who could approve.
	Unapproved bool

	session *session
	job     *executor.Job
}

// Close lets go of everything that the acceptance holds.
func (a *Acceptance) Close() { a.session.close() }

// PrepareTrust holds a change against the state and the present trust base, and the
// approvals against the base before. The caller closes the acceptance.
func (e *Engine) PrepareTrust(ctx context.Context, req AcceptRequest) (*Acceptance, diag.Diagnostics) {
	s, diags := e.open(ctx, need{judges: true, signer: true})
	if diags.HasErrors() {
		return nil, diags
	}
	ready := false
	defer func() {
		if !ready {
			s.close()
		}
	}()
	derived, old, faults := s.propose(ctx, req.Operator.Name)
	if !faults.HasErrors() { // evidence of the change would hide that the state is an old copy
		faults = append(faults, s.older(ctx, false)...)
	}
	if faults.HasErrors() {
		return nil, append(diags, faults...)
	}
	file := req.File
	if file == nil {
		file = derived
	}
	if why := outdated(&file.Plan, &derived.Plan); why != "" {
		return nil, append(diags, diag.Errored(diag.ExitStale, "The change is stale", "%s Propose it again, and have that approved.", why)...)
	}
	decided, faults := s.decidedOnTrust(ctx, file, old)
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	by, faults := authority(old.TrustedRoot())
	if diags = append(diags, faults...); faults.HasErrors() {
		return nil, diags
	}
	answer := gate.Ask(gate.Question{
		// Who asked is not what matters here, but that somebody else agrees than who accepts.
		File: file, Requirements: plan.Requirements{Approvals: needed(old)}, Approvers: old.People(), Documents: besides(req.Approvals, decided),
		Operators: req.Operator.names(), Anyone: true, MaxExpires: old.MaxExpires(), Authority: by, Now: e.opts.Now().UTC(),
	})
	told, untold := s.tellUses(ctx, file, answer.Uses)
	diags = append(diags, untold...)
	for _, m := range answer.Ignored {
		diags = diags.Warnf("An approval does not count", "%s", m)
	}
	for _, m := range slices.Concat(answer.Rejections, answer.Missing) {
		diags = append(diags, diag.Diagnostic{Severity: diag.Error, Exit: diag.ExitMissing, Summary: "Approval or verification is missing",
			Detail: m + " They are asked for under the trust base that the state knows: whoever is only in the new one cannot approve it."})
	}
	if diags.HasErrors() {
		return nil, diags
	}
	req.Facts = s.facts(req.Facts)
	maps.Copy(req.Facts, told)
	meta, err := s.meta(file, ApplyRequest{Operator: req.Operator, Facts: req.Facts}, answer, nil, nil, nil, nil)
	if err != nil {
		return nil, append(diags, diag.Errored(0, "The policies cannot be kept", "%s.", err)...)
	}
	ready = true
	return &Acceptance{File: file, Unapproved: len(old.Approvers) == 0, session: s, job: &executor.Job{
		Run: newRunID(e.opts.Now().UTC().Format("20060102T150405Z")), File: file, Gate: answer, Operator: req.Operator.Name, OperatorNames: req.Operator.Also,
		Facts: req.Facts, Meta: meta,
	}}, diags
}

// outdated says why a change is not the one that there is to make; "" if it is.
func outdated(stated, derived *plan.Plan) string {
	c := stated.TrustChange
	switch {
	case c == nil:
		return "The file is a plan of resets: `remint apply` takes it."
	case stated.TrustDigest != derived.TrustDigest:
		return "The state knows another trust base by now than the one that it begins with."
	case c.To != derived.TrustChange.To || !slices.Equal(c.Changes, derived.TrustChange.Changes):
		return "The trust base is not the one that it ends with."
	}
	return ""
}

// Accept makes the change: in the journal, and in evidence.
func (a *Acceptance) Accept(ctx context.Context) diag.Diagnostics {
	x, diags := a.session.executor(a.job.Run)
	if diags.HasErrors() {
		return diags
	}
	defer x.close()
	err := x.AcceptTrust(ctx, a.job)
	switch {
	case errors.Is(err, journal.ErrSpent):
		return diag.Errored(diag.ExitStale, "The change is spent", "Change %s was accepted before, and it is accepted once. Propose it again.", a.File.ID)
	case err != nil:
		return diag.Errored(diag.ExitUnfinished, "The change is not evidenced", "%s. Mend this, then `remint resume`.", err)
	}
	return nil
}

// Run is the id of the run that the acceptance is journalled as.
func (a *Acceptance) Run() string { return a.job.Run }
