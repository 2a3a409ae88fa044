package engine

import (
	"context"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/trust"
	"github.com/remint-dev/remint/internal/fulcio"
)

// Keyless says where a certificate for one signature comes from.
type Keyless struct {
	// Fulcio certifies a key for whom Token, an ID token, names; Timestamp is an RFC
	// 3161 authority, which says when it signed.
	Fulcio, Timestamp string
	Token             secret.Value
}

// pen is what an approval is signed with.
type pen struct {
	// id names who signs, as plan.KeyHolder does; identity where that is a certificate's.
	id       string
	identity evidence.Identity
	// what names it for people.
	what string
	sign func(evidence.Approval) ([]byte, error)
}

// pen gets what the request says to sign with.
func (r ApproveRequest) pen(ctx context.Context) (*pen, error) {
	if r.Keyless != nil {
		return r.Keyless.pen(ctx)
	}
	signer, err := loadSigner(ctx, r.Key)
	if err != nil {
		return nil, err
	}
	return &pen{id: signer.KeyID(), what: "the public half of " + r.Key, sign: func(a evidence.Approval) ([]byte, error) {
		doc, err := evidence.SignApproval(signer, a)
		if err == nil { // a key elsewhere may sign with another one than it shows
			_, err = evidence.VerifyApproval(doc, signer.Public())
		}
		return doc, err
	}}, nil
}

// pen has a key certified that signs once and is forgotten.
func (k *Keyless) pen(ctx context.Context) (*pen, error) {
	signer, err := evidence.NewSigner()
	if err != nil {
		return nil, err
	}
	certificate, err := fulcio.Certificate(ctx, k.Fulcio, k.Token.RevealString(), signer.Key())
	if err != nil {
		return nil, err
	}
	id, err := evidence.IdentityOf(certificate)
	if err != nil {
		return nil, err
	}
	return &pen{
		id: trust.IdentityID(id), identity: id, what: "the identity " + addrs.Visible(id.Name) + " by the word of " + addrs.Visible(id.Issuer),
		sign: func(a evidence.Approval) ([]byte, error) {
			at := func(signature []byte) ([]byte, error) { return fulcio.Timestamp(ctx, k.Timestamp, signature) }
			return evidence.SignKeyless(signer, certificate, at, a)
		},
	}, nil
}

// approver names the approver who signs with p; "" if there is none.
func (p *pen) approver(w *config.Workspace) string {
	for _, a := range w.Approvers {
		if p.identity != (evidence.Identity{}) { // which never is that of who has none
			if p.identity == (evidence.Identity{Name: a.Identity, Issuer: a.Issuer}) {
				return a.Name
			}
			continue
		}
		key, err := evidence.ParsePublicKey([]byte(a.PublicKey))
		if err != nil {
			continue
		}
		if id, err := evidence.KeyID(key); err == nil && id == p.id {
			return a.Name
		}
	}
	return ""
}

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
