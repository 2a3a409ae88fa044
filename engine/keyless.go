package engine

import (
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/trust"
)

// authority is what certificates count by in a workspace, nil where none do.
func authority(trustedRoot string) (*evidence.Authority, diag.Diagnostics) {
	if trustedRoot == "" {
		return nil, nil
	}
	a, err := evidence.ParseAuthority([]byte(trustedRoot))
	if err != nil {
		return nil, diag.Errored(diag.ExitMissing, "The trusted root cannot be used", "remint.approvals.trusted_root: %s. Whose certificates count is not known without it.", err)
	}
	return a, nil
}

// keyHolders are the people of a base as a change of it names them, each by what she
// can sign with.
func keyHolders(b *trust.Base) []plan.KeyHolder {
	out := []plan.KeyHolder{}
	for _, a := range b.Approvers {
		ids := []string{a.KeyID(), trust.IdentityID(evidence.Identity{Name: a.Identity, Issuer: a.Issuer})}
		for _, id := range ids {
			if id != "" {
				out = append(out, plan.KeyHolder{Name: a.Name, KeyID: id})
			}
		}
	}
	return out
}
