package planner

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"

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

// TrustDigest covers where the judges come from: approvers, policies and their
// enforcement, the signer, provider blocks, consumer commands, notifiers.
func (p *Planner) TrustDigest() string {
	w := p.Workspace
	model := map[string]any{
		"approvers": w.Approvers, "policies": p.Policies.Digest(), "signer": p.SignerID,
	}
	approvers := make([]any, len(w.Approvers))
	for i, a := range w.Approvers {
		approvers[i] = []any{a.Name, a.PublicKey, a.Groups, a.Identities}
	}
	model["approvers"] = approvers
	providers := map[string]any{}
	for k, b := range w.Providers {
		providers[k] = []any{b.Environment, b.Attrs.Public()}
	}
	model["providers"] = providers
	notifiers := map[string]any{}
	for _, b := range w.Notifiers {
		notifiers[b.Key()] = b.Attrs.Public()
	}
	model["notifiers"] = notifiers
	commands := map[string]bool{}
	for _, c := range w.Credentials {
		for _, b := range c.Consumers {
			line, _ := json.Marshal([]any{b.Type, b.Attrs.Public()})
			commands[string(line)] = true
		}
	}
	list := make([]string, 0, len(commands))
	for c := range commands {
		list = append(list, c)
	}
	slices.Sort(list)
	model["consumers"] = list
	b, err := json.Marshal(model)
	if err != nil {
		panic("the trust base is not JSON") // a defect of Attrs.Public
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
