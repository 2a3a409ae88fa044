package evidence

import (
	"cmp"
	"crypto"
	"errors"
	"fmt"
	"slices"
)

// OverrideType is a person's word that named denials of a plan do not stop it.
const OverrideType = "https://remint.dev/evidence/override/v1"

// Override is what somebody signs who lifts denials of overridable policies.
type Override struct {
	Binding
	// Denials are exactly what is lifted. Any other denial voids the override.
	Denials []Denial `json:"denials"`
	// Approver is a name for the reader; who it is follows from the key.
	Approver string `json:"approver"`
	Reason   string `json:"reason"`
	Ticket   string `json:"ticket"`
}

// Denial names one denial of a policy.
type Denial struct {
	// Stage is the package that was asked: remint.plan or remint.approval.
	Stage  string `json:"stage"`
	Source string `json:"source"`
	Rule   string `json:"rule"`
	// Address is empty where the rule is about the whole plan.
	Address string `json:"address"`
}

// String is SOURCE/RULE, and what it is about.
func (d Denial) String() string {
	if d.Address == "" {
		return d.Source + "/" + d.Rule + " (the whole plan)"
	}
	return d.Source + "/" + d.Rule + " (" + d.Address + ")"
}

// Compare orders denials.
func (d Denial) Compare(o Denial) int {
	return cmp.Or(cmp.Compare(d.Stage, o.Stage), cmp.Compare(d.Source, o.Source), cmp.Compare(d.Rule, o.Rule), cmp.Compare(d.Address, o.Address))
}

// SignOverride signs an override: one line of JSON with a newline, ready to be a
// file. An empty Nonce is filled in.
func SignOverride(s *Signer, o Override) ([]byte, error) {
	fresh(&o.Nonce)
	return signStatement(s, anOverride(), o)
}

// ParseOverride reads an override without verifying it.
func ParseOverride(b []byte) (*Override, error) {
	o, _, err := parseStatementOf[Override](anOverride(), b)
	return o, err
}

// VerifyOverride reads an override that must be signed with this key. Whether it has
// expired, and speaks of the plan at hand, is the caller's to ask.
func VerifyOverride(b []byte, key crypto.PublicKey) (*Override, error) {
	return verifyStatementOf[Override](anOverride(), b, key)
}

func anOverride() kind {
	return kind{name: "an override", command: "remint override", predicateType: OverrideType}
}

func (o Override) about() (digest, name string) {
	return o.PlanDigest, o.PlanID + "/override/" + o.Nonce
}

func (o Override) check() error {
	switch {
	case len(o.Denials) == 0:
		return errors.New("it names no denial")
	case !slices.IsSortedFunc(o.Denials, Denial.Compare) || len(slices.CompactFunc(slices.Clone(o.Denials), func(a, b Denial) bool { return a == b })) != len(o.Denials):
		return errors.New("its denials are not in order, each once")
	case slices.ContainsFunc(o.Denials, func(d Denial) bool { return d.Stage == "" || d.Source == "" || d.Rule == "" }):
		return errors.New("a denial must be named by stage, source and rule")
	case o.Reason == "" || o.Ticket == "":
		return errors.New("it must have a reason and a ticket")
	case len(o.Reason) > maxComment || len(o.Ticket) > maxComment:
		return fmt.Errorf("reason or ticket is longer than %d bytes", maxComment)
	}
	return o.Binding.check()
}
