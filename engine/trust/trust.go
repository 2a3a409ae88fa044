// Package trust is the model of a trust base: where the judges of a workspace
// come from, what that comes to as one digest, and what changed from one base to
// another. It knows nothing of HCL; package config holds a workspace against a base.
package trust

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/plan"
)

// Base is everything that judges, in a form that can be kept, shown and digested.
// No secret is in it: sensitive attributes show by name only.
type Base struct {
	Approvers []Approver `json:"approvers"`
	Policies  []Policy   `json:"policies"`
	// Signer is the id of the public key that evidence is signed with; "" where none is known.
	Signer    string   `json:"signer"`
	Seal      []string `json:"seal"`
	Providers []Part   `json:"providers"`
	Notifiers []Part   `json:"notifiers"`
	Verifiers []Part   `json:"verifiers"`
	// Library is which groups of the built-in policies are asked, and what is set in them.
	Library Part `json:"library"`
	// Commands are the consumers that credentials may have.
	Commands []Part `json:"commands"`
	// Approvals are the terms on which people's approvals count; nil where nothing is said of them.
	Approvals *Approvals `json:"approvals,omitempty"`
	// Override says who may lift denials of overridable policies; absent where nobody may.
	Override *Override `json:"override,omitempty"`
	// BreakGlass says how the gates are opened in an incident; absent where they are not.
	BreakGlass *BreakGlass `json:"break_glass,omitempty"`

	// State and Evidence are where it is remembered what was done, and proved; absent
	// where that is the default place.
	State    *Part  `json:"state,omitempty"`
	Evidence string `json:"evidence,omitempty"`

	unknown bool
}

// Approver is a person who may approve.
type Approver struct {
	Name       string   `json:"name"`
	PublicKey  string   `json:"public_key"`
	Groups     []string `json:"groups"`
	Identities []string `json:"identities"`
	NotAfter   string   `json:"not_after,omitempty"`
	RevokedAt  string   `json:"revoked_at,omitempty"`
	Notify     string   `json:"notify,omitempty"`
	Identity   string   `json:"identity,omitempty"`
	Issuer     string   `json:"issuer,omitempty"`
}

// Policy is a policy source; Digest covers the modules in a folder.
type Policy struct {
	Name        string `json:"name"`
	Enforcement string `json:"enforcement"`
	// Digest is "" for a signed bundle: who has the key says what is in it.
	Digest string `json:"digest"`
	// The rest is what a bundle must be signed with.
	PublicKey string `json:"public_key,omitempty"`
	Algorithm string `json:"algorithm,omitempty"`
	Scope     string `json:"scope,omitempty"`
}

// Part is a configured block. A command has no name of its own.
type Part struct {
	Key         string         `json:"key"`
	Environment string         `json:"environment,omitempty"`
	Attributes  map[string]any `json:"attributes"`
}

// Of describes what judges in w: policies are the digests of its policy sources by
// name, and signer is the id of its evidence key.
func Of(w *config.Workspace, policies map[string]string, signer string) *Base {
	b := &Base{Signer: signer, Seal: slices.Sorted(slices.Values(w.Settings.SealRecipients))}
	for _, a := range w.Approvers {
		b.Approvers = append(b.Approvers, Approver{a.Name, a.PublicKey, a.Groups, a.Identities, written(a.NotAfter), written(a.RevokedAt), a.Notify, a.Identity, a.Issuer})
	}
	for _, p := range w.Policies {
		one := Policy{Name: p.Name, Enforcement: string(p.Enforcement), Digest: policies[p.Name]}
		if s := p.Signing; s != nil {
			one.Digest, one.PublicKey, one.Algorithm, one.Scope = "", strings.TrimSpace(s.PublicKey), s.Algorithm, s.Scope
		}
		b.Policies = append(b.Policies, one)
	}
	slices.SortFunc(b.Policies, func(x, y Policy) int { return strings.Compare(x.Name, y.Name) })
	for _, key := range slices.Sorted(maps.Keys(w.Providers)) {
		p := w.Providers[key]
		b.Providers = append(b.Providers, Part{key, p.Environment, p.Attrs.Public()})
		b.unknown = b.unknown || !p.Attrs.Known()
	}
	for _, n := range w.Notifiers {
		b.Notifiers = append(b.Notifiers, Part{Key: n.Key(), Attributes: n.Attrs.Public()})
		b.unknown = b.unknown || !n.Attrs.Known()
	}
	for _, v := range w.Verifiers {
		b.Verifiers = append(b.Verifiers, Part{Key: v.Key(), Attributes: v.Attrs.Public()})
		b.unknown = b.unknown || !v.Attrs.Known()
	}
	b.Library = Part{Key: "library", Attributes: w.Library.Parameters.Public()}
	b.Library.Attributes["groups"] = slices.Sorted(slices.Values(w.Library.Groups))
	if lower := lowered(w.Library); len(lower) > 0 {
		b.Library.Attributes["enforcement"] = lower
	}
	for _, c := range w.Commands() {
		b.Commands = append(b.Commands, Part{Key: c.Type, Attributes: c.Attrs.Public()})
		b.unknown = b.unknown || !c.Attrs.Known()
	}
	b.Approvals = terms(w.Settings.Approvals)
	b.exceptions(w)
	b.memory(w.Settings)
	return b.normal() // as it is digested: who is shown it can digest it herself
}

// lowered are the groups of the library that are not mandatory, each with what it is.
func lowered(l config.Library) []string {
	var out []string
	for g, e := range l.Enforcement {
		if e != config.Mandatory {
			out = append(out, g+"="+string(e))
		}
	}
	slices.Sort(out)
	return out
}

// Known is false when something in it depends on a variable that has no value, so
// that the digest is not that of the base as it is used.
func (b *Base) Known() bool { return !b.unknown }

// Digest is "sha256:…" over the RFC 8785 form of b.
func (b *Base) Digest() string {
	doc, err := plan.Canonical(b.normal())
	if err != nil {
		panic("a trust base is not JSON") // a defect of Attrs.Public
	}
	sum := sha256.Sum256(doc)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// normal makes nil and empty the same, and the order of groups and identities
// count for nothing.
func (b *Base) normal() *Base {
	n := *b
	n.Approvers = make([]Approver, len(b.Approvers))
	for i, a := range b.Approvers {
		n.Approvers[i] = Approver{a.Name, strings.TrimSpace(a.PublicKey), sorted(a.Groups), sorted(a.Identities), a.NotAfter, a.RevokedAt, a.Notify, a.Identity, a.Issuer}
	}
	n.Policies, n.Seal = orEmpty(b.Policies), orEmpty(b.Seal)
	n.Providers, n.Notifiers, n.Verifiers, n.Commands = orEmpty(b.Providers), orEmpty(b.Notifiers), orEmpty(b.Verifiers), orEmpty(b.Commands)
	return &n
}

// written is a time as a base keeps it, "" for none; read is its inverse.
func written(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func read(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}
	}
	return t
}

func sorted(s []string) []string { return orEmpty(slices.Compact(slices.Sorted(slices.Values(s)))) }

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Keep gives b as a state keeps it, and Kept reads that back: it must still have
// the digest that it is known by.
func (b *Base) Keep() json.RawMessage {
	doc, err := plan.Canonical(b.normal())
	if err != nil {
		panic("a trust base is not JSON") // a defect of Attrs.Public
	}
	return doc
}

// Kept reads what Keep gave.
func Kept(doc []byte, digest string) (*Base, error) {
	var b Base
	if len(doc) == 0 {
		return nil, errors.New("the state does not keep the trust base that it remembers")
	}
	if err := json.Unmarshal(doc, &b); err != nil || b.Digest() != digest {
		return nil, errors.New("what the state keeps of the trust base that it remembers is damaged")
	}
	return &b, nil
}

// People are the approvers as gates know them.
func (b *Base) People() []config.Approver {
	out := make([]config.Approver, len(b.Approvers))
	for i, a := range b.Approvers {
		out[i] = config.Approver{Name: a.Name, PublicKey: a.PublicKey, Groups: a.Groups, Identities: a.Identities, NotAfter: read(a.NotAfter), RevokedAt: read(a.RevokedAt), Notify: a.Notify, Identity: a.Identity, Issuer: a.Issuer}
	}
	return out
}

// KeyID is the id of the approver's key; "" if it cannot be read.
func (a Approver) KeyID() string {
	key, err := evidence.ParsePublicKey([]byte(a.PublicKey))
	if err != nil {
		return ""
	}
	id, _ := evidence.KeyID(key)
	return id
}
