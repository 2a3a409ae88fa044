package evidence

import "fmt"

// Level says what sound evidence is worth.
type Level string

// The levels.
const (
	// L0: self-asserted. Whoever holds the keys could have rewritten all of it.
	L0 Level = "L0"
	// L2: somebody else cosigned a checkpoint, so that what it covers cannot have
	// been rewritten since without their help.
	L2 Level = "L2"
)

// Meaning is the level in words, for people.
func (l Level) Meaning() string {
	if l == L2 {
		return "a checkpoint was cosigned by somebody else: what it covers was not rewritten since"
	}
	return "self-asserted: whoever holds the keys could have rewritten all of it; keep checkpoints elsewhere"
}

// Code names a kind of finding.
type Code string

// The codes of findings.
const (
	CodeFile       Code = "file"        // a file or folder that should not be there, or cannot be read
	CodeFormat     Code = "format"      // a line that is no bundle of ours
	CodeKey        Code = "key"         // signed with a key that is not trusted
	CodeSignature  Code = "signature"   // the signature is wrong
	CodeSubject    Code = "subject"     // statement and predicate do not fit together
	CodePlace      Code = "place"       // a sound record in the wrong file
	CodeSequence   Code = "sequence"    // records missing, repeated or out of order
	CodeChain      Code = "chain"       // a link does not lead to the record that is there
	CodeTotal      Code = "total"       // a count does not fit
	CodeMissing    Code = "missing"     // what a record or the ledger speaks of is not there
	CodeAssertion  Code = "assertion"   // a person's word without her signature, or where it cannot stand
	CodeDecision   Code = "decision"    // what policies allowed or denied, without the decision
	CodeOpen       Code = "open"        // a run without a closed record
	CodeUnledgered Code = "unledgered"  // a record that is not in the ledger
	CodeLedger     Code = "ledger"      // the ledger is missing, cut or damaged
	CodeLedgerSeq  Code = "ledger_seq"  // a leaf is not where it says it is, or is there twice
	CodeRoot       Code = "ledger_root" // the leaves are not those of the signed head
	CodeCheckpoint Code = "checkpoint"  // the head's signature is wrong, or the head kept elsewhere does not fit
)

// Finding is one thing that is wrong.
type Finding struct {
	Code Code `json:"code"`
	// File is relative to the evidence directory; Line counts from 1, 0 for all of it.
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Message string `json:"message"`
}

// String is the finding on one line.
func (f Finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	if place != "" {
		place += ": "
	}
	return fmt.Sprintf("%s%s [%s]", place, f.Message, f.Code)
}

// Head is the ledger's signed head.
type Head struct {
	Origin string `json:"origin"`
	Size   uint64 `json:"size"`
	// Root is the Merkle root, in hex.
	Root string `json:"root"`
}

// KeyUse says how much one of the given keys signed.
type KeyUse struct {
	// KeyID is the hint that bundles carry.
	KeyID   string `json:"key_id"`
	Bundles int    `json:"bundles"`
}

// Report is what verification found. The evidence is sound if there are no
// findings.
type Report struct {
	Level   Level `json:"level"`
	Runs    int   `json:"runs"`
	Resets  int   `json:"resets"`
	Bundles int   `json:"bundles"`
	// Trust counts the runs by where their judges come from: self-asserted, pinned, base.
	Trust map[string]int `json:"trust"`
	// Asserted are the records that rest on a person's signed word, not on anything
	// that was observed.
	Asserted int `json:"asserted"`
	// Unchecked are the approvals that nobody who is known has signed, or that no
	// trusted root is at hand for.
	Unchecked int  `json:"unchecked"`
	Head      Head `json:"head"`
	// Debts are reviews that are owed. They are no findings: evidence of a run that
	// nobody has reviewed yet is sound.
	Debts []Debt `json:"debts,omitempty"`
	// Keys are all keys that were given, by their hints, with what they signed.
	Keys []KeyUse `json:"keys"`
	// TrustedRoots are those by which certificates were verified, with how many.
	TrustedRoots []RootUse `json:"trusted_roots,omitempty"`
	Findings     []Finding `json:"findings"`
	// More is how many findings were left out of Findings.
	More int `json:"more,omitempty"`
}

// Sound reports whether nothing is wrong.
func (r *Report) Sound() bool { return len(r.Findings) == 0 }

const (
	maxFindings     = 1000
	maxFileFindings = 20
)
