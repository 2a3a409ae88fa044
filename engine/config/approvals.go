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
	// TrustedRoot is a Sigstore trusted root (JSON): whose certificates and timestamps
	// count; "" where only keys do.
	TrustedRoot string
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

// InState reports whether there is a source, and it is the state.
func (d *DecisionSource) InState() bool { return d != nil && d.Directory.Absolute == "" }

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
		got := l.simple(b.Body, b, "approvals", longest, attr("trusted_root", provider.String, false))
		a.MaxExpires, _ = got["max_expires"].(time.Duration)
		a.TrustedRoot, _ = got["trusted_root"].(string)
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
		if a.TrustedRoot != "" && a.TrustedRoot != b.TrustedRoot {
			l.refuse(here, diag.ExitMissing, "Not what the trust base says", "The trusted root, by which certificates count, is not the trust base's.%s", merge)
		}
		a.TrustedRoot = b.TrustedRoot
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

// checkApprover finds what keeps an approver from ever being recognized, or lets two
// be one.
func (l *loader) checkApprover(b *hclsyntax.Block, a Approver, seen map[string]string) {
	given := func(name string) bool { return b.Body.Attributes[name] != nil }
	switch {
	case !given("public_key") && !given("identity") && !given("issuer"):
		l.fault(b.DefRange(), "Missing attribute", "An approver needs public_key, or identity and issuer for certificates in place of keys. Add `public_key`.")
		return
	case given("identity") != given("issuer"):
		l.fault(b.DefRange(), "Half of an identity", "identity and issuer go together: whom the certificate names, and who vouched for that.")
		return
	case !given("identity") || a.Identity == "" || a.Issuer == "":
		return
	}
	if l.ws.Settings.Approvals.TrustedRoot == "" && (l.opts.Base == nil || l.opts.isBase()) {
		l.fault(b.Body.Attributes["identity"].Expr.Range(), "Certificates of nobody", "No trusted root says whose certificates count. Give one, a Sigstore trusted root in JSON: remint { approvals { trusted_root = file(\"trusted_root.json\") } }.")
	}
	key := "identity " + a.Issuer + "\n" + a.Identity
	if other := seen[key]; other != "" {
		l.fault(b.Body.Attributes["identity"].Expr.Range(), "One identity for two approvers", "Approver %q has the same identity as %q. Give both keys of one person names in common instead, with identities.", a.Name, other)
	}
	seen[key] = a.Name
}
