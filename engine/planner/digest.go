package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"

	"github.com/remint-dev/remint/engine/config"
)

// WorkspaceDigest is sha256 over the evaluated model of what a plan of these
// credentials uses. Comments and file names do not count, sensitive values
// enter by name only.
func WorkspaceDigest(chosen []*config.Credential) string {
	h := sha256.New()
	enc := json.NewEncoder(h) // sorted keys, a line each: a canonical stream
	for _, c := range chosen {
		if err := enc.Encode(config.Canonical(c)); err != nil {
			panic("the model of " + c.Addr.String() + " is not JSON") // a defect of config.Canonical
		}
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}
