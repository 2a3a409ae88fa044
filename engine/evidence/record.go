package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/remint-dev/remint/engine/plan"
)

// RunFile is the name of the file of a run's own records, in the run's folder.
const RunFile = "run" + fileSuffix

const (
	fileSuffix  = ".sigstore.jsonl"
	payloadType = "application/vnd.in-toto+json"
)

// Record is a predicate that stands in an evidence file: Run, Step or Reset.
type Record interface {
	// Name is the name of the statement's second subject: run/address/step. It
	// says what the record is about and recurs when a step ran again.
	Name() string
	common() *Common
	predicateType() string
}

// Name is run/run/event.
func (r Run) Name() string { return r.Common.Run + "/run/" + r.Event }

// Name is run/address/step.
func (s Step) Name() string { return s.Run + "/" + s.Address + "/" + s.Step }

// Name is run/address/reset.
func (r Reset) Name() string { return r.Run + "/" + r.Address + "/reset" }

func (r Run) common() *Common   { return &r.Common }
func (s Step) common() *Common  { return &s.Common }
func (r Reset) common() *Common { return &r.Common }

func (Run) predicateType() string   { return RunType }
func (Step) predicateType() string  { return StepType }
func (Reset) predicateType() string { return ResetType }

// ID is a name for the record that never recurs: its name and its sequence
// number. It is what the journal and the ledger know the bundle by.
func ID(r Record) string { return r.Name() + "#" + strconv.Itoa(r.common().Sequence) }

// LineDigest is the sha256, in hex, of a bundle's line without its newline: what
// links and ledger leaves carry.
func LineDigest(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// newStatement is the canonical statement of a predicate about a plan.
func newStatement(predicateType, planDigest, record string, predicate any) ([]byte, error) {
	hexDigest, err := planHex(planDigest)
	if err != nil {
		return nil, err
	}
	body, err := plan.Canonical(predicate)
	if err != nil {
		return nil, fmt.Errorf("the record %s cannot be written as JSON: %w", record, err)
	}
	name, err := plan.Canonical([]string{record})
	if err != nil {
		return nil, fmt.Errorf("the name of record %.80q cannot be written as JSON", record)
	}
	if len(name) > maxName {
		return nil, fmt.Errorf("the name of record %.80q is too long", record)
	}
	var out bytes.Buffer
	for _, part := range [][]byte{
		[]byte(statementHead), body, []byte(statementKind + predicateType + statementPlan + hexDigest + statementRecord + LineDigest(body) + statementName),
		name[1 : len(name)-1], []byte(statementEnd),
	} {
		out.Write(part)
	}
	return out.Bytes(), nil
}

// A statement is these pieces around predicate, predicate type, the plan's
// digest, the record's and its name: an in-toto Statement v1 in RFC 8785 form,
// given that the predicate is. To canonicalize the predicate again as a part of
// the whole would cost more than to sign it.
const (
	statementHead   = `{"_type":"https://in-toto.io/Statement/v1","predicate":`
	statementKind   = `,"predicateType":"`
	statementPlan   = `","subject":[{"digest":{"sha256":"`
	statementRecord = `"},"name":"plan"},{"digest":{"sha256":"`
	statementName   = `"},"name":`
	statementEnd    = `}]}`
)

// planHex is the hex of a plan digest, without "sha256:".
func planHex(digest string) (string, error) {
	h, ok := strings.CutPrefix(digest, "sha256:")
	if b, err := hex.DecodeString(h); !ok || err != nil || len(b) != sha256.Size || h != strings.ToLower(h) {
		return "", fmt.Errorf("%q is not a plan digest: it must be sha256: and 64 small hexadecimal digits", digest)
	}
	return h, nil
}
