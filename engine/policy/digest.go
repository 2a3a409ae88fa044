package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
)

// sourceDigest is what Digest covers of one source.
type sourceDigest struct {
	Name        string   `json:"name"`
	Enforcement string   `json:"enforcement"`
	Revision    string   `json:"revision,omitempty"`
	Modules     []string `json:"modules"`
	// Rules has the enforcement of rules, where it is another.
	Rules map[string]string `json:"rules,omitempty"`
}

// digest hashes the content of each module; a comment counts, because its
// METADATA can be read by rules and by people who decide about exceptions.
func (f *folder) digest() sourceDigest {
	d := sourceDigest{Name: f.source.Name, Enforcement: f.source.Enforcement, Revision: f.source.Revision, Modules: []string{}, Rules: f.source.Rules}
	for _, m := range f.modules {
		sum := sha256.Sum256(m.text)
		d.Modules = append(d.Modules, hex.EncodeToString(sum[:]))
	}
	slices.Sort(d.Modules)
	return d
}

// Digests gives the digest of each source by its name, "sha256:…" over its content;
// it reads the sources and compiles nothing.
func Digests(sources []Source) (map[string]string, diag.Diagnostics) {
	var diags diag.Diagnostics
	out := map[string]string{}
	for _, src := range sources {
		folder, faults := load(src)
		diags = append(diags, faults...)
		out[src.Name] = folder.digest().content()
	}
	return out, diags
}

// content is the digest of the modules alone.
func (d sourceDigest) content() string {
	sum := sha256.Sum256([]byte(strings.Join(d.Modules, "\n")))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func uniteDigests(all []sourceDigest) string {
	slices.SortFunc(all, func(a, b sourceDigest) int { return strings.Compare(a.Name, b.Name) })
	b, err := json.Marshal(all)
	if err != nil {
		return "" // strings only: it cannot fail
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:])
}
