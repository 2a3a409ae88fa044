package config

import (
	"cmp"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// Approvals is what the remint block says of approvals as a whole.
type Approvals struct {
	// MaxExpires is how long an approval may count from when it was signed; zero
	// where nothing caps it.
	MaxExpires time.Duration
	// Decisions is where decisions are kept besides the plan's own folder; nil where
	// nothing is declared.
	Decisions *DecisionSource
}

// DecisionSource is the one place where every approval, rejection and withdrawal
// is kept, and read before a plan is applied.
type DecisionSource struct {
	// Directory holds them as files; zero where the state does.
	Directory provider.Path
	Range     diag.Range
}

// String is the source as people know it.
func (d *DecisionSource) String() string {
	if d.Directory.Written == "" {
		return "the state"
	}
	return d.Directory.Written
}

func (d *DecisionSource) same(other *DecisionSource) bool {
	if d == nil || other == nil {
		return d == other
	}
	return d.Directory.Written == other.Directory.Written
}

// approvalBlocks are the blocks of the remint block that are read here.
var approvalBlocks = map[string]bool{"approvals": true, "decisions": true}

// approvalSetting reads one of approvalBlocks.
func (l *loader) approvalSetting(b *hclsyntax.Block, a *Approvals) {
	switch b.Type {
	case "approvals":
		l.noBlocks(b.Body, "approvals")
		longest := attr("max_expires", provider.Duration, false)
		longest.Check = positive
		got := l.simple(b.Body, b, "approvals", longest)
		a.MaxExpires, _ = got["max_expires"].(time.Duration)
	case "decisions":
		if !l.labelled(b, `decisions "directory"`) {
			return
		}
		l.noBlocks(b.Body, "decisions")
		switch b.Labels[0] {
		case "directory":
			p, _ := l.simple(b.Body, b, "decisions", attr("path", provider.PathType, true))["path"].(provider.Path)
			if err := l.paths.writable(p); p.Absolute != "" && err != nil {
				l.fault(b.Body.Attributes["path"].Expr.Range(), "A path that must not be written to", "path %s. Choose another path.", err)
			}
			a.Decisions = &DecisionSource{Directory: p, Range: rangeOf(b)}
		case "state":
			l.simple(b.Body, b, "decisions")
			a.Decisions = &DecisionSource{Range: rangeOf(b)}
		default:
			l.fault(b.LabelRanges[0], "Decisions that are kept nowhere", "There is no %s for decisions. They are kept in a \"directory\", or in the \"state\".", quoted(b.Labels[0]))
		}
	}
}

// bindApprovals takes over the base's source of decisions. A workspace may be
// stricter: cap approvals lower, or declare a source where the base has none.
func (l *loader) bindApprovals() {
	if base := l.opts.Base; base != nil {
		a, b := &l.ws.Settings.Approvals, base.Settings.Approvals
		here, said := l.ws.declared["approvals"]
		switch {
		case b.MaxExpires == 0:
		case said && a.MaxExpires > b.MaxExpires:
			l.refuse(here, diag.ExitMissing, "Not what the trust base says", "Approvals count for %s at most, as the trust base says; a workspace may only lower that.%s", b.MaxExpires, merge)
		default:
			a.MaxExpires = min(cmp.Or(a.MaxExpires, b.MaxExpires), b.MaxExpires)
		}
		switch {
		case b.Decisions == nil:
		case a.Decisions == nil:
			a.Decisions = b.Decisions
		case !a.Decisions.same(b.Decisions):
			l.differs("The block decisions", a.Decisions.Range, b.Decisions.Range, diag.ExitMissing)
		}
	}
	if d := l.ws.Settings.Approvals.Decisions; d != nil && d.Directory.Absolute != "" {
		l.paths.protect(d.Directory.Absolute, "the decisions")
	}
}
