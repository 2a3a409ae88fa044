package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"github.com/remint-dev/remint/engine/plan"
)

// leaf is what the ledger keeps of a bundle, in RFC 8785 order.
type leaf struct {
	// Record is the ID of the bundle's record.
	Record string `json:"record"`
	Run    string `json:"run"`
	// Seq counts the ledger's leaves from 0: a leaf's own place, signed into it.
	Seq uint64 `json:"seq"`
	// SHA256 is the digest of the bundle's line.
	SHA256 string `json:"sha256"`
}

func (l leaf) encode() ([]byte, error) { return plan.Canonical(l) }

// digest is that of the bundle's line. A leaf that parseLeaf gave has one.
func (l leaf) digest() (d [sha256.Size]byte) {
	_, _ = hex.Decode(d[:], []byte(l.SHA256))
	return d
}

// parseLeaf reads what encode writes, and nothing else.
func parseLeaf(b []byte) (leaf, error) {
	var l leaf
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&l); err != nil || dec.More() {
		return leaf{}, errors.New("the leaf is not what remint writes")
	}
	if sum, err := hex.DecodeString(l.SHA256); err != nil || len(sum) != 32 || strings.ToLower(l.SHA256) != l.SHA256 {
		return leaf{}, errors.New("the leaf has no sha256")
	}
	if again, err := l.encode(); err != nil || !bytes.Equal(again, b) { // one leaf, one spelling
		return leaf{}, errors.New("the leaf is not what remint writes")
	}
	return l, nil
}
