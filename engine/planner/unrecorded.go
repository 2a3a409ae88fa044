package planner

import (
	"fmt"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Unrecorded says why a reset that is to leave nothing alive does not begin where
// nothing is known to be there, and what to do: "" where it may.
func Unrecorded(obs provider.Observation, mode lifecycle.Mode) string {
	if !obs.Incomplete || obs.Exists || mode == lifecycle.Cutover {
		return ""
	}
	const why = "the target keeps no record of an old one, and no store holds one, but one that was made before the record was kept may be alive, " +
		"and nothing could show that it is dead: put it into a store; "
	if mode == lifecycle.Retire {
		return why + "if none was ever made, there is nothing to retire, and its block can go"
	}
	return why + "if none was ever made, reset with -reason=scheduled to make the first one"
}

// unrecorded says which of the resets will not begin. A plan of nothing else is none;
// others go on, since what can be contained is not to wait. One that was saved is
// compared, and found to be stale.
func unrecorded(resets []*Reset, saved bool) diag.Diagnostics {
	var out []*Reset
	for _, r := range resets {
		if r.unrecorded != "" {
			out = append(out, r)
		}
	}
	if len(out) == 0 {
		return nil
	}
	about := out[0].Credential.Addr.String()
	if n := len(out) - 1; n > 0 {
		about = fmt.Sprintf("%s and %d more", about, n)
	}
	if len(out) == len(resets) && !saved {
		return diag.Errored(0, "Nothing could be shown to be dead", "Of %s %s.", about, out[0].unrecorded)
	}
	var diags diag.Diagnostics
	return diags.Warnf("A reset will not begin", "Of %s %s. The others go on; leave it out with -where.", about, out[0].unrecorded)
}
