package policy

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/plan"
)

// Record is one question and its answer, in the form of OPA's decision logs.
// The input is always erased; its digest stands for it.
type Record struct {
	Labels     map[string]string `json:"labels"`
	DecisionID string            `json:"decision_id"`
	// Revision is the digest of all policies, as in plans.
	Revision string `json:"revision"`
	// Bundles are the sources that are signed bundles, by name.
	Bundles map[string]RecordBundle `json:"bundles,omitempty"`
	// Path is remint/plan, remint/approval or remint/result.
	Path   string   `json:"path"`
	Erased []string `json:"erased"`
	// Result is absent when the policies could not be asked.
	Result *RecordResult `json:"result,omitempty"`
	Error  *RecordError  `json:"error,omitempty"`
	// RequestedBy is the requester that the plan claims.
	RequestedBy string           `json:"requested_by,omitempty"`
	Timestamp   time.Time        `json:"timestamp"`
	Metrics     map[string]int64 `json:"metrics"`
	Custom      RecordCustom     `json:"custom"`
}

// RecordBundle is a signed bundle that was asked.
type RecordBundle struct {
	Revision string `json:"revision"`
}

// RecordResult is what was decided.
type RecordResult struct {
	Denied       bool              `json:"denied"`
	Decisions    []plan.Decision   `json:"decisions"`
	Requirements plan.Requirements `json:"requirements"`
}

// RecordError says why there is no result. What has none is denied.
type RecordError struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// RecordCustom is what OPA's form has no place for.
type RecordCustom struct {
	// InputDigest is "sha256:…" over the JSON of the input without its resets,
	// and of each reset, a line each; then likewise as the trust base would have it,
	// where that differs and was asked about too.
	InputDigest string `json:"input_digest"`
	// Now is the time that the policies were told, in the approval stage.
	Now    *time.Time `json:"now,omitempty"`
	Resets int        `json:"resets"`
	Reason string     `json:"reason"`
	Mode   string     `json:"mode"`
	Ticket string     `json:"ticket,omitempty"`
}

// judgement begins what is kept of a question; digest is that of its input.
func (s *Set) judgement(in *Input, begun time.Time, digest string) plan.Judgement {
	return plan.Judgement{
		ID: rand.Text(), Stage: string(in.Stage), InputDigest: digest, PolicyDigest: s.digest, Revisions: s.revisions, Result: plan.Unanswered,
		AskedAt: begun.UTC(), Took: time.Since(begun).Nanoseconds(), Now: in.Now,
	}
}

// logged writes what was decided about in. What cannot be logged denies.
func (s *Set) logged(in *Input, j *plan.Judgement, v Verdict, diags diag.Diagnostics) diag.Diagnostics {
	if !diags.HasErrors() {
		j.Result = plan.Allowed
		if v.Denied() {
			j.Result = plan.Denied
		}
		if in.Stage != StagePlan {
			j.Decisions = v.Decisions
		}
	}
	if s.log == nil {
		return diags
	}
	r := Record{
		Labels: map[string]string{"app": "remint"}, DecisionID: j.ID, Revision: s.digest,
		Path: strings.ReplaceAll(string(in.Stage), ".", "/"), Erased: []string{"/input"}, RequestedBy: in.Requester,
		Timestamp: j.AskedAt, Metrics: map[string]int64{"timer_rego_query_eval_ns": j.Took},
		Custom: RecordCustom{
			InputDigest: j.InputDigest, Resets: len(in.Resets), Now: in.Now,
			Reason: string(in.Reason), Mode: string(in.Mode), Ticket: in.Ticket,
		},
	}
	for name, revision := range s.revisions {
		if r.Bundles == nil {
			r.Bundles = map[string]RecordBundle{}
		}
		r.Bundles[name] = RecordBundle{revision}
	}
	if err := diags.Err(); err != nil {
		r.Error = &RecordError{Code: "eval_error", Message: err.Error()}
	} else {
		r.Result = &RecordResult{Denied: v.Denied(), Decisions: v.Decisions, Requirements: v.Requirements}
	}
	if err := s.log(r); err != nil {
		j.Result = plan.Unanswered
		diags = append(diags, denied("The decision log cannot be written", "%v. A decision that is not logged does not count.", err)...)
	}
	return diags
}

// digest is a hash of what policies see in one question.
func digest(inputs ...*Input) string {
	h := sha256.New()
	for _, in := range inputs {
		head := *in
		head.Resets = nil
		writeJSON(h, head)
		for i := range in.Resets {
			writeJSON(h, &in.Resets[i])
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func writeJSON(h hash.Hash, v any) {
	if err := json.NewEncoder(h).Encode(v); err != nil { // it was shown to policies already
		_, _ = h.Write([]byte(err.Error()))
	}
}
