package executor

import (
	"errors"
	"fmt"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// question is the one thing that a person is asked when a reset stopped: whether
// the step that it stopped at happened, where looking did not tell; otherwise
// whether the reset can be finished at all. nil where a resume has not looked yet,
// or where gates decide.
func (r *reset) question(cause error) *event.Question {
	var held *Held
	if errors.As(cause, &held) || r.soft.Err() != nil {
		return nil
	}
	q := &event.Question{Run: r.job.Run, Address: r.address}
	if st, _ := r.stepAt(stepOf(cause)); r.inDoubt(st, cause) {
		q.Step = st.Addr.String()
		q.Asks, q.Done, q.NotDone = r.words(st)
		return q
	}
	return Whole(q.Run, q.Address)
}

// Whole is the question about a reset as a whole, which may be asked whatever it
// stopped at: a run must come to an end even when its target is gone for good.
func Whole(run, address string) *event.Question {
	return &event.Question{
		Run: run, Address: address, Asks: "Can the reset of " + address + " still be finished?",
		NotDone: "the reset is closed as abandoned: nothing more is done at the target or in any store, nothing is said to be dead, and the old secret, and a new one that no store has, stay sealed",
	}
}

// stepAt finds a step of this reset, or the one that takes a new version back.
func (r *reset) stepAt(address string) (config.Step, bool) {
	for _, st := range append(r.steps[:len(r.steps):len(r.steps)], rollBackStep()) {
		if st.Addr.String() == address {
			return st, true
		}
	}
	return config.Step{}, false
}

// inDoubt reports whether nobody knows if st happened. Whether an old secret is
// dead is never in a doubt that words could take away.
func (r *reset) inDoubt(st config.Step, cause error) bool {
	var goingOn errGoingOn
	if errors.As(cause, &goingOn) { // not even the target does, yet
		return false
	}
	switch st.Phase {
	case lifecycle.Prove:
		return false
	case lifecycle.Confirm: // it only looks, and got no answer
		unanswered := provider.ClassOf(cause, provider.Transient) == provider.Transient || errors.Is(cause, errResting)
		return unanswered && !isNotAccepted(cause)
	}
	return r.past.steps[st.Addr.String()].uncertain()
}

// words puts the question about a step, and what each answer does, into words.
func (r *reset) words(st config.Step) (asks, done, notDone string) {
	target := r.Plan.Observed.Target
	if target == "" {
		target = "the target"
	}
	goesOn := "the reset goes on after this step, on your word"
	switch {
	case st.Addr == rollBackStep().Addr:
		return fmt.Sprintf("The new version of %s did not work. Is it gone from %s again?", r.address, target),
			"the reset ends as rolled back, on your word", "it is taken back again"
	case st.Phase == lifecycle.Issue:
		return fmt.Sprintf("Did %s make a version of %s for this run (its mark begins with %s) that is still valid?", target, r.address, r.label(st.Addr.String())),
			"its secret never arrived here, so the reset is closed as abandoned: revoke that version at the target by hand, then plan again",
			"a version is made again. Say so if you found none, or have revoked it by hand"
	case st.Phase == lifecycle.Install:
		return fmt.Sprintf("Does %s hold the new secret of %s that this run made (`remint recover` writes it into a file)?", target, r.address),
			goesOn + "; `confirm` still tries it", "it is set again"
	case st.Phase == lifecycle.Confirm:
		if r.mode() == lifecycle.Cutover && !r.inPlace() {
			notDone = "the new version is taken back, if nothing else was changed yet; otherwise it is tried again"
		} else {
			notDone = "it is tried again"
		}
		return fmt.Sprintf("Does %s accept the new secret of %s (`remint recover` writes it into a file)?", target, r.address),
			goesOn + ", which result policies may refuse", notDone
	case st.Phase == lifecycle.Distribute && r.mode() == lifecycle.Retire:
		return fmt.Sprintf("Is store %s empty of the secret of %s?", storeOf(st), r.address), goesOn, "it is emptied again"
	case st.Phase == lifecycle.Distribute:
		return fmt.Sprintf("Does store %s hold the new secret of %s?", storeOf(st), r.address),
			goesOn + "; the new secret stays sealed in the state as well", "it is put there again"
	case st.Phase == lifecycle.Reload:
		return fmt.Sprintf("Did consumer %s of %s pick up the new secret?", consumerOf(st), r.address), goesOn, "it is told again"
	case st.Phase == lifecycle.Revoke:
		return fmt.Sprintf("Is the old secret of %s revoked at %s?", r.address, target),
			goesOn + "; `prove` still has to show that it is dead", "it is revoked again"
	case st.Phase == lifecycle.Terminate:
		return fmt.Sprintf("Are the sessions of %s that were begun with the old secret ended at %s?", r.address, target), goesOn, "they are ended again"
	case st.Phase == lifecycle.Notify:
		return fmt.Sprintf("Was %s told of the reset of %s?", st.To, r.address), goesOn, "the notice is sent again"
	}
	return fmt.Sprintf("Did %s of %s happen?", st.Addr, r.address), goesOn, "it is done again"
}

func storeOf(st config.Step) string {
	if st.Store == nil {
		return st.Addr.String()
	}
	return st.Store.Key()
}

func consumerOf(st config.Step) string {
	if st.Consumer == nil {
		return st.Addr.String()
	}
	return st.Consumer.Key()
}
