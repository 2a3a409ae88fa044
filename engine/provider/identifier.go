package provider

import "github.com/remint-dev/remint/engine/secret"

// Identifier tells which version a secret is, so that the engine can revoke
// the old one even where the target's records do not list it under the
// credential: a certificate issued before remint kept records, a key listed
// under another comment.
type Identifier interface {
	// VersionOf gives the ID that material has, or would have, among an
	// Observation's Versions. It needs no more than the Probe field and has no
	// side effects. Permanent if the material cannot be read.
	VersionOf(material secret.Material) (string, error)
}
