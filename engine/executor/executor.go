// Package executor carries a plan out: it walks the resets side by side, each
// through its steps in order, and writes to the journal before and after every
// effect, so that whatever interrupts it can be finished later.
package executor

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/secret"
)

// Signer signs evidence statements.
type Signer interface {
	// Sign gives one line of JSON: a Sigstore bundle over an in-toto statement
	// whose first subject is the plan and whose second is the record.
	Sign(r evidence.Record) ([]byte, error)
}

// Archive files signed bundles.
type Archive interface {
	// File writes bundles into their files and into the ledger, and returns when
	// that is durable. Filing again what is filed changes nothing.
	File(ctx context.Context, bundles []journal.Bundle) error
}

// Sealer encrypts secrets for the journal.
type Sealer interface {
	Seal(address, name string, m secret.Material) ([]byte, error)
	Unseal(address, name string, ciphertext []byte) (secret.Material, error)
}

// Executor holds what carrying out any run needs.
type Executor struct {
	Journal   journal.Journal
	Fleet     *fleet.Fleet
	Notifiers []*config.Block
	Policies  *policy.Set
	Signer    Signer
	Archive   Archive
	Seal      Sealer
	Events    event.Sink
	Now       func() time.Time
	// Program is the version that evidence names.
	Program string
	// Parallelism is how many resets hold a worker at once.
	Parallelism int
}

// Job is one run to carry out or to finish.
type Job struct {
	Run  string
	File *plan.File
	// Resets are those to do. Each is one of File.Plan.Resets.
	Resets []*planner.Reset
	// Refused are resets of the plan that may not be begun, with the reason.
	Refused map[string]string
	// Gate is the answer to who agreed. When it did not pass (only possible in a
	// resume), nothing irreversible is begun.
	Gate     gate.Answer
	Operator string
	Verified lifecycle.Strength
	// Unattended is set when nobody was asked at a terminal.
	Unattended bool
	// Facts are circumstances worth keeping in evidence.
	Facts map[string]string
	// Meta is stored with the run, for resume and export.
	Meta []byte
	// Leases by address.
	Leases map[string]journal.Lease
}

// Outcome says how one reset ended.
type Outcome string

// The outcomes.
const (
	// Finished: the old one is dead, everything was done.
	Finished Outcome = "finished"
	// RolledBack: a new one that did not work was taken back; the old one lives.
	RolledBack Outcome = "rolled_back"
	// Halted: something was begun and is not finished; resume goes on.
	Halted Outcome = "halted"
	// Failed: nothing outside was changed.
	Failed Outcome = "failed"
	// Refused: not begun, because the target or the plan is not what was approved.
	Refused Outcome = "refused"
	// NotStarted: not begun, because of an interruption or of what it depends on.
	NotStarted Outcome = "not_started"
)

// ResetResult is the end of one reset.
type ResetResult struct {
	Address string          `json:"address"`
	Outcome Outcome         `json:"outcome"`
	Proof   lifecycle.Proof `json:"proof,omitempty"`
	// Changed is whether anything outside was, or may have been, changed.
	Changed bool `json:"changed"`
	// Step is where it stopped; Error why, and what to do.
	Step  string `json:"step,omitempty"`
	Error string `json:"error,omitempty"`
	// record is the sha256 of the reset's last evidence line.
	record string
}

// Result is the end of a run.
type Result struct {
	Run    string        `json:"run"`
	Resets []ResetResult `json:"resets"`
	// Closed is whether nothing is left to resume.
	Closed bool `json:"closed"`
	// Filed is whether all evidence is in its files and in the ledger.
	Filed bool `json:"filed"`
	// Error is about the run as a whole (journal, evidence).
	Error string `json:"error,omitempty"`
}

// Counts sums the result up.
func (r *Result) Counts() event.Counts {
	var c event.Counts
	for _, x := range r.Resets {
		switch x.Outcome {
		case Finished:
			c.Finished++
			switch x.Proof {
			case lifecycle.Tested:
				c.Tested++
			case lifecycle.Reported:
				c.Reported++
			}
		case Refused:
			c.Refused++
		case NotStarted:
			c.NotStarted++
		default:
			c.Failed++
		}
	}
	return c
}

// common is what every evidence record of a job carries.
func (x *Executor) common(j *Job) evidence.Common {
	p := &j.File.Plan
	return evidence.Common{
		Run: j.Run, PlanID: j.File.ID, PlanDigest: j.File.Digest, WorkspaceDigest: p.WorkspaceDigest,
		PolicyDigest: p.PolicyDigest, TrustDigest: p.TrustDigest, Trust: p.Trust, Program: x.Program,
	}
}

func (x *Executor) now() time.Time { return x.Now().UTC() }

// signed is a record's bundle, ready for the journal, and the sha256 of its line.
func (x *Executor) signed(run, file string, rec evidence.Record) (journal.Bundle, string, error) {
	line, err := x.Signer.Sign(rec)
	if err != nil {
		return journal.Bundle{}, "", fmt.Errorf("evidence cannot be signed: %w", err)
	}
	return journal.Bundle{ID: evidence.ID(rec), Run: run, File: run + "/" + file, Line: line}, evidence.LineDigest(line), nil
}

// encodePlan gives the bytes of a plan file.
func encodePlan(f *plan.File) []byte {
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		panic("a plan that was digested cannot be written") // digesting writes the same form
	}
	return b.Bytes()
}
