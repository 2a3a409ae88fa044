package policy

import (
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// Stage says when a policy is asked: each has a Rego package of its own.
type Stage string

// The stages.
const (
	StagePlan     Stage = "remint.plan"
	StageApproval Stage = "remint.approval"
	StageResult   Stage = "remint.result"
)

// InputVersion is the version of Input's schema.
const InputVersion = "1.0"

// Input is what Rego sees. No secret, nor a hash of one, is ever in it.
//
// The comments of its fields are the reference that policy writers read, and
// schemas/examples shows each field with a value: a new one needs both.
type Input struct {
	// Version of this schema. Members may be added under the same major number.
	Version string `json:"version"`
	// Stage is the package that is asked.
	Stage Stage `json:"stage"`
	// Reason of the reset, as `-reason` says.
	Reason lifecycle.Reason `json:"reason"`
	// Mode follows from the reason: the new secret first, the old one's death first, or no new one.
	Mode lifecycle.Mode `json:"mode"`
	// Ticket is what `-ticket` says; empty where it says nothing.
	Ticket string `json:"ticket"`
	// Requester is who asks, as claimed; who she was verified to be is in verification.
	Requester string `json:"requester"`
	// Trust is where the judges come from: self-asserted (the workspace itself), pinned, or base.
	Trust string `json:"trust" jsonschema:"enum=self-asserted,enum=pinned,enum=base"`
	// Authors are who wrote what the workspace has beyond the trust base, as commits say;
	// absent without one, and in the result stage.
	Authors *ChangeAuthors `json:"authors,omitempty"`
	// Partial is whether the plan was chosen by address, by an expression or as all, and
	// leaves out some that the workspace declares; or as due, and leaves out some that were due
	// when it was made. The clock alone never makes it true, nor does one that was retired.
	Partial bool `json:"partial"`
	// Targets is how the resets were chosen.
	Targets Targets `json:"targets"`
	// Resets are all of the plan's, sorted by address; in the result stage the one that is judged.
	Resets []Reset `json:"resets"`
	// Requirements are what the plan stage asked for; from the approval stage on.
	Requirements *plan.Requirements `json:"requirements,omitempty"`
	// Operator is who runs apply or resume.
	Operator string `json:"operator,omitempty"`
	// Approvals are those that count: verified, not withdrawn, by nobody whom the rules exclude.
	Approvals []Approval `json:"approvals,omitempty"`
	// Verification is how the requester and the subjects were verified; strength none where nobody was.
	Verification *Verification `json:"verification,omitempty"`
	// Unattended is whether nobody at a terminal was asked (-auto-approve, a pipe, CI), or,
	// in a resume, looks on.
	Unattended bool `json:"unattended,omitempty"`
	// Now is set in the approval stage only, and recorded.
	Now *time.Time `json:"now,omitempty"`

	// StandsFor names, for the address under which a reset stands here as the trust base
	// has it, the plan's own. Policies do not see it: what they say of the one is said of
	// the other.
	StandsFor map[string]string `json:"-"`
}

// translate names the plan's own resets in what was said of in.
func (in *Input) translate(findings []finding) {
	for i := range findings {
		if own, other := in.StandsFor[findings[i].Address]; other {
			findings[i].Address = own
		}
	}
}

// ChangeAuthors are who wrote the change of the workspace.
type ChangeAuthors struct {
	// Known is whether all of them are known; false for a workspace in no git repository,
	// and in a shallow clone.
	Known bool `json:"known"`
	// Identities are their mail addresses: of authors, committers, and whom commits name as
	// Co-authored-by; and, where a forge gave an address to hide one, github:NAME or gitlab:NAME.
	Identities []string `json:"identities"`
}

// Targets is how the plan's resets were chosen, and of how many.
type Targets struct {
	// By is one of address, where, all, due.
	By plan.Chosen `json:"by"`
	// Where is the expression, empty unless they were chosen by one.
	Where string `json:"where"`
	// Addresses are those that were named; one without a key stands for all instances.
	// Empty unless they were chosen by address, and in the result stage.
	Addresses []string `json:"addresses"`
	// Declared is how many credentials the workspace has.
	Declared int `json:"declared"`
	// Selected is how many of them the plan resets.
	Selected int `json:"selected"`
	// LeftOut are those that the workspace declares and the plan does not have, counted
	// by provider and type; not those that were retired, as far as the state knows.
	LeftOut []LeftOut `json:"left_out"`
}

// LeftOut counts credentials of one type at one provider that a plan leaves out.
type LeftOut struct {
	// Provider is TYPE.NAME of the provider block.
	Provider string `json:"provider"`
	// CredentialType is their type.
	CredentialType string `json:"credential_type"`
	// Count is how many there are.
	Count int `json:"count"`
}

// Approval is a verified approval that counts.
type Approval struct {
	// Approver is the label of the approver block.
	Approver string `json:"approver"`
	// Groups are those that the block says she is in.
	Groups []string `json:"groups"`
}

// Verification is how the requester was verified, and the subjects.
type Verification struct {
	// Identity of the requester; as claimed while strength is none.
	Identity string `json:"identity"`
	// Strength is how surely that is the requester.
	Strength lifecycle.Strength `json:"strength"`
	// Bound is whether strength rests on something about this very plan.
	Bound bool `json:"bound"`
	// Methods are all verifications that count, the subjects' too.
	Methods []VerificationMethod `json:"methods"`
}

// VerificationMethod is one verification that counts.
type VerificationMethod struct {
	// Verifier is TYPE.NAME of the verifier block.
	Verifier string `json:"verifier"`
	// Method is the verifier's type.
	Method string `json:"method"`
	// Address is of the credential whose subject was verified; empty for the requester.
	Address string `json:"address"`
	// Identity is who was verified.
	Identity string `json:"identity"`
	// Strength is what this verification yields by itself.
	Strength lifecycle.Strength `json:"strength"`
	// Bound is whether it was about this very plan.
	Bound bool `json:"bound"`
	// Claims are what it rests on, by the names that the verifier's type gives them.
	Claims map[string]string `json:"claims"`
}

// Reset is one reset as policies see it.
type Reset struct {
	// Address of the credential in the workspace, with its key where the block has instances.
	Address string `json:"address"`
	// CredentialType is the type of the credential.
	CredentialType string `json:"credential_type"`
	// Kind says how secrets of the type relate: one at a time (in_place), old and new at once
	// (overlapping), or made by the target (minted).
	Kind lifecycle.Kind `json:"kind"`
	// Person is whether it is a person's password: its credential has a subject, and one secret
	// at a time. Such are not reset on a schedule (SP 800-63B-4 §3.1.1.2).
	Person bool `json:"person"`
	// HasSessions is whether what logs in with it stays logged in, until sessions are ended.
	HasSessions bool `json:"has_sessions"`
	// Provider is TYPE.NAME of the provider block.
	Provider string `json:"provider"`
	// Owner is who answers for the credential, and is told.
	Owner string `json:"owner"`
	// Subject is the person whose secret it is; empty where it is nobody's own.
	Subject string `json:"subject"`
	// Environment is the credential's, or else its provider's; production where neither says so.
	Environment string `json:"environment"`
	// Production is whether environment counts as production.
	Production bool `json:"production"`
	// Labels are the credential's, for policies and expressions to choose by.
	Labels map[string]string `json:"labels"`
	// Attributes are those that the type has, without sensitive ones; the type decides which there are.
	Attributes map[string]any `json:"attributes"`
	// Runbook says how it is reset.
	Runbook plan.Runbook `json:"runbook"`
	// Observed is what the target said when the plan was made.
	Observed plan.Observed `json:"observed"`
	// InUseBy names the provider block that logs in with this very credential.
	InUseBy string `json:"in_use_by"`
	// MaxAgeSeconds is the credential's max_age: how old the secret may become before it is
	// due; 0 where it declares none. How old it is stands nowhere: the same plan is judged
	// alike at every time.
	MaxAgeSeconds int64 `json:"max_age_seconds"`
	// EntropyBits of the new secret; 0 when none is made.
	EntropyBits float64 `json:"entropy_bits"`
	// Stores are TYPE.NAME of the blocks that get the new secret.
	Stores []string `json:"stores"`
	// Consumers are TYPE.NAME of the blocks that are reloaded.
	Consumers []string `json:"consumers"`
	// Phases in the order in which they run.
	Phases []lifecycle.Phase `json:"phases"`
	// Steps in the order in which they run.
	Steps []Step `json:"steps"`
	// Change is what differs from the trust base, where that holds credentials too;
	// absent when nothing does. The reset is judged by the base's values as well,
	// address included, as a reset of its own without a change.
	Change *Change `json:"change,omitempty"`
	// Result stands in the result stage only.
	Result *Result `json:"result,omitempty"`
}

// Change is how a credential differs from what the trust base says of it.
type Change struct {
	// Fields are some of added, address, attributes, consumers, environment, labels, max_age,
	// owner, provider, runbook, stores, subject; sorted. Where address is among them, the trust
	// base has the same account at another address, or another's secret where a store of the
	// reset writes; where added is, neither.
	Fields []string `json:"fields" jsonschema:"enum=added,enum=address,enum=attributes,enum=consumers,enum=environment,enum=labels,enum=max_age,enum=owner,enum=provider,enum=runbook,enum=stores,enum=subject"`
	// Base is what the trust base says; absent for a credential that it lacks.
	Base *Changed `json:"base,omitempty"`
	// Others are what the trust base says of further credentials that the reset is held against:
	// it has the account at several addresses, another account at the reset's, or the secret of
	// another where a store of the reset writes. Absent when there are none.
	Others []Changed `json:"others,omitempty"`
}

// Changed is the trust base's side of a change.
type Changed struct {
	// Address there: another than the reset's where the account has another name there, or the
	// store another's secret.
	Address string `json:"address"`
	// Provider is TYPE.NAME of the provider block there.
	Provider string `json:"provider"`
	// Owner there, who is told too.
	Owner string `json:"owner"`
	// Subject there; empty where it is nobody's own.
	Subject string `json:"subject"`
	// Environment there.
	Environment string `json:"environment"`
	// Production is whether that counts as production.
	Production bool `json:"production"`
	// Labels there.
	Labels map[string]string `json:"labels"`
	// Runbook there.
	Runbook plan.Runbook `json:"runbook"`
	// MaxAgeSeconds there; 0 where it declares none.
	MaxAgeSeconds int64 `json:"max_age_seconds"`
	// Stores there; the same names may stand for other blocks, and fields says so.
	Stores []string `json:"stores"`
	// Consumers there; likewise.
	Consumers []string `json:"consumers"`
}

// Step is one step as policies see it.
type Step struct {
	// Address of the step in the runbook, with its key where the step has instances.
	Address string `json:"address"`
	// Phase that the step belongs to.
	Phase lifecycle.Phase `json:"phase"`
	// Reversible is false for what cannot be taken back once done.
	Reversible bool `json:"reversible"`
	// Controls that the runbook says the step serves.
	Controls []string `json:"controls"`
}

// Result is what was observed so far.
type Result struct {
	// Proof of the old credential's death; "" before there is one.
	Proof lifecycle.Proof `json:"proof"`
	// NewAccepted is whether the target was seen to accept the new one.
	NewAccepted bool `json:"new_accepted"`
	// StoresConfirmed is how many stores have the new one.
	StoresConfirmed int `json:"stores_confirmed"`
	// Reloaded is how many consumers were.
	Reloaded int `json:"reloaded"`
	// SessionsEnded is how many sessions of the old one the target ended.
	SessionsEnded int `json:"sessions_ended"`
	// Notified is whether the owner was.
	Notified bool `json:"notified"`
	// Asserted are the steps that a person answered for with `resolve`, because
	// nobody could observe them: they count in none of the members above.
	Asserted []string `json:"asserted"`
	// Final is false before revoke, true at the end.
	Final bool `json:"final"`
}
