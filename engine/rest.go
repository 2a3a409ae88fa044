package engine

import (
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/plan"
)

// rest selects, for -where, the resets of a plan that nothing holds up: exactly them,
// whatever else there is in the workspace. It is "" where something holds up all of
// them, or nothing any.
func rest(file *plan.File, a gate.Answer) string {
	held, all := heldUp(a)
	if all || len(held) == 0 {
		return ""
	}
	var free, stopped []string
	for _, r := range file.Plan.Resets {
		if held[r.Address] {
			stopped = append(stopped, addrs.Quote(r.Address))
		} else {
			free = append(free, addrs.Quote(r.Address))
		}
	}
	if len(free) == 0 {
		return ""
	}
	only := "contains([" + strings.Join(free, ", ") + "], address)"
	but := "!contains([" + strings.Join(stopped, ", ") + "], address)"
	said := file.Plan.Selection
	switch {
	case said == nil:
		return only
	case said.By == plan.ByWhere && !strings.ContainsAny(said.Where, "#/\n"): // no comment can swallow what follows
		but = "(" + said.Where + ") && " + but
	case said.By != plan.ByAll: // others than these were not asked for
		return only
	}
	if len(only) <= len(but) {
		return only
	}
	return but
}

// heldUp are the addresses that something holds up, or whether that is the whole plan.
func heldUp(a gate.Answer) (held map[string]bool, all bool) {
	held = map[string]bool{}
	some := func(addresses ...string) {
		all = all || len(addresses) == 0 || slices.Contains(addresses, "")
		for _, x := range addresses {
			held[x] = true
		}
	}
	for _, n := range a.Needs {
		if !n.Met() {
			some(n.Addresses...)
		}
	}
	for _, d := range a.Lifting.Left {
		some(d.Address)
	}
	for _, x := range a.Waiting {
		some(x)
	}
	glass := a.Glass != nil && len(a.Glass.Missing) > 0
	return held, all || a.Unverified || glass || len(a.Rejections) > 0
}
