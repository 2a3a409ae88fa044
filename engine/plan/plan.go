// Package plan is the plan document: what will happen, to what, under which
// policy, needing whose approval. It never carries a secret, nor an unkeyed hash
// of one; it does not import package secret, so that it cannot.
//
// A plan file is a commitment, never a source: apply derives the plan again and
// requires the same canonical form.
package plan

import (
	"slices"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
)

// FormatVersion is the version of the document that this program writes.
const FormatVersion = "1.0"

// What a plan says of where its judges come from. Which they are, its trust digest
// says: a place is shown, and not part of the plan.
const (
	// SelfAsserted is the trust of a workspace that judges itself.
	SelfAsserted = "self-asserted"
	// Pinned is that of a workspace whose own judges have the digest that somebody
	// outside of it asked for.
	Pinned = "pinned"
	// FromBase is that of a workspace whose judges come from a trust base.
	FromBase = "base"
)

// TrustCovers reports whether judges of the trust now are good enough for a plan
// that says stated.
func TrustCovers(now, stated string) bool {
	order := []string{SelfAsserted, Pinned, FromBase}
	return slices.Contains(order, stated) && slices.Index(order, now) >= slices.Index(order, stated)
}

// File is the plan as saved.
type File struct {
	FormatVersion string    `json:"format_version"`
	ID            string    `json:"id" jsonschema:"description=Random; spent by the first apply."`
	CreatedAt     time.Time `json:"created_at"`
	// Digest is sha256 over the RFC 8785 form of Plan.
	Digest string `json:"digest" jsonschema:"pattern=^sha256:[0-9a-f]{64}$"`
	Plan   Plan   `json:"plan"`
	// Seen is shown and never judged: it may differ at apply.
	Seen []Seen `json:"seen"`
	// Checksum is sha256 over the file as it would be without this member and
	// without its last newline, so that damage anywhere in it is noticed.
	Checksum string `json:"checksum" jsonschema:"pattern=^sha256:[0-9a-f]{64}$"`
}

// Plan is what is digested, approved and derived again.
type Plan struct {
	Reason    lifecycle.Reason `json:"reason"`
	Mode      lifecycle.Mode   `json:"mode"`
	Ticket    string           `json:"ticket"`
	Requester string           `json:"requester" jsonschema:"description=A claim; verified at apply."`
	// Selection is how the resets were chosen; absent in a change of the trust base.
	Selection *Selection `json:"selection,omitempty"`
	// Applyable is false for plans made offline, and for denied ones.
	Applyable bool `json:"applyable"`
	// Trust says who judges: self-asserted, pinned or base.
	Trust           string `json:"trust"`
	WorkspaceDigest string `json:"workspace_digest"`
	PolicyDigest    string `json:"policy_digest"`
	// PolicyRevisions are those of the policies that are signed bundles, by name.
	PolicyRevisions map[string]string `json:"policy_revisions,omitempty"`
	TrustDigest     string            `json:"trust_digest"`
	Requirements    Requirements      `json:"requirements"`
	Decisions       []Decision        `json:"decisions"`
	Resets          []Reset           `json:"resets"`
	// TrustChange stands in a plan without resets that is about the judges themselves.
	TrustChange *TrustChange `json:"trust_change,omitempty"`
}

// Chosen says by what a plan's resets were chosen.
type Chosen string

// The ways to choose.
const (
	// ByAddress: they were named.
	ByAddress Chosen = "address"
	// ByWhere: an expression holds for them.
	ByWhere Chosen = "where"
	// ByAll: all that the workspace declares.
	ByAll Chosen = "all"
	// ByDue: what max_age said was due.
	ByDue Chosen = "due"
)

// Selection is how a plan's resets were chosen. Apply looks whether it is true.
type Selection struct {
	By Chosen `json:"by"`
	// Where is the expression, "" unless they were chosen by one.
	Where string `json:"where"`
	// Addresses are those that were named, each once, sorted: one without a key stands
	// for all instances. None unless they were chosen by address.
	Addresses []string `json:"addresses"`
}

// TrustChange asks that a state take another trust base for its own. It is approved
// as plans are, by approvers of the base before it: the plan's trust digest is that one's.
type TrustChange struct {
	// To is the digest of the base to come.
	To string `json:"to"`
	// Changes say what differs, a line each.
	Changes []string `json:"changes"`
	// Approvers of the base before, for those who look for their own key.
	Approvers []KeyHolder `json:"approvers"`
}

// KeyHolder is a person and the id of her public key.
type KeyHolder struct {
	Name  string `json:"name"`
	KeyID string `json:"key_id"`
}

// Requirements is what must be at hand before apply may change anything; the
// strictest of all that policies ask.
type Requirements struct {
	// Approvals that must be at hand; none where nobody needs to agree.
	Approvals []Approvals `json:"approvals"`
	// Strength is how surely the requester must be verified at least.
	Strength lifecycle.Strength `json:"strength"`
}

// Approvals asks for distinct people of a group to agree to some addresses, or to
// the whole plan.
type Approvals struct {
	// Count is how many people must agree.
	Count int `json:"count"`
	// Group that they must be in; empty where any approver counts.
	Group string `json:"group"`
	// Addresses that it is asked for; empty where it is for the whole plan.
	Addresses []string `json:"addresses"`
}

// Level says how a decision counts.
type Level string

// The levels.
const (
	// Deny stops the run.
	Deny Level = "deny"
	// Overridden is a denial of an overridable or advisory source that does not stop it.
	Overridden Level = "overridden"
	// Warn is shown.
	Warn Level = "warn"
)

// Decision is one result of a policy.
type Decision struct {
	// Source names the policy source: "builtin", or the policy block's label.
	Source   string   `json:"source"`
	Rule     string   `json:"rule"`
	Level    Level    `json:"level"`
	Message  string   `json:"message"`
	Address  string   `json:"address"`
	Controls []string `json:"controls"`
	// Step of the address's runbook that it is about, where the rule names one.
	Step string `json:"step,omitempty"`
	// Overridable is set for a denial that a signed override lifts.
	Overridable bool `json:"overridable,omitempty"`
}

// Liftable reports whether nothing stands against the plan but denials that an
// override lifts, one at least. A plan that no target was read for was made offline.
func (p *Plan) Liftable() bool {
	denied := false
	for _, d := range p.Decisions {
		if d.Level == Deny {
			denied = true
			if !d.Overridable {
				return false
			}
		}
	}
	return denied && !slices.ContainsFunc(p.Resets, func(r Reset) bool { return r.Observed.Target == "" })
}

// Reset is what will happen to one credential. The members of it and of what is
// in it are declared in the order of their names: so encoding/json writes them in
// the order that RFC 8785 wants.
type Reset struct {
	Address        string            `json:"address"`
	Change         *Change           `json:"change,omitempty"`
	CredentialType string            `json:"credential_type"`
	DependsOn      []string          `json:"depends_on"`
	Environment    string            `json:"environment"`
	Kind           lifecycle.Kind    `json:"kind"`
	Labels         map[string]string `json:"labels"`
	Notes          []string          `json:"notes"`
	Observed       Observed          `json:"observed"`
	Owner          string            `json:"owner"`
	Runbook        Runbook           `json:"runbook"`
	Steps          []Step            `json:"steps"`
	// Subject is the person whose secret it is; she is verified before a new one is
	// made. Absent where it belongs to no single person.
	Subject string `json:"subject,omitempty"`
}

// Change is what of a credential is not as the trust base has it, at its address, at
// any other that stands for the same account, or at one whose secret is where a store of
// the credential writes.
type Change struct {
	// Address is where the base has it, or has what its store would overwrite, if that is
	// another address than the reset's.
	Address string   `json:"address,omitempty"`
	Fields  []string `json:"fields"`
	// Others are further credentials of the base that the reset is held against: it has
	// the account at several addresses, another account at the reset's, or the secret of
	// another where a store of the reset writes.
	Others []Counterpart `json:"others,omitempty"`
	// Owner is the base's, who is told whomever the runbook tells; "" if the base
	// lacks the credential.
	Owner string `json:"owner"`
	// Subject is the base's where the workspace names another one, or none: she is
	// verified too, or leaving her out would let a new secret be made without her.
	Subject string `json:"subject,omitempty"`
}

// Counterpart is a credential of the trust base that a reset is held against too.
type Counterpart struct {
	Address string `json:"address"`
	// Owner is told too, whomever the runbook tells.
	Owner string `json:"owner"`
	// Subject is verified too; absent where the workspace names the same one.
	Subject string `json:"subject,omitempty"`
}

// Subjects are all who must be verified before a new secret is made: whom the
// workspace names, and whom its trust base names instead.
func (r *Reset) Subjects() []string {
	out := only(nil, r.Subject)
	if c := r.Change; c != nil {
		out = only(out, c.Subject)
		for _, o := range c.Others {
			out = only(out, o.Subject)
		}
	}
	return out
}

// BaseOwners are whom the trust base has for owners of what differs from it.
func (r *Reset) BaseOwners() []string {
	if r.Change == nil {
		return nil
	}
	out := only(nil, r.Change.Owner)
	for _, o := range r.Change.Others {
		out = only(out, o.Owner)
	}
	return out
}

// only adds somebody who is not there yet.
func only(list []string, who string) []string {
	if who == "" || slices.Contains(list, who) {
		return list
	}
	return append(list, who)
}

// Runbook names the runbook and pins its content.
type Runbook struct {
	// Builtin is whether it comes with remint.
	Builtin bool `json:"builtin"`
	// Digest of its steps and their arguments.
	Digest string `json:"digest"`
	// Name is its label.
	Name string `json:"name"`
}

// Observed is what the target said when the plan was made; apply refuses the
// reset when it says something else.
type Observed struct {
	// Enabled is whether it can be logged in with; a role may be there and locked.
	Enabled bool `json:"enabled"`
	// Exists is whether the target has it.
	Exists bool `json:"exists"`
	// Fenced is whether the target rejects a stale runner by itself.
	Fenced bool `json:"fenced"`
	// Generation counts the finished resets of this address that the state knows.
	Generation int64 `json:"generation"`
	// Target names the system that was asked, as the provider tells two apart.
	Target string `json:"target"`
	// Versions are ids of the secrets that it accepts; never the secrets.
	Versions []string `json:"versions"`
}

// Step is one step.
type Step struct {
	Address   string          `json:"address"`
	Controls  []string        `json:"controls"`
	DependsOn []string        `json:"depends_on"`
	Phase     lifecycle.Phase `json:"phase"`
	// Reversible is false for what cannot be taken back once done.
	Reversible bool   `json:"reversible"`
	Summary    string `json:"summary"`
	Target     string `json:"target"`
}

// Seen is what was read about a credential and may change any moment.
type Seen struct {
	Address string `json:"address"`
	// LastReset is when its last finished reset ended; absent where unknown.
	LastReset *time.Time `json:"last_reset,omitempty"`
	LastUsed  *time.Time `json:"last_used,omitempty"`
	// Sessions open at the target; -1 where it does not tell.
	Sessions int `json:"sessions"`
}
