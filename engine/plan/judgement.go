package plan

import "time"

// The results of a judgement.
const (
	Allowed = "allowed"
	Denied  = "denied"
	// Unanswered is that of policies that could not be asked, or whose answer could not
	// be logged; it stops what was asked about, as a denial does.
	Unanswered = "unanswered"
)

// Judgement is one question to the policies, and what came of it. Evidence keeps it;
// its id is that of the line in the decision log.
type Judgement struct {
	ID string `json:"id"`
	// Stage is remint.plan, remint.approval or remint.result.
	Stage string `json:"stage"`
	// InputDigest is "sha256:…" over what the policies saw, as in the decision log.
	InputDigest string `json:"input_digest"`
	// PolicyDigest is that of all policies that were asked, as in plans; Revisions are
	// those of the sources that state one, by source.
	PolicyDigest string            `json:"policy_digest"`
	Revisions    map[string]string `json:"revisions,omitempty"`
	// Result is one of allowed, denied, unanswered.
	Result string `json:"result"`
	// AskedAt and Took are by the clock of the machine that asked.
	AskedAt time.Time `json:"asked_at"`
	Took    int64     `json:"took_ns"`
	// Now is the time that the policies were told, in the approval stage.
	Now *time.Time `json:"now,omitempty"`
	// Decisions are what was said. Those of the plan stage stand in the plan.
	Decisions []Decision `json:"decisions,omitempty"`
}
