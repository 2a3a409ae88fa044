package view

import (
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/provider"
)

// block is one entry of the registry, for showing.
type block struct {
	Kind        string      `json:"kind"` // provider, credential, store, consumer, notifier, verifier
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Provider    string      `json:"provider,omitempty"`
	Versions    string      `json:"versions,omitempty"`
	Sessions    string      `json:"sessions,omitempty"`
	Fields      []field     `json:"fields,omitempty"`
	Attributes  []attribute `json:"attributes"`
	Issue       []attribute `json:"issue,omitempty"`
}

type field struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Public      bool   `json:"public"`
}

type attribute struct {
	Name        string   `json:"name"`
	Type        string   `json:"type"`
	Required    bool     `json:"required"`
	Sensitive   bool     `json:"sensitive"`
	Default     any      `json:"default,omitempty"`
	OneOf       []string `json:"one_of,omitempty"`
	Description string   `json:"description"`
}

// blocks lists everything that a workspace may name.
func blocks(r *provider.Registry) []block {
	var out []block
	for _, n := range r.Providers() {
		d := r.Provider(n)
		out = append(out, block{Kind: "provider", Name: n, Description: d.Description, Attributes: attributes(d.Schema)})
	}
	for _, n := range r.Types() {
		t := r.Type(n)
		b := block{Kind: "credential", Name: n, Description: t.Description, Provider: r.ProviderOf(n), Versions: string(t.Kind),
			Sessions: sessions(t), Attributes: attributes(t.Schema), Issue: attributes(t.Issue.Schema)}
		for _, f := range t.Fields {
			b.Fields = append(b.Fields, field{f.Name, f.Description, f.Public})
		}
		out = append(out, b)
	}
	for _, n := range r.Stores() {
		out = append(out, block{Kind: "store", Name: n, Description: r.Store(n).Description, Attributes: attributes(r.Store(n).Schema)})
	}
	for _, n := range r.Consumers() {
		out = append(out, block{Kind: "consumer", Name: n, Description: r.Consumer(n).Description, Attributes: attributes(r.Consumer(n).Schema)})
	}
	for _, n := range r.Notifiers() {
		out = append(out, block{Kind: "notifier", Name: n, Description: r.Notifier(n).Description, Attributes: attributes(r.Notifier(n).Schema)})
	}
	for _, n := range r.Verifiers() {
		out = append(out, block{Kind: "verifier", Name: n, Description: r.Verifier(n).Description, Attributes: attributes(r.Verifier(n).Schema)})
	}
	return out
}

func sessions(t *provider.CredentialType) string {
	switch {
	case !t.Sessions:
		return "none"
	case t.SelectiveSessions:
		return "ended selectively"
	}
	return "all ended"
}

func attributes(s provider.Schema) []attribute {
	out := []attribute{}
	for _, a := range s.Attributes {
		def := a.Default
		if d, ok := def.(fmt.Stringer); ok {
			def = d.String()
		}
		out = append(out, attribute{a.Name, string(a.Type), a.Required, a.Sensitive, def, a.OneOf, a.Description})
	}
	return out
}

// Providers lists what there is.
func (v *View) Providers(r *provider.Registry) {
	all := blocks(r)
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "blocks": all})
		return
	}
	var rows [][]string
	for _, b := range all {
		can := ""
		if b.Kind == "credential" {
			can = b.Versions + ", sessions: " + b.Sessions
		}
		rows = append(rows, []string{b.Kind, b.Name, can, firstSentence(b.Description)})
	}
	v.table("KIND | NAME | VERSIONS | DESCRIPTION", rows)
}

func firstSentence(s string) string {
	if i := strings.Index(s, ". "); i >= 0 {
		return s[:i+1]
	}
	return s
}

// Schema shows attributes; of all blocks, or of those called name. It reports
// whether there was any.
func (v *View) Schema(r *provider.Registry, name string) bool {
	found := []block{}
	for _, b := range blocks(r) {
		if name == "" || b.Name == name {
			found = append(found, b)
		}
	}
	if len(found) == 0 {
		return false
	}
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "blocks": found})
		return true
	}
	for i, b := range found {
		if i > 0 {
			v.Text("\n")
		}
		v.Text(v.out().bold(b.Kind+" "+b.Name) + "\n  " + b.Description + "\n")
		v.attributeLines("", b.Attributes)
		v.attributeLines("issue: ", b.Issue)
		for _, f := range b.Fields {
			v.Text(fmt.Sprintf("  field %-18s %s\n", f.Name, f.Description))
		}
	}
	return true
}

func (v *View) attributeLines(prefix string, list []attribute) {
	for _, a := range list {
		facts := a.Type
		switch {
		case a.Required:
			facts += ", required"
		case a.Default != nil:
			facts += fmt.Sprintf(", %v unless told", a.Default)
		}
		if a.Sensitive {
			facts += ", sensitive"
		}
		v.Text(fmt.Sprintf("  %s%-18s (%s) %s\n", prefix, a.Name, facts, a.Description))
	}
}
