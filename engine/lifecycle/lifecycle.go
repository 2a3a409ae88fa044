// Package lifecycle is the closed vocabulary of a reset: why it is done
// (Reason), in which order that makes it run (Mode), what each of its steps is
// for (Phase), and how surely its requester was verified (Strength).
//
// Policies, coverage and evidence speak these words, so nothing outside this
// package may add to them.
package lifecycle

import "slices"

// Reason says why a credential is reset.
type Reason string

// The reasons, and nothing else.
const (
	Scheduled   Reason = "scheduled"
	Expiring    Reason = "expiring"
	Forgotten   Reason = "forgotten"
	Compromised Reason = "compromised"
	Offboarding Reason = "offboarding"
)

// Reasons lists every reason in the order in which help texts show them.
func Reasons() []Reason { return []Reason{Scheduled, Expiring, Forgotten, Compromised, Offboarding} }

// Valid reports whether r is one of the five reasons.
func (r Reason) Valid() bool { return slices.Contains(Reasons(), r) }

// Mode is the order that follows from the reason.
func (r Reason) Mode() Mode {
	switch r {
	case Compromised:
		return Contain
	case Offboarding:
		return Retire
	default:
		return Cutover
	}
}

// NeedsSelection reports whether a plan for r must be told which credentials
// it is about: only what is due by age may be found out by itself.
func (r Reason) NeedsSelection() bool { return r != Scheduled && r != Expiring }

// Mode is the order in which the phases of a reset run.
type Mode string

// The modes.
const (
	// Cutover puts the new credential in place before the old one is killed.
	Cutover Mode = "cutover"
	// Contain kills the old one first: somebody else has it.
	Contain Mode = "contain"
	// Retire kills the old one and makes no new one.
	Retire Mode = "retire"
)

// Modes lists every mode.
func Modes() []Mode { return []Mode{Cutover, Contain, Retire} }

// Phase says what a step is for.
type Phase string

// The phases, and nothing else.
const (
	Verify     Phase = "verify"
	Approve    Phase = "approve"
	Issue      Phase = "issue"
	Install    Phase = "install"
	Confirm    Phase = "confirm"
	Distribute Phase = "distribute"
	Reload     Phase = "reload"
	Revoke     Phase = "revoke"
	Terminate  Phase = "terminate"
	Prove      Phase = "prove"
	Notify     Phase = "notify"
)

// Phases lists every phase in the order of a cutover.
func Phases() []Phase {
	return []Phase{Verify, Approve, Issue, Install, Confirm, Distribute, Reload, Revoke, Terminate, Prove, Notify}
}

// Valid reports whether p is one of the eleven phases.
func (p Phase) Valid() bool { return slices.Contains(Phases(), p) }

// Unconditional reports whether steps of phase p take no `when`, `target` or
// `on_failure`: nobody configures the proof away.
func (p Phase) Unconditional() bool {
	switch p {
	case Verify, Approve, Revoke, Terminate, Prove:
		return true
	}
	return false
}

// Order is the sequence of phases of mode m. A phase may occur twice (contain
// ends sessions and proves before and after the new credential).
func (m Mode) Order() []Phase {
	switch m {
	case Contain:
		return []Phase{Verify, Approve, Revoke, Terminate, Prove, Issue, Install, Confirm, Distribute, Reload, Terminate, Prove, Notify}
	case Retire:
		return []Phase{Verify, Approve, Revoke, Terminate, Prove, Distribute, Notify}
	default:
		return Phases()
	}
}

// Has reports whether mode m runs phase p at all.
func (m Mode) Has(p Phase) bool { return slices.Contains(m.Order(), p) }

// Kind says how versions of a credential of one type relate.
type Kind string

// The kinds.
const (
	// InPlace: one live version; setting the new one kills the old (passwords).
	InPlace Kind = "in_place"
	// Overlapping: two versions can live at once (keys).
	Overlapping Kind = "overlapping"
	// Minted: the target makes the value (certificates, tokens).
	Minted Kind = "minted"
)

// Required lists the phases that a runbook for a type of kind k must have to
// be run in mode m. sessions tells whether the type has sessions to end.
func (m Mode) Required(k Kind, sessions bool) []Phase {
	var need []Phase
	for _, p := range Phases() {
		if !m.Has(p) {
			continue
		}
		switch p {
		case Verify, Approve, Revoke, Prove, Notify:
			need = append(need, p)
		case Terminate:
			if sessions {
				need = append(need, p)
			}
		case Issue, Confirm, Distribute:
			if m != Retire {
				need = append(need, p)
			}
		case Install:
			if k != Minted {
				need = append(need, p)
			}
		}
	}
	return need
}

// Strength says how surely a requester was verified (NIST SP 800-63B).
type Strength string

// The strengths, weakest first.
const (
	None Strength = "none"
	AAL1 Strength = "aal1"
	AAL2 Strength = "aal2"
	AAL3 Strength = "aal3"
)

// Strengths lists every strength, weakest first.
func Strengths() []Strength { return []Strength{None, AAL1, AAL2, AAL3} }

// Valid reports whether s is one of the four strengths.
func (s Strength) Valid() bool { return slices.Contains(Strengths(), s) }

// AtLeast reports whether s is as strong as t or stronger. An unknown strength
// is weaker than all.
func (s Strength) AtLeast(t Strength) bool {
	return slices.Index(Strengths(), s) >= slices.Index(Strengths(), t)
}

// Proof says what the death of the old credential rests on.
type Proof string

// The proofs, strongest first.
const (
	// Tested: this very secret was accepted before the change and is refused
	// as a wrong credential after it, while a control succeeds at the same place.
	Tested Proof = "tested"
	// Reported: the target's own records say replaced, absent or revoked.
	Reported Proof = "reported"
	// Unknown: neither could be established. Never counts as dead.
	Unknown Proof = "unknown"
)

// Proofs lists every proof, strongest first.
func Proofs() []Proof { return []Proof{Tested, Reported, Unknown} }

// Production is the environment of whatever does not say otherwise.
const Production = "production"

// Environments lists the environments that are not production.
func Environments() []string { return []string{"development", "test", "staging"} }

// IsProduction reports whether environment e is held to production's rules:
// everything is, but development, test and staging.
func IsProduction(e string) bool { return !slices.Contains(Environments(), e) }
