package gate

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/evidence"
)

// Use is one use of an approver's key, whether it counts or not: its owner is told.
type Use struct {
	Approver config.Approver
	// Did is what it was used for, as "approved plan ID".
	Did string
	// Why it does not count, "" where it does.
	Why string
	// ID is the same for the same statement, and for no other.
	ID string
}

func used(a config.Approver, signed evidence.Approval, why string) Use {
	did := map[string]string{evidence.Approve: "approved", evidence.Reject: "rejected", evidence.Withdraw: "took back what was decided of"}[signed.Decision]
	return Use{Approver: a, Did: did + " plan " + signed.PlanID, Why: why, ID: StatementID(a.Name, signed)}
}

// Used is the use of the key of the approver of that name for an approval, as who signs it knows it.
func Used(name string, signed evidence.Approval) Use {
	return used(config.Approver{Name: name}, signed, "")
}

// UsedFor is the use of the key of the approver of that name for something else.
func UsedFor(name, did string, signed any) Use {
	return usedFor(config.Approver{Name: name}, did, signed, "")
}

// DidOverride is what a key was used for that signed an override.
func DidOverride(plan string) string { return "overrode denials of plan " + plan }

// DidBreakGlass is what a key was used for that signed a break-glass statement.
func DidBreakGlass(plan string) string { return "broke the glass for plan " + plan }

// usedFor is a use of a key for something else than an approval.
func usedFor(a config.Approver, did string, signed any, why string) Use {
	return Use{Approver: a, Did: did, Why: why, ID: StatementID(a.Name, signed)}
}

// StatementID identifies what somebody signed by what it says, since one statement
// can have many signatures.
func StatementID(who string, signed any) string {
	doc, err := json.Marshal([]any{who, signed})
	if err != nil {
		panic("a statement is not JSON") // it was read from JSON
	}
	sum := sha256.Sum256(doc)
	return hex.EncodeToString(sum[:16])
}
