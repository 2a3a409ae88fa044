package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/jsonstream"
)

// FormatVersion is the version of Document that this program writes.
const FormatVersion = "1.0"

// MaxDocument is how large a document may be, and MaxVerifications how many it may have.
const (
	MaxDocument      = 4 << 20
	MaxVerifications = 1000
)

// Document is PLAN.verification.json: what people brought for one plan. Whoever
// reads it judges the evidence again; the rest is for people to read.
type Document struct {
	FormatVersion string  `json:"format_version"`
	PlanID        string  `json:"plan_id"`
	PlanDigest    string  `json:"plan_digest"`
	Verifications []Entry `json:"verifications"`
}

// Entry is one verification.
type Entry struct {
	// Verifier is TYPE.NAME of the block that judges the evidence.
	Verifier string `json:"verifier"`
	// Address is of the credential whose subject was verified; empty for the requester.
	Address string `json:"address"`
	// Evidence is what was brought: an ID token that is bound to this plan, a
	// security key's assertion, a signed statement. It is empty where nothing may
	// be kept: the state then remembers the answer.
	Evidence string `json:"evidence,omitempty"`
	// Identity, Strength, Bound, Claims and Until are how it was judged when it was
	// brought. They are for people to read and are never trusted.
	Identity   string             `json:"identity"`
	Strength   lifecycle.Strength `json:"strength"`
	Bound      bool               `json:"bound"`
	Claims     map[string]string  `json:"claims"`
	VerifiedAt time.Time          `json:"verified_at"`
	Until      time.Time          `json:"until"`
}

var errMany = fmt.Errorf("it has more than %d verifications: verify again", MaxVerifications)

// Read reads a document. It must be for the plan.
func Read(b []byte, file *plan.File) (*Document, error) {
	if len(b) > MaxDocument {
		return nil, fmt.Errorf("it is larger than %d MiB", MaxDocument>>20)
	}
	dec := jsonstream.NewDecoder(bytes.NewReader(b))
	var d Document
	err := jsonstream.Object(dec, &d, map[string]func() error{"verifications": func() error {
		d.Verifications = nil
		return jsonstream.List(dec, func(e Entry, _ int64) error {
			if len(d.Verifications) == MaxVerifications {
				return errMany
			}
			d.Verifications = append(d.Verifications, e)
			return nil
		})
	}})
	switch {
	case errors.Is(err, errMany):
		return nil, err
	case err != nil, d.FormatVersion != FormatVersion:
		return nil, errors.New("it is not what `remint verify` of this version writes: verify again")
	case jsonstream.End(dec) != nil:
		return nil, errors.New("something follows the document: verify again")
	}
	if d.PlanID != file.ID || d.PlanDigest != file.Digest {
		return nil, errors.New("it is for another plan: verify again, for this one")
	}
	return &d, nil
}

// Encode writes the document.
func (d *Document) Encode() []byte {
	b, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		panic("a verification document is not JSON") // it has only plain members
	}
	return append(b, '\n')
}

// With is the document, nil for none yet, with one more verification. One by the
// same verifier about the same person is replaced.
func (d *Document) With(file *plan.File, a Accepted, brought provider.Brought, now time.Time) *Document {
	out := &Document{FormatVersion: FormatVersion, PlanID: file.ID, PlanDigest: file.Digest}
	if d != nil {
		out.Verifications = slices.DeleteFunc(slices.Clone(d.Verifications), func(e Entry) bool {
			return e.Verifier == a.Verifier && e.Address == a.Address && e.Identity == a.Identity
		})
	}
	e := Entry{
		Verifier: a.Verifier, Address: a.Address, Identity: a.Identity, Strength: a.Strength, Bound: a.Bound, Claims: a.Claims,
		VerifiedAt: now.UTC(), Until: a.Until.UTC(),
	}
	switch {
	case len(brought.Document) > 0:
		e.Evidence = string(brought.Document)
	case !brought.Token.IsZero() && a.Bound: // worth nothing but for this plan
		e.Evidence = brought.Token.RevealString()
	}
	out.Verifications = append(out.Verifications, e)
	return out
}

// reread judges what a document carries. Each verifier is opened once, as what a forged
// document has many of is not worth to ask the network for many times.
func (c *Checker) reread(ctx context.Context, file *plan.File, d *Document, open opener) ([]Accepted, []Refusal) {
	var accepted []Accepted
	var refused []Refusal
	for _, e := range d.Verifications {
		if e.Evidence == "" {
			continue // the state knows
		}
		i := slices.IndexFunc(c.Verifiers, func(b *config.Block) bool { return b.Key() == e.Verifier })
		if i < 0 {
			refused = append(refused, Refusal{Why: "a verification names the verifier " + addrs.Visible(e.Verifier) + ", which is not declared"})
			continue
		}
		b := c.Verifiers[i]
		p := Presented{Address: e.Address}
		switch c.Registry.Verifier(b.Type).Takes {
		case provider.TakesToken:
			p.Brought.Token = secret.FromString(e.Evidence)
		case provider.TakesAssertion, provider.TakesStatement:
			p.Brought.Document = []byte(e.Evidence)
		default:
			continue
		}
		a, err := c.ask(ctx, b, file, p, open)
		if err != nil {
			refused = append(refused, Refusal{Verifier: b.Key(), Why: err.Error()})
			continue
		}
		accepted = append(accepted, a)
	}
	return accepted, refused
}
