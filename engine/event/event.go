// Package event is the one stream of what happens during a command. Views and
// evidence read it; it does not import package secret, so that no event can
// carry one.
package event

import (
	"sync"
	"time"
)

// Type names what happened. The set only grows within a major version.
type Type string

// The event types, in the order in which a run shows them.
const (
	Version       Type = "version"        // first; Message names program and format
	Diagnostic    Type = "diagnostic"     // a fault or warning
	PlanProgress  Type = "plan_progress"  // Done of Total targets read
	RunOpened     Type = "run_opened"     // the journal holds the run
	ResetStarted  Type = "reset_started"  //
	StepStarted   Type = "step_started"   // the intention is durable
	StepWaiting   Type = "step_waiting"   // holds no worker until Until
	StepCompleted Type = "step_completed" // the outcome is durable
	StepFailed    Type = "step_failed"    //
	ResetFinished Type = "reset_finished" // Outcome and Proof
	RunClosed     Type = "run_closed"     // the counts
	Evidence      Type = "evidence"       // bundles written and logged
	KeyUsed       Type = "key_used"       // an approver is told that her key was used
)

// Level is how loud an event is.
type Level string

// The levels.
const (
	Info  Level = "info"
	Warn  Level = "warn"
	Error Level = "error"
)

// Event is one thing that happened. Unused members are absent from JSON.
type Event struct {
	Type      Type       `json:"type"`
	Level     Level      `json:"@level"`
	Message   string     `json:"@message"`
	Timestamp time.Time  `json:"@timestamp"`
	Format    string     `json:"format_version,omitempty"`
	Run       string     `json:"run,omitempty"`
	Address   string     `json:"address,omitempty"`
	Step      string     `json:"step,omitempty"`
	Phase     string     `json:"phase,omitempty"`
	Target    string     `json:"target,omitempty"`
	Attempt   int        `json:"attempt,omitempty"`
	Outcome   string     `json:"outcome,omitempty"`
	Proof     string     `json:"proof,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	Until     *time.Time `json:"until,omitempty"`
	Done      int        `json:"done,omitempty"`
	Total     int        `json:"total,omitempty"`
	Counts    *Counts    `json:"counts,omitempty"`
	// Trust says where the judges of the run come from, as in its plan; in run_opened
	// and run_closed.
	Trust string `json:"trust,omitempty"`
	// Fault carries a diagnostic's place and remedy for machines.
	Fault any `json:"diagnostic,omitempty"`
	// Question is what `remint resolve` answers, in reset_finished.
	Question *Told `json:"question,omitempty"`
	// Next are the commands to give next, in run_closed, where something is left to do.
	Next []string `json:"next,omitempty"`
}

// Counts sums up a run.
type Counts struct {
	Finished   int `json:"finished"`
	Failed     int `json:"failed"`
	Refused    int `json:"refused"`
	NotStarted int `json:"not_started"`
	// Made counts those finished for which there was no old one; Absent those that
	// were to be retired and did not exist; Tested and Reported count old ones that
	// are dead.
	Made     int `json:"made"`
	Absent   int `json:"absent"`
	Tested   int `json:"tested"`
	Reported int `json:"reported"`
}

// Sink takes events. Emit must not block for long and must be safe for
// concurrent use.
type Sink interface{ Emit(Event) }

// Discard drops every event.
var Discard Sink = discard{}

type discard struct{}

// Emit drops the event.
func (discard) Emit(Event) {}

// Recorder keeps events, for tests and for callers that want them all.
type Recorder struct {
	mu     sync.Mutex
	events []Event
}

// Emit keeps e.
func (r *Recorder) Emit(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// Events is a copy of what was kept.
func (r *Recorder) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]Event(nil), r.events...)
}
