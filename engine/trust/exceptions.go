package trust

import (
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/config"
)

// Override says who may lift denials of overridable policies.
type Override struct {
	Groups     []string `json:"groups"`
	MaxExpires string   `json:"max_expires"`
}

// BreakGlass says who may open the gates in an incident, and what is owed for it.
type BreakGlass struct {
	Group        string   `json:"group"`
	Notify       []string `json:"notify"`
	Via          []string `json:"via"`
	MaxTargets   int      `json:"max_targets"`
	ReviewWithin string   `json:"review_within"`
	MaxExpires   string   `json:"max_expires"`
}

// exceptions describes who may make an exception of the gates.
func (b *Base) exceptions(w *config.Workspace) {
	if o := w.Override; o != nil {
		b.Override = &Override{Groups: sorted(o.Groups), MaxExpires: o.MaxExpires.String()}
	}
	if g := w.BreakGlass; g != nil {
		b.BreakGlass = &BreakGlass{Group: g.Group, Notify: sorted(g.Notify), Via: sorted(g.Via), MaxTargets: g.MaxTargets, ReviewWithin: g.ReviewWithin.String(), MaxExpires: g.MaxExpires.String()}
	}
}

func (o *Override) line() string {
	return " by the groups " + strings.Join(o.Groups, " ") + ", for " + o.MaxExpires + " at most"
}

func (g *BreakGlass) line() string {
	text := fmt.Sprintf(" by the group %s, of %d credentials at most, for %s, reviewed within %s, telling %s", g.Group, g.MaxTargets, g.MaxExpires, g.ReviewWithin, strings.Join(g.Notify, " "))
	if len(g.Via) > 0 {
		text += " via " + strings.Join(g.Via, " ")
	}
	return text
}
