package evidence

import (
	"encoding/json"
	"time"

	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/plan"
)

// Predicate types of the in-toto statements.
const (
	RunType      = "https://remint.dev/evidence/run/v1"
	StepType     = "https://remint.dev/evidence/step/v1"
	ResetType    = "https://remint.dev/evidence/reset/v1"
	ApprovalType = "https://remint.dev/evidence/approval/v1"
	// ResolutionType is a person's answer where no probe can tell.
	ResolutionType = "https://remint.dev/evidence/resolution/v1"
)

// Common stands in every predicate but those that people sign. The statement's first subject is the
// plan (its digest), the second this record, named run/address/step.
type Common struct {
	Run             string `json:"run"`
	PlanID          string `json:"plan_id"`
	PlanDigest      string `json:"plan_digest"`
	WorkspaceDigest string `json:"workspace_digest"`
	PolicyDigest    string `json:"policy_digest"`
	TrustDigest     string `json:"trust_digest"`
	Trust           string `json:"trust"`
	// Sequence of this record in its file, from 1 without gaps.
	Sequence int `json:"sequence"`
	// Recorded is the journal's time of the record, not the signature's.
	Recorded time.Time `json:"recorded_at"`
	// Program is the version of remint that wrote it.
	Program string `json:"program"`
}

// Run says what happened to a run as a whole: a line of run.sigstore.jsonl.
type Run struct {
	Common
	// Event is one of opened, approval, verification, override, break_glass, told, review, decisions, denied, interrupted, resumed, trust, closed.
	Event    string `json:"event"`
	Operator string `json:"operator"`
	// OperatorNames are all other names that are known of the operator, in opened and
	// resumed: her account, and what the CI says. Where the process that opened the run
	// ended before it could say so, they are those of who opened it too.
	OperatorNames []string `json:"operator_names,omitempty"`
	// Authors are who wrote the change of the workspace beyond its trust base, as far as
	// commits tell, in opened and resumed.
	Authors   []string `json:"authors,omitempty"`
	Requester string   `json:"requester"`
	// RequesterStrength is how surely the requester was verified: whom verification names,
	// who can be somebody else than Requester, which is the plan's claim (facts then say so).
	RequesterStrength string `json:"requester_strength"`
	// Verification is what that rests on, in opened and resumed.
	Verification *Verification      `json:"verification,omitempty"`
	Reason       string             `json:"reason"`
	Mode         string             `json:"mode"`
	Ticket       string             `json:"ticket"`
	Requirements *plan.Requirements `json:"requirements,omitempty"`
	Decisions    []plan.Decision    `json:"decisions,omitempty"`
	// Judged are the questions to the policies: those before the run was opened in decisions
	// or denied, those before a resume in resumed.
	Judged []plan.Judgement `json:"judged,omitempty"`
	// Approval is the signed approval as found, in event approval.
	Approval json.RawMessage `json:"approval,omitempty"`
	// Override is the signed override as found, in event override.
	Override json.RawMessage `json:"override,omitempty"`
	// BreakGlass is the signed statement as found, in event break_glass, and ReviewDue
	// when its review is owed. Review is that one as signed, in event review.
	BreakGlass json.RawMessage `json:"break_glass,omitempty"`
	ReviewDue  time.Time       `json:"review_due,omitzero"`
	Review     json.RawMessage `json:"review,omitempty"`
	// Addresses are the resets asked for, in opened.
	Addresses []string `json:"addresses,omitempty"`
	// Facts are circumstances worth keeping: ci, state, seal.
	Facts map[string]string `json:"facts,omitempty"`
	// Outcome and Resets stand in closed (and, as far as things went, in interrupted).
	Outcome string      `json:"outcome,omitempty"`
	Resets  []ResetLink `json:"resets,omitempty"`
	// Total is the number of records in this file, in closed.
	Total int `json:"total,omitempty"`
}

// Verification is who was verified before a run, and how.
type Verification struct {
	// Identity of the requester, empty while she is not verified.
	Identity string `json:"identity"`
	// Bound is whether the strength rests on something about this very plan.
	Bound   bool                 `json:"bound"`
	Methods []VerificationMethod `json:"methods"`
}

// VerificationMethod is one verification that counted.
type VerificationMethod struct {
	// Verifier is TYPE.NAME of the block; Method is TYPE.
	Verifier string `json:"verifier"`
	Method   string `json:"method"`
	// Address is of the credential whose subject was verified; empty for the requester.
	Address  string `json:"address"`
	Identity string `json:"identity"`
	Strength string `json:"strength"`
	Bound    bool   `json:"bound"`
	// Claims are what it rests on, secret-free.
	Claims map[string]string `json:"claims"`
}

// ResetLink ties a reset's file to the run's last record.
type ResetLink struct {
	Address string `json:"address"`
	// Outcome is that of the reset's own last record. Where it has none, nothing was
	// begun: not_started, refused or failed.
	Outcome string `json:"outcome"`
	Proof   string `json:"proof,omitempty"`
	// Record is the sha256 of the bundle line of the reset's last record;
	// empty where nothing was begun and no file exists.
	Record string `json:"record,omitempty"`
}

// Step says how one attempt at a step ended. A step that was tried again has a
// record for each attempt; the last one counts.
type Step struct {
	Common
	Address        string       `json:"address"`
	CredentialType string       `json:"credential_type"`
	Target         string       `json:"target"`
	Runbook        plan.Runbook `json:"runbook"`
	// Step is its address in the runbook, or roll_back.new: the engine's own step
	// that takes back a new version which did not work, of phase revoke.
	Step  string `json:"step"`
	Phase string `json:"phase"`
	// Outcome is one of done, failed, unknown, asserted. Asserted is a person's word
	// for what nobody could observe, and Answer what she said.
	Outcome string `json:"outcome"`
	// Attempts is the number of this attempt, from 1.
	Attempts   int       `json:"attempts"`
	StartedAt  time.Time `json:"started_at"`
	FinishedAt time.Time `json:"finished_at"`
	// Facts are what was observed, secret-free: version, sessions_ended, store, exit_code …
	Facts  map[string]string `json:"facts,omitempty"`
	Probes []Probe           `json:"probes,omitempty"`
	Proof  string            `json:"proof,omitempty"`
	Error  string            `json:"error,omitempty"`
	// AssertedBy is the signer of a `resolve`, Answer done or not-done, and
	// Resolution what she signed, as found.
	AssertedBy string          `json:"asserted_by,omitempty"`
	Answer     string          `json:"answer,omitempty"`
	Resolution json.RawMessage `json:"resolution,omitempty"`
	Controls   []string        `json:"controls,omitempty"`
	// Judged are the questions to the result policies before the old one was revoked.
	Judged []plan.Judgement `json:"judged,omitempty"`
}

// Probe is one attempt to authenticate, as evidence.
type Probe struct {
	// Subject is what was tried: old, new, control.
	Subject  string    `json:"subject"`
	Verdict  string    `json:"verdict"`
	Basis    string    `json:"basis"`
	Endpoint string    `json:"endpoint"`
	Detail   string    `json:"detail,omitempty"`
	At       time.Time `json:"at"`
}

// Reset is the last record of a credential's file: how its reset ended, and the
// records before it.
type Reset struct {
	Common
	Address        string       `json:"address"`
	CredentialType string       `json:"credential_type"`
	Owner          string       `json:"owner"`
	Environment    string       `json:"environment"`
	Target         string       `json:"target"`
	Runbook        plan.Runbook `json:"runbook"`
	// Outcome is one of finished, rolled_back, denied, superseded, abandoned, halted,
	// failed, refused. After halted the file goes on when the run is resumed.
	Outcome string `json:"outcome"`
	Proof   string `json:"proof,omitempty"`
	// Before and After are version IDs.
	Before []string `json:"versions_before,omitempty"`
	After  string   `json:"version_after,omitempty"`
	Error  string   `json:"error,omitempty"`
	// Question is what a person is asked after halted.
	Question *event.Question `json:"question,omitempty"`
	// AssertedBy and Resolution are the signer and the signed answer that abandoned
	// the reset as a whole.
	AssertedBy string          `json:"asserted_by,omitempty"`
	Resolution json.RawMessage `json:"resolution,omitempty"`
	// Judged are the questions to the result policies at the end.
	Judged []plan.Judgement `json:"judged,omitempty"`
	// Planned is the number of steps in the plan; Records are all earlier lines.
	Planned int          `json:"planned"`
	Records []RecordLink `json:"records"`
	// Total is the number of records in this file so far, this one included.
	Total int `json:"total"`
}

// RecordLink chains a record to the reset's last one.
type RecordLink struct {
	Sequence int `json:"sequence"`
	// Step is empty for an earlier record of the reset itself.
	Step    string `json:"step"`
	Outcome string `json:"outcome"`
	// Record is the sha256 of its bundle line.
	Record string `json:"record"`
}

// Approval is what an approver signs.
type Approval struct {
	PlanID       string   `json:"plan_id"`
	PlanDigest   string   `json:"plan_digest"`
	PolicyDigest string   `json:"policy_digest"`
	TrustDigest  string   `json:"trust_digest"`
	Targets      []string `json:"targets"`
	// Decision is approve, reject, or withdraw, which takes back what the same person decided before.
	Decision string `json:"decision"`
	// Approver is a name for the reader; who it is follows from the key.
	Approver  string    `json:"approver"`
	Comment   string    `json:"comment,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at"`
	Nonce     string    `json:"nonce"`
}

// Resolution is what a person signs who answers where no probe can tell. It says
// what she asserts, and is nobody's observation.
type Resolution struct {
	Run        string `json:"run"`
	PlanID     string `json:"plan_id"`
	PlanDigest string `json:"plan_digest"`
	Address    string `json:"address"`
	// Step is empty where the reset as a whole is given up.
	Step string `json:"step,omitempty"`
	// Question is what was asked, and Record the sha256 of the bundle line of the
	// halted reset that asked it: an answer is to that question alone.
	Question string `json:"question"`
	Record   string `json:"record"`
	// Answer is done or not-done.
	Answer string `json:"answer"`
	// Approver is a name for the reader; who it is follows from the key.
	Approver  string    `json:"approver"`
	Comment   string    `json:"comment,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	Nonce     string    `json:"nonce"`
}
