package engine

import (
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// people are the approvers, as gate.Persons gives them, and those whom the request names.
func (r EvidenceRequest) people(approvers []config.Approver) ([]evidence.Person, diag.Diagnostics) {
	var out []evidence.Person
	var diags diag.Diagnostics
	for _, a := range approvers {
		p := evidence.Person{Names: append([]string{a.Name}, a.Identities...), Identity: evidence.Identity{Name: a.Identity, Issuer: a.Issuer}}
		if key, err := evidence.ParsePublicKey([]byte(a.PublicKey)); err == nil {
			p.Key = key
		}
		out = append(out, p)
	}
	for _, file := range r.ApproverKeys {
		key, err := evidence.LoadPublicKey(file)
		if err != nil {
			diags = diags.Errorf("An approver's public key cannot be used", "%s.", err)
			continue
		}
		out = append(out, evidence.Person{Key: key})
	}
	for _, who := range r.ApproverIdentities {
		at := strings.LastIndex(who, ",")
		if at <= 0 || at == len(who)-1 {
			diags = diags.Errorf("No such identity", "-approver-identity=%s must be IDENTITY,ISSUER, as the certificate names them: erin@example.com,https://login.example.com.", who)
			continue
		}
		id := evidence.Identity{Name: who[:at], Issuer: who[at+1:]}
		out = append(out, evidence.Person{Names: []string{id.Name}, Identity: id})
	}
	return out, diags
}

// trustedRoot is what certificates in evidence are verified by: the named file, or else
// declared, the text of the workspace's. It is nil where there is none.
func (r EvidenceRequest) trustedRoot(declared string) (*evidence.Authority, diag.Diagnostics) {
	if r.TrustedRoot == "" {
		a, diags := authority(declared)
		if a != nil {
			a.Source = "the workspace's"
		}
		return a, diags
	}
	text, err := boundedfile.Read(r.TrustedRoot, maxTrustedRoot)
	if err != nil {
		return nil, diag.Errored(0, "The trusted root cannot be read", "%s: %s.", r.TrustedRoot, err)
	}
	a, err := evidence.ParseAuthority(text)
	if err != nil {
		return nil, diag.Errored(0, "The trusted root cannot be used", "%s: %s.", r.TrustedRoot, err)
	}
	a.Source = "given as " + r.TrustedRoot
	return a, nil
}

// maxTrustedRoot bounds a trusted root in bytes; that of sigstore.dev has 7 kB.
const maxTrustedRoot = 1 << 20
