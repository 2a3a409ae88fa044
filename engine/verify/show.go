package verify

import (
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/policy"
)

// Policy is the outcome as policies see it; claimed is who the plan says asks.
func (o Outcome) Policy(claimed string) *policy.Verification {
	out := &policy.Verification{Identity: o.Identity, Strength: o.Level(), Bound: o.Bound, Methods: []policy.VerificationMethod{}}
	if o.Level() == lifecycle.None {
		out.Identity = claimed
	}
	for _, a := range o.Accepted {
		out.Methods = append(out.Methods, policy.VerificationMethod{
			Verifier: a.Verifier, Method: a.Method, Address: a.Address, Identity: a.Identity, Strength: a.Strength, Bound: a.Bound, Claims: a.Claims,
		})
	}
	return out
}

// Evidence is the outcome as evidence keeps it; nil where nothing was verified.
func (o Outcome) Evidence() *evidence.Verification {
	if len(o.Accepted) == 0 {
		return nil
	}
	out := &evidence.Verification{Identity: o.Identity, Bound: o.Bound, Methods: []evidence.VerificationMethod{}}
	for _, a := range o.Accepted {
		out.Methods = append(out.Methods, evidence.VerificationMethod{
			Verifier: a.Verifier, Method: a.Method, Address: a.Address, Identity: a.Identity, Strength: string(a.Strength), Bound: a.Bound, Claims: a.Claims,
		})
	}
	return out
}
