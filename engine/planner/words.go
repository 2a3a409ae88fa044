package planner

import (
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// target names what a step acts on.
func (s situation) target(st config.Step) string {
	switch {
	case st.Store != nil:
		return st.Store.Key()
	case st.Consumer != nil:
		return st.Consumer.Key()
	}
	switch st.Phase {
	case lifecycle.Verify, lifecycle.Approve:
		return "requester"
	case lifecycle.Issue:
		if s.c.Type.Kind != lifecycle.Minted {
			return "memory"
		}
	case lifecycle.Notify:
		if len(st.Via) > 0 {
			return strings.Join(st.Via, ", ")
		}
		return "notifiers"
	}
	return s.c.Provider.Key()
}

// summary says in one sentence what a step will do.
func (s situation) summary(st config.Step) string {
	inPlace, contain := s.c.Type.Kind == lifecycle.InPlace, s.reset.Mode == lifecycle.Contain
	switch st.Phase {
	case lifecycle.Verify:
		return "record who asks, and how surely that is known"
	case lifecycle.Approve:
		return "require the approvals that policies ask for"
	case lifecycle.Issue:
		return s.issue(st)
	case lifecycle.Install:
		switch {
		case inPlace && contain:
			return "set the new secret and enable it, in one operation"
		case inPlace:
			return "replace the secret; from this moment the old one is refused"
		case contain:
			return "add the new one; the old one is gone by now"
		}
		return "add the new one beside the old one"
	case lifecycle.Confirm:
		return "see that the target accepts the new one"
	case lifecycle.Distribute:
		return s.distribute(st)
	case lifecycle.Reload:
		return "make the consumer pick up the new one"
	case lifecycle.Revoke:
		switch {
		case inPlace && s.reset.Mode == lifecycle.Cutover:
			return "nothing more to do: install replaces the old one"
		case inPlace:
			return "make the credential unusable, for the right secret and for wrong ones"
		}
		return fmt.Sprintf("revoke %s", count(len(s.obs.Versions), "version", "versions"))
	case lifecycle.Terminate:
		return s.terminate(st)
	case lifecycle.Prove:
		return s.prove(st)
	case lifecycle.Notify:
		return "tell " + st.To
	}
	return ""
}

func (s situation) issue(st config.Step) string {
	bits := 0.0
	if f := s.c.Type.Issue.Bits; f != nil {
		bits = f(st.Args)
	}
	if s.c.Type.Kind == lifecycle.Minted {
		return fmt.Sprintf("have the target make a new one (%.0f bits)", bits)
	}
	return fmt.Sprintf("make a new one in memory (%.0f bits), sealed in the journal", bits)
}

func (s situation) distribute(st config.Step) string {
	where := st.Store.Key()
	if p := st.Store.Attrs.Path("path").Written; p != "" {
		where = p
	}
	if k := st.Store.Attrs.String("key"); k != "" {
		where += " (" + k + ")"
	}
	if s.reset.Mode == lifecycle.Retire {
		return "empty " + where
	}
	return "put " + st.Store.Field + " into " + where
}

func (s situation) terminate(st config.Step) string {
	if !s.c.Type.Sessions {
		return "nothing to do: the target keeps no sessions of this type"
	}
	text := "end the sessions begun before the old one stopped being accepted"
	if !s.c.Type.SelectiveSessions {
		text = "end all sessions: the target cannot tell old from new"
	}
	if d := s.obs.Settle; d > 0 && st.Addr.Nth < 2 {
		text += fmt.Sprintf(", and again until a login begun before can no longer complete (%s)", d.Round(time.Millisecond))
	}
	return text
}

func (s situation) prove(st config.Step) string {
	if s.reset.Mode == lifecycle.Contain && st.Addr.Nth < 2 || s.reset.Mode == lifecycle.Retire {
		return "see that the old one is refused as wrong"
	}
	return "see that the old one is refused as wrong, and last that the new one is accepted"
}

// notes are what a reviewer should know about this reset, in whole sentences.
func (s situation) notes() []string {
	var out []string
	c := s.c
	if why := Unrecorded(s.obs, s.reset.Mode); why != "" {
		return append([]string{"This reset will not begin: " + why + "."}, s.obs.Notes...)
	}
	switch {
	case !s.obs.Exists && s.reset.Mode == lifecycle.Retire:
		out = append(out, "The target does not have this credential.")
	case !s.obs.Exists:
		out = append(out, "The target does not have this credential yet: there is no old one to kill.")
	case !s.obs.Enabled && s.reset.Mode == lifecycle.Cutover:
		out = append(out, "Logging in is disabled at the target; this reset enables it.")
	}
	inPlace := c.Type.Kind == lifecycle.InPlace
	switch {
	case inPlace && s.reset.Mode == lifecycle.Cutover && len(c.Stores) > 0:
		out = append(out, "Gap: from install until the stores have the new secret, whoever logs in with what they hold is refused.")
	case s.reset.Mode == lifecycle.Contain:
		gap := "Gap: from revoke until the stores have the new secret, nobody can log in"
		if s.obs.Settle > 0 && c.Type.Sessions {
			gap += fmt.Sprintf(" (at least %s: so long a login begun before may take)", s.obs.Settle.Round(time.Millisecond))
		}
		out = append(out, gap+".")
	}
	if len(c.Stores) == 0 && s.reset.Mode != lifecycle.Retire {
		out = append(out, "No store: the new secret stays sealed in the state until it is taken with `remint recover`.")
	}
	if s.obs.Exists && !s.holdsOld() {
		out = append(out, "No store holds the old secret, so its death can be reported by the target, not tested by using it.")
	}
	if s.obs.Exists && !s.obs.Fenced {
		out = append(out, "Unfenced: the target cannot tell a runner that was overtaken; only the lease in the state keeps it away.")
	}
	return append(out, s.obs.Notes...)
}

// holdsOld reports whether some store has the field that a probe needs.
func (s situation) holdsOld() bool {
	for _, b := range s.c.Stores {
		if b.Field == s.c.Type.ProbeField() {
			return true
		}
	}
	return false
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
