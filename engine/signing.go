package engine

import (
	"context"
	"errors"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/trust"
	"github.com/remint-dev/remint/internal/fulcio"
)

// Signing says what a person signs with, whatever it is that she signs.
type Signing struct {
	// Key is the file of her private key, or a key of a key management service,
	// NAME://….
	Key string
	// Keyless signs with a certificate in place of a key; nil for a key.
	Keyless *Keyless
}

// Keyless says where a certificate for one signature comes from.
type Keyless struct {
	// Fulcio certifies a key for whom Token, an ID token, names; Timestamp is an RFC
	// 3161 authority, which says when it signed.
	Fulcio, Timestamp string
	Token             secret.Value
}

// pen is what a person signs with.
type pen struct {
	*evidence.Signer
	// id names who signs, as plan.KeyHolder does; identity where that is a certificate's.
	id       string
	identity evidence.Identity
	// what names it for people.
	what string
}

// pen gets what the request says to sign with.
func (r Signing) pen(ctx context.Context) (*pen, diag.Diagnostics) {
	if r.Keyless != nil {
		p, err := r.Keyless.pen(ctx)
		if err != nil {
			return nil, diag.Errored(0, "There is no certificate to sign with", "%s.", capital(err.Error()))
		}
		return p, nil
	}
	load := evidence.LoadSigner
	if evidence.IsKMS(r.Key) {
		load = func(key string) (*evidence.Signer, error) { return evidence.LoadKMSSigner(ctx, key) }
	}
	signer, err := load(r.Key)
	if err != nil {
		return nil, diag.Errored(0, "The key cannot be used", "%s.", err)
	}
	return &pen{Signer: signer, id: signer.KeyID(), what: "the public half of " + r.Key}, exposed(r.Key, r.Key)
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
	at := func(signature []byte) ([]byte, error) { return fulcio.Timestamp(ctx, k.Timestamp, signature) }
	return &pen{
		Signer: signer.Certified(certificate, at), id: trust.IdentityID(id), identity: id,
		what: "the identity " + addrs.Visible(id.Name) + " by the word of " + addrs.Visible(id.Issuer),
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

// signed has a person sign, and reads it as it will be read where it counts: a key
// elsewhere may sign with another one than it shows, and a certificate may be none that
// the workspace's trusted root knows. What would not count is not given.
func signed[T any](w *config.Workspace, p *pen, predicateType string, sign func(*evidence.Signer, T) ([]byte, error), said T) ([]byte, error) {
	doc, err := sign(p.Signer, said)
	if err != nil {
		return nil, err
	}
	by, faults := authority(w.Settings.Approvals.TrustedRoot)
	if faults.HasErrors() && p.identity != (evidence.Identity{}) {
		return nil, errors.New(strings.TrimSuffix(faults[0].Detail, "."))
	}
	return doc, p.Verifiable(predicateType, doc, by)
}
