package config

import "strings"

// Canonical is what a plan of c uses of the workspace, ready for JSON and the
// same for the same meaning: comments, layout and file names do not count, and
// sensitive values enter by name only.
func Canonical(c *Credential) any {
	depends := make([]string, len(c.DependsOn))
	for i, d := range c.DependsOn {
		depends[i] = d.String()
	}
	out := map[string]any{
		"address": c.Addr.String(), "owner": c.Owner, "environment": c.Environment, "max_age": c.MaxAge.String(),
		"labels": c.Labels, "attributes": c.Attrs.Public(), "depends_on": depends,
		"stores": blocks(c.Stores), "consumers": blocks(c.Consumers),
	}
	if c.Subject != "" {
		out["subject"] = c.Subject
	}
	if c.Runbook != nil {
		out["runbook"] = []string{c.Runbook.Name, c.Runbook.Digest}
	}
	if p := c.Provider; p != nil {
		out["provider"] = []any{p.Key(), p.Environment, p.Attrs.Public()}
	}
	return out
}

func blocks(list []*Block) []any {
	out := make([]any, len(list))
	for i, b := range list {
		out[i] = []any{b.Key(), b.Field, b.Attrs.Public()}
	}
	return out
}

// fields are the neighbouring pairs of words of a sentence.
func fields(s string) []string {
	words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == ',' || r == '.' })
	var out []string
	for i := 1; i < len(words); i++ {
		out = append(out, words[i-1]+" "+words[i])
	}
	return out
}
