package trust

import (
	"strings"

	"github.com/remint-dev/remint/engine/config"
)

// Override says who may lift denials of overridable policies.
type Override struct {
	Groups     []string `json:"groups"`
	MaxExpires string   `json:"max_expires"`
}

// exceptions describes who may make an exception of the gates.
func (b *Base) exceptions(w *config.Workspace) {
	if o := w.Override; o != nil {
		b.Override = &Override{Groups: sorted(o.Groups), MaxExpires: o.MaxExpires.String()}
	}
}

func (o *Override) line() string {
	return " by the groups " + strings.Join(o.Groups, " ") + ", for " + o.MaxExpires + " at most"
}
