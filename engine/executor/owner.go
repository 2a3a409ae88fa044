package executor

import (
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
)

// told says to the owner what came of the reset: no more of the old secret than its
// proof, and of the new one where it is, and who was left out.
func (r *reset) told() string {
	var out []string
	stores := r.without(lifecycle.Distribute, r.Credential.Stores)
	if r.mode() == lifecycle.Retire {
		out = append(out, fmt.Sprintf("%s was retired: %s.", r.address, r.retired()))
		if len(stores) > 0 {
			out = append(out, "Not emptied, and may still hold it: "+strings.Join(stores, ", ")+".")
		}
		return strings.Join(out, " ")
	}
	consumers := r.without(lifecycle.Reload, r.Credential.Consumers)
	where := "the new one is where it is needed"
	switch {
	case !r.needless(Finished):
		where = "the new one stays sealed in the state, since no store has all of it (`remint recover`)"
	case len(stores)+len(consumers) > 0:
		where += ", but for what was left out"
	}
	out = append(out, fmt.Sprintf("%s was reset: %s, %s.", r.address, r.death(), where))
	if len(stores) > 0 {
		out = append(out, "Not given the new one, and may still hold the old one: "+strings.Join(stores, ", ")+".")
	}
	if len(consumers) > 0 {
		out = append(out, "Did not pick up the new one: "+strings.Join(consumers, ", ")+".")
	}
	return strings.Join(out, " ")
}

// death is what is known of the old secret's.
func (r *reset) death() string {
	switch proof := r.proof(); {
	case first(r.Plan):
		return "there was no old secret"
	case proof == lifecycle.Tested:
		return "the old secret is dead"
	case proof == lifecycle.Reported:
		return "the old secret is dead by the target's own records"
	}
	return "nothing shows yet that the old secret is dead"
}

// retired is death, where nothing takes the old one's place.
func (r *reset) retired() string {
	switch proof := r.proof(); {
	case first(r.Plan):
		return "the target did not have it"
	case proof == lifecycle.Tested:
		return "nobody can use it any more"
	case proof == lifecycle.Reported:
		return "by the target's own records nobody can use it any more"
	}
	return "nothing shows yet that nobody can use it"
}

// without names the stores or consumers for which no step of a phase is done.
func (r *reset) without(phase lifecycle.Phase, blocks []*config.Block) []string {
	done := map[*config.Block]bool{}
	for _, st := range r.steps {
		if st.Phase == phase && r.past.steps[st.Addr.String()].done() {
			done[st.Store], done[st.Consumer] = true, true
		}
	}
	var out []string
	for _, b := range blocks {
		if !done[b] {
			out = append(out, b.Key())
		}
	}
	return out
}
