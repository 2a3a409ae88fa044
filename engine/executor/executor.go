// Package executor carries a plan out: it walks the resets side by side, each
// through its steps in order, and writes to the journal before and after every
// effect, so that whatever interrupts it can be finished later.
package executor

import (
	"bytes"
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/fleet"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/planner"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/verify"
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
	// that is durable. Filing again what is filed changes nothing. ctx cuts short a
	// wait for other processes, and nothing that is begun.
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
	// Clock is one that nobody sets: what it gives is compared only with what it gave
	// before. time.Now, for its monotonic reading, unless it is set.
	Clock func() time.Time
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
	// Gate is the answer to who agreed.
	Gate gate.Answer
	// Held is set when the gates do not let anything irreversible begin (only
	// possible in a resume): what restores a working secret still goes on.
	Held *Held
	// Unopened is why nothing that the run has sealed can be opened by this process, nil
	// where it can. Steps that need a secret stop with it, no reset is begun, and what
	// needs none goes on: taking a reset up to its end.
	Unopened error
	// Kept are the documents of Gate.Approvals that the run does not keep yet.
	Kept []gate.Document
	// KeptVerifications are documents likewise, and KeptOverrides those of
	// Gate.Lifting.Overrides.
	KeptVerifications, KeptOverrides []gate.Document
	// KeptBreakGlass is a statement that took the place of the run's.
	KeptBreakGlass []gate.Document
	// Answers are people's, to questions of this run, oldest first.
	Answers []Answer
	// BreakGlass is there where the run rests on it.
	BreakGlass *BreakGlass
	// Operator is who runs it, OperatorNames her other names, and OpenedBy, in a resume,
	// all names of who opened the run.
	Operator                string
	OperatorNames, OpenedBy []string
	// Authors are who wrote the change of the workspace, as far as that is known.
	Authors []string
	// Verified is how surely it is known who asks.
	Verified verify.Outcome
	// Unattended is set when nobody was asked at a terminal.
	Unattended bool
	// Judged are the questions to the policies before the run was opened, and JudgedAgain
	// those before this resume.
	Judged, JudgedAgain []plan.Judgement
	// Ephemeral is set where the state was accepted as one that begins anew with each
	// job: fencing tokens of credentials that it does not know yet begin above what
	// their targets remember.
	Ephemeral bool
	// Facts are circumstances worth keeping in evidence.
	Facts map[string]string
	// Meta is stored with the run, for resume and export.
	Meta []byte
	// Leases by address.
	Leases map[string]journal.Lease
	// Generations are the finished resets that the state knows of, by address:
	// more than the plan saw means that somebody else finished one since.
	Generations map[string]int64

	// void is set once a result has made the overrides worth nothing.
	void atomic.Pointer[Held]
}

// Held says why gated steps may not begin.
type Held struct {
	// Exit is what the command answers when nothing else happened.
	Exit diag.Exit
	// Why is a sentence or more, with what to do.
	Why string
}

// Error is Why.
func (h *Held) Error() string { return h.Why }

// common is what every evidence record of a job carries.
func (x *Executor) common(j *Job) evidence.Common {
	p := &j.File.Plan
	return evidence.Common{
		Run: j.Run, PlanID: j.File.ID, PlanDigest: j.File.Digest, WorkspaceDigest: p.WorkspaceDigest,
		PolicyDigest: p.PolicyDigest, TrustDigest: p.TrustDigest, Trust: p.Trust, Program: x.Program,
	}
}

func (x *Executor) now() time.Time { return x.Now().UTC() }

func (x *Executor) clock() time.Time {
	if x.Clock == nil {
		return time.Now()
	}
	return x.Clock()
}

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
