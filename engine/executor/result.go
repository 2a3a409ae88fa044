package executor

import (
	"strings"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// Outcome says how one reset ended.
type Outcome string

// The outcomes.
const (
	// Finished: the old one is dead, everything was done.
	Finished Outcome = "finished"
	// RolledBack: a new one that did not work was taken back; the old one lives.
	RolledBack Outcome = "rolled_back"
	// Denied: it was carried out, and the result policies do not accept what was
	// observed. Nothing is left to resume.
	Denied Outcome = "denied"
	// Superseded: somebody else reset the credential after this reset had begun.
	// What is left of it would put a dead secret over a living one, so it is not done.
	Superseded Outcome = "superseded"
	// Abandoned: a person said that it cannot be finished. What was done stays;
	// nothing shows that the old one is dead.
	Abandoned Outcome = evidence.Abandoned
	// Halted: something was begun and is not finished; resume goes on.
	Halted Outcome = "halted"
	// Failed: nothing outside was changed.
	Failed Outcome = "failed"
	// Refused: not begun, because the target or the plan is not what was approved.
	Refused Outcome = "refused"
	// NotStarted: not begun, because of an interruption, of a gate, or of what it
	// depends on.
	NotStarted Outcome = "not_started"
)

// ResetResult is the end of one reset.
type ResetResult struct {
	Address string          `json:"address"`
	Outcome Outcome         `json:"outcome"`
	Proof   lifecycle.Proof `json:"proof,omitempty"`
	// Changed is whether anything outside was, or may have been, changed.
	Changed bool `json:"changed"`
	// Open is whether a resume has something left to do here.
	Open bool `json:"open,omitempty"`
	// First is whether there was no old one: nothing died, whatever Proof says of
	// its absence.
	First bool `json:"first,omitempty"`
	// Absent is whether it was to be retired and did not exist: nothing was made either.
	Absent bool `json:"absent,omitempty"`
	// Sealed is whether the new secret stays sealed in the state, because no store has it.
	Sealed bool `json:"sealed,omitempty"`
	// SealedOld is whether the old secret, or what may be it, stays sealed in the state,
	// because it may still work.
	SealedOld bool `json:"sealed_old,omitempty"`
	// Asserted are the steps that rest on a person's word.
	Asserted []string `json:"asserted,omitempty"`
	// Step is where it stopped; Error why, and what to do.
	Step  string `json:"step,omitempty"`
	Error string `json:"error,omitempty"`
	// Question is what a person is asked where looking again does not tell.
	Question *event.Question `json:"question,omitempty"`
	// Exit is what this reset alone asks the command to answer, when nothing
	// was changed by any.
	Exit diag.Exit `json:"-"`
	// record is the sha256 of the reset's last evidence line.
	record string
}

// sealed says what stays sealed in the state, and what to do about it.
func (x *ResetResult) sealed(run string) string {
	var out []string
	where := "-run=" + run + " " + event.Shell(x.Address)
	switch {
	case x.Sealed && x.Outcome == Superseded:
		out = append(out, "what this run made stays sealed in the state: remint recover -erase "+where)
	case x.Sealed:
		out = append(out, "the new secret stays sealed in the state, because no store has it: remint recover")
	}
	if x.SealedOld {
		out = append(out, "the old secret stays sealed in the state, because it may still work: remint recover -old -out=FILE "+where)
	}
	return strings.Join(out, "; ")
}

// Result is the end of a run.
type Result struct {
	Run string `json:"run"`
	// Reason is that of its plan.
	Reason lifecycle.Reason `json:"reason"`
	// Trust says where its judges come from, as in its plan.
	Trust  string        `json:"trust"`
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
			switch {
			case x.Absent:
				c.Absent++
			case x.First:
				c.Made++
			case x.Proof == lifecycle.Tested:
				c.Tested++
			case x.Proof == lifecycle.Reported:
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

// Exit is the exit code of a run: 0 only when everything asked for is dead and
// evidenced; 6 as soon as something changed and not everything is; otherwise
// nothing outside changed, and the code says why.
func (r *Result) Exit() diag.Exit {
	finished, changed, why := 0, false, diag.ExitError
	for _, x := range r.Resets {
		if x.Outcome == Finished {
			finished++
		}
		changed = changed || x.Changed || x.Outcome == Finished
		why = max(why, x.Exit)
	}
	switch {
	case finished == len(r.Resets) && r.Filed && r.Closed:
		return diag.ExitOK
	case changed:
		return diag.ExitUnfinished
	}
	return why
}

// maxAddresses is how many addresses a command is written with.
const maxAddresses = 20

// Next are the commands to give next, ready for a shell: none where nothing is left
// to do. A closed run is not resumed: what it did not finish is planned anew, once what
// kept it from that is mended.
func (r *Result) Next() []string {
	switch {
	case r.Exit() == diag.ExitOK:
		return nil
	case !r.Closed || !r.Filed:
		return []string{"remint resume " + r.Run}
	}
	plan := "remint plan -reason=" + string(r.Reason)
	var left []string
	for _, x := range r.Resets {
		if x.Outcome != Finished {
			left = append(left, event.Shell(x.Address))
		}
	}
	if len(left) > maxAddresses {
		return []string{"remint runs " + r.Run, plan + " ADDRESS…"}
	}
	return []string{plan + " " + strings.Join(left, " ")}
}

// Outcome puts a result into one word: finished only where the exit code is 0.
func (r *Result) Outcome() string { return r.outcome(r.Closed && r.Filed) }

// outcome is Outcome for a run that is, or is about to be, closed and evidenced.
func (r *Result) outcome(whole bool) string {
	seen := Result{Resets: r.Resets, Closed: whole, Filed: whole}
	switch seen.Exit() {
	case diag.ExitOK:
		return "finished"
	case diag.ExitUnfinished:
		return "unfinished"
	}
	return "nothing_changed"
}
