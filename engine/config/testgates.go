package config

import (
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// TestApproval asks the approval policies too.
type TestApproval struct {
	ApprovedBy []string
	// The requester was verified as Identity, at Strength, by the verifiers that Methods
	// names as TYPE.NAME: each of them about this very plan where Bound, and resting on Claims.
	Identity   string
	Strength   lifecycle.Strength
	Methods    []string
	Bound      bool
	Claims     map[string]string
	Operator   string
	Unattended bool
	Now        time.Time // zero is the time of the test
}

// TestResult asks the result policies about one reset.
type TestResult struct {
	Address                                  addrs.Credential
	Proof                                    lifecycle.Proof
	Final, NewAccepted, Notified             bool
	StoresConfirmed, Reloaded, SessionsEnded int
	Asserted                                 []string
}

func (l *loader) testApproval(b *hclsyntax.Block) *TestApproval {
	l.noBlocks(b.Body, "An approval")
	got := provider.NewAttrs(l.simple(b.Body, b, "An approval", attr("approved_by", provider.StringList, false),
		attr("identity", provider.String, false), attr("operator", provider.String, false), attr("unattended", provider.Bool, false),
		provider.Attribute{Name: "strength", Type: provider.String, OneOf: words(lifecycle.Strengths()), Default: string(lifecycle.None)},
		attr("methods", provider.StringList, false), attr("bound", provider.Bool, false), attr("claims", provider.StringMap, false), attr("now", provider.String, false)))
	a := &TestApproval{
		ApprovedBy: got.Strings("approved_by"), Identity: got.String("identity"), Operator: got.String("operator"), Unattended: got.Bool("unattended"),
		Strength: lifecycle.Strength(got.String("strength")), Methods: got.Strings("methods"), Bound: got.Bool("bound"), Claims: got.Map("claims"),
	}
	if len(a.Methods) == 0 && (a.Bound || len(a.Claims) > 0) {
		l.fault(b.DefRange(), "Verified by nobody", "`bound` and `claims` say what a verification rests on. Name the verifiers, as TYPE.NAME, in `methods`.")
	}
	a.Now = l.instant(b, map[string]any{"now": got.String("now")}, "now")
	return a
}

func (l *loader) testResult(b *hclsyntax.Block) []TestResult {
	if !l.labelled(b, "result") {
		return nil
	}
	l.noBlocks(b.Body, "A result")
	got := provider.NewAttrs(l.simple(b.Body, b, "A result", attr("address", provider.String, true),
		provider.Attribute{Name: "proof", Type: provider.String, OneOf: words(lifecycle.Proofs())}, provider.Attribute{Name: "final", Type: provider.Bool, Default: true},
		provider.Attribute{Name: "new_accepted", Type: provider.Bool, Default: true}, attr("notified", provider.Bool, false), attr("asserted", provider.StringList, false),
		attr("stores_confirmed", provider.Int, false), attr("reloaded", provider.Int, false), attr("sessions_ended", provider.Int, false)))
	a, ok := l.testAddress(b, got.String("address"))
	if !ok {
		return nil
	}
	return []TestResult{{
		Address: a, Proof: lifecycle.Proof(got.String("proof")), Final: got.Bool("final"), NewAccepted: got.Bool("new_accepted"), Notified: got.Bool("notified"),
		StoresConfirmed: int(got.Int("stores_confirmed")), Reloaded: int(got.Int("reloaded")), SessionsEnded: int(got.Int("sessions_ended")), Asserted: got.Strings("asserted"),
	}}
}

// words are a closed vocabulary as attributes have it.
func words[W ~string](all []W) []string {
	out := make([]string, len(all))
	for i, w := range all {
		out[i] = string(w)
	}
	return out
}
