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

// RecordCustom is what OPA's form has no place for. Where the policies could not be read
// there was no question, and all of it is absent.
type RecordCustom struct {
	// InputDigest is "sha256:…" over the JSON of the input without its resets,
	// and of each reset, a line each; then likewise as the trust base would have it,
	// where that differs and was asked about too.
	InputDigest string `json:"input_digest,omitempty"`
	// Now is the time that the policies were told, in the approval stage.
	Now    *time.Time `json:"now,omitempty"`
	Resets int        `json:"resets"`
	Reason string     `json:"reason,omitempty"`
	Mode   string     `json:"mode,omitempty"`
	Ticket string     `json:"ticket,omitempty"`
	// Lifted are denials that do not stop the run, because somebody signed for that: in the
	// approval stage, those of this decision and those of the plan.
	Lifted []RecordLifted `json:"lifted,omitempty"`
}

// RecordLifted is a denial that was lifted, and by whom.
type RecordLifted struct {
	// Stage is the decision that the denial is of, as in remint.plan.
	Stage  string `json:"stage"`
	Source string `json:"source"`
	Rule   string `json:"rule"`
	// Address is empty where the rule is about the whole plan.
	Address string `json:"address,omitempty"`
	// With is override or break-glass, By the approver who signed it, Ticket what that names.
	With   string `json:"with"`
	By     string `json:"by"`
	Ticket string `json:"ticket,omitempty"`
}

// judgement begins what is kept of a question; digest is that of its input.
func (s *Set) judgement(in *Input, begun time.Time, digest string) plan.Judgement {
	return plan.Judgement{
		ID: rand.Text(), Stage: string(in.Stage), InputDigest: digest, PolicyDigest: s.digest, Revisions: s.revisions, Result: plan.Unanswered,
		AskedAt: begun.UTC(), Took: time.Since(begun).Nanoseconds(), Now: in.Now,
	}
}

// record begins a line of the log.
func record(id string, stage Stage, at time.Time) Record {
	return Record{
		Labels: map[string]string{"app": "remint"}, DecisionID: id, Path: strings.ReplaceAll(string(stage), ".", "/"), Erased: []string{"/input"},
		Timestamp: at.UTC(), Metrics: map[string]int64{},
	}
}

// Unasked writes that stage could not be asked about anything, because the policies could
// not be read: without a line, a SIEM would see nothing of it. faults are why.
func (o Options) Unasked(stage Stage, at time.Time, faults diag.Diagnostics) diag.Diagnostics {
	if o.Log == nil || !faults.HasErrors() {
		return nil
	}
	r := record(rand.Text(), stage, at)
	r.Error = &RecordError{Code: "unread", Message: faults.Err().Error()}
	if err := o.Log(r); err != nil {
		return unlogged(err)
	}
	return nil
}

func unlogged(err error) diag.Diagnostics {
	return denied("The decision log cannot be written", "%v. A decision that is not logged does not count.", err)
}

// logged writes what was decided about in. What cannot be logged denies.
func (s *Set) logged(in *Input, j *plan.Judgement, v Verdict, lifted []RecordLifted, diags diag.Diagnostics) diag.Diagnostics {
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
	r := record(j.ID, in.Stage, j.AskedAt)
	r.Revision, r.RequestedBy, r.Metrics["timer_rego_query_eval_ns"] = s.digest, in.Requester, j.Took
	r.Custom = RecordCustom{
		InputDigest: j.InputDigest, Resets: len(in.Resets), Now: in.Now,
		Reason: string(in.Reason), Mode: string(in.Mode), Ticket: in.Ticket, Lifted: lifted,
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
		diags = append(diags, unlogged(err)...)
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
