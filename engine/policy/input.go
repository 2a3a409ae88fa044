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
type Input struct {
	Version   string           `json:"version"`
	Stage     Stage            `json:"stage"`
	Reason    lifecycle.Reason `json:"reason"`
	Mode      lifecycle.Mode   `json:"mode"`
	Ticket    string           `json:"ticket"`
	Requester string           `json:"requester"`
	Trust     string           `json:"trust"`
	// Partial is whether the plan was chosen by address, by an expression or as all, and
	// leaves out some that the workspace declares; or as due, and leaves out some that were due
	// when it was made. The clock alone never makes it true.
	Partial bool `json:"partial"`
	// Targets is how the resets were chosen.
	Targets Targets `json:"targets"`
	// Resets are all of the plan's, sorted by address.
	Resets []Reset `json:"resets"`
	// Requirements are what the plan stage asked for; from the approval stage on.
	Requirements *plan.Requirements `json:"requirements,omitempty"`
	// The following stand in the approval stage and after it.
	Operator     string        `json:"operator,omitempty"`
	Approvals    []Approval    `json:"approvals,omitempty"`
	Verification *Verification `json:"verification,omitempty"`
	// Unattended is whether nobody at a terminal was asked (-auto-approve, a pipe, CI), or,
	// in a resume, looks on.
	Unattended bool `json:"unattended,omitempty"`
	// Now is set in the approval stage only, and recorded.
	Now *time.Time `json:"now,omitempty"`
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
	// Declared is how many credentials the workspace has, Selected how many the plan has.
	Declared int `json:"declared"`
	Selected int `json:"selected"`
	// LeftOut are those that the workspace declares and the plan does not have, counted
	// by provider and type.
	LeftOut []LeftOut `json:"left_out"`
}

// LeftOut counts credentials of one type at one provider that a plan leaves out.
type LeftOut struct {
	Provider       string `json:"provider"`
	CredentialType string `json:"credential_type"`
	Count          int    `json:"count"`
}

// Approval is a verified approval that counts.
type Approval struct {
	Approver string   `json:"approver"`
	Groups   []string `json:"groups"`
}

// Verification is how the requester was verified, and the subjects.
type Verification struct {
	// Identity of the requester; as claimed, while Strength is none.
	Identity string             `json:"identity"`
	Strength lifecycle.Strength `json:"strength"`
	// Bound is whether Strength rests on something about this very plan.
	Bound bool `json:"bound"`
	// Methods are all verifications that count, the subjects' too.
	Methods []VerificationMethod `json:"methods"`
}

// VerificationMethod is one verification that counts.
type VerificationMethod struct {
	// Verifier is TYPE.NAME of the block; Method is TYPE.
	Verifier string `json:"verifier"`
	Method   string `json:"method"`
	// Address is of the credential whose subject was verified; empty for the requester.
	Address  string             `json:"address"`
	Identity string             `json:"identity"`
	Strength lifecycle.Strength `json:"strength"`
	Bound    bool               `json:"bound"`
	// Claims are what it rests on.
	Claims map[string]string `json:"claims"`
}

// Reset is one reset as policies see it.
type Reset struct {
	Address        string         `json:"address"`
	CredentialType string         `json:"credential_type"`
	Kind           lifecycle.Kind `json:"kind"`
	Person         bool           `json:"person"`
	HasSessions    bool           `json:"has_sessions"`
	Provider       string         `json:"provider"`
	Owner          string         `json:"owner"`
	// Subject is the person whose secret it is; empty where it is nobody's own.
	Subject     string            `json:"subject"`
	Environment string            `json:"environment"`
	Production  bool              `json:"production"`
	Labels      map[string]string `json:"labels"`
	Attributes  map[string]any    `json:"attributes"`
	Runbook     plan.Runbook      `json:"runbook"`
	Observed    plan.Observed     `json:"observed"`
	// InUseBy names the provider block that logs in with this very credential.
	InUseBy string `json:"in_use_by"`
	// EntropyBits of the new secret; 0 when none is made.
	EntropyBits float64  `json:"entropy_bits"`
	Stores      []string `json:"stores"`
	Consumers   []string `json:"consumers"`
	// Phases in the order in which they run.
	Phases []lifecycle.Phase `json:"phases"`
	Steps  []Step            `json:"steps"`
	// Change is what differs from the trust base, where that holds credentials too;
	// absent when nothing does. The reset is judged by the base's values as well,
	// as a reset of its own without Change.
	Change *Change `json:"change,omitempty"`
	// Result stands in the result stage only.
	Result *Result `json:"result,omitempty"`
}

// Change is how a credential differs from what the trust base says of it.
type Change struct {
	// Fields are some of added, attributes, consumers, environment, labels, owner,
	// provider, runbook, stores; sorted.
	Fields []string `json:"fields"`
	// Base is what the trust base says; absent for a credential that it lacks.
	Base *Changed `json:"base,omitempty"`
}

// Changed is the trust base's side of a change.
type Changed struct {
	Provider    string            `json:"provider"`
	Owner       string            `json:"owner"`
	Subject     string            `json:"subject"`
	Environment string            `json:"environment"`
	Production  bool              `json:"production"`
	Labels      map[string]string `json:"labels"`
	Runbook     plan.Runbook      `json:"runbook"`
	Stores      []string          `json:"stores"`
	Consumers   []string          `json:"consumers"`
}

// Step is one step as policies see it.
type Step struct {
	Address    string          `json:"address"`
	Phase      lifecycle.Phase `json:"phase"`
	Reversible bool            `json:"reversible"`
	Controls   []string        `json:"controls"`
}

// Result is what was observed so far.
type Result struct {
	// Proof of the old credential's death; "" before there is one.
	Proof           lifecycle.Proof `json:"proof"`
	NewAccepted     bool            `json:"new_accepted"`
	StoresConfirmed int             `json:"stores_confirmed"`
	Reloaded        int             `json:"reloaded"`
	SessionsEnded   int             `json:"sessions_ended"`
	Notified        bool            `json:"notified"`
	// Asserted are the steps that a person answered for with `resolve`, because
	// nobody could observe them: they count in none of the members above.
	Asserted []string `json:"asserted"`
	// Final is false before revoke, true at the end.
	Final bool `json:"final"`
}
