package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/providers/builtin"
)

const generated = "<!-- Written by `make generate` from the schemas in the code. Do not edit. -->\n\n"

// reference adds a page per kind of block.
func reference(files map[string][]byte) error {
	r := builtin.Registry()
	page := func(name, title string, body func(*strings.Builder)) {
		var b strings.Builder
		b.WriteString(generated + "# " + title + "\n")
		body(&b)
		files["docs/reference/"+name+".md"] = []byte(b.String())
	}
	page("providers", "Providers", func(b *strings.Builder) {
		b.WriteString("\nEvery provider block also takes `environment`.\n")
		for _, n := range r.Providers() {
			d := r.Provider(n)
			section(b, n, d.Description, d.Schema)
			var types []string
			for _, t := range d.Types {
				types = append(types, fmt.Sprintf("[`%s`](credentials.md#%s)", t.Name, t.Name))
			}
			b.WriteString("\nCredential types: " + strings.Join(types, ", ") + "\n")
		}
	})
	page("credentials", "Credential types", func(b *strings.Builder) {
		b.WriteString("\nEvery credential block also takes `provider`, `owner`, `subject`, `environment`, `max_age`, `labels`, `runbook`, `for_each`, `depends_on`, and blocks `store` and `consumer`.\n\nAttributes that are `key` say which credential it is at its target: two blocks that agree in them are the same credential, and are not reset at the same time.\n")
		for _, n := range r.Types() {
			credential(b, r, r.Type(n))
		}
	})
	page("stores", "Stores", func(b *strings.Builder) {
		b.WriteString("\nEvery store block also takes `field`: which field of the secret it holds.\n")
		for _, n := range r.Stores() {
			section(b, n, r.Store(n).Description, r.Store(n).Schema)
		}
	})
	page("consumers", "Consumers", func(b *strings.Builder) {
		for _, n := range r.Consumers() {
			section(b, n, r.Consumer(n).Description, r.Consumer(n).Schema)
		}
	})
	page("notifiers", "Notifiers", func(b *strings.Builder) {
		b.WriteString("\nWhere a workspace declares none, notices go to the file `notices.jsonl`.\n")
		for _, n := range r.Notifiers() {
			section(b, n, r.Notifier(n).Description, r.Notifier(n).Schema)
		}
	})
	page("verifiers", "Verifiers", func(b *strings.Builder) {
		b.WriteString("\n[Verification](../verification.md) tells how they are used.\n")
		for _, n := range r.Verifiers() {
			section(b, n, r.Verifier(n).Description, r.Verifier(n).Schema)
		}
	})
	return nil
}

func section(b *strings.Builder, name, description string, s provider.Schema) {
	fmt.Fprintf(b, "\n## %s\n\n%s\n", name, description)
	table(b, s)
}

func credential(b *strings.Builder, r *provider.Registry, t *provider.CredentialType) {
	section(b, t.Name, t.Description, t.Schema)
	sessions := "the target keeps none"
	switch {
	case t.Sessions && t.SelectiveSessions:
		sessions = "those begun before the change are ended"
	case t.Sessions:
		sessions = "all are ended: the target cannot tell old from new"
	}
	fenced := "no"
	if t.Fenced {
		fenced = "where the target allows it"
	}
	fmt.Fprintf(b, "\n| | |\n|---|---|\n| provider | [`%s`](providers.md#%s) |\n| versions | %s |\n| sessions | %s |\n| fenced | %s |\n| new secret | %.0f bits unless told |\n",
		r.ProviderOf(t.Name), r.ProviderOf(t.Name), strings.ReplaceAll(string(t.Kind), "_", " "), sessions, fenced, t.Issue.Bits(defaults(t.Issue.Schema)))
	b.WriteString("\n| field | public | meaning |\n|---|---|---|\n")
	for _, f := range t.Fields {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.Name, yes(f.Public), cell(f.Description))
	}
	if len(t.Issue.Schema.Attributes) > 0 {
		b.WriteString("\nArguments of its `issue` step:\n")
		table(b, t.Issue.Schema)
	}
}

func defaults(s provider.Schema) provider.Attrs {
	values := map[string]any{}
	for _, a := range s.Attributes {
		if a.Default != nil {
			values[a.Name] = a.Default
		}
	}
	return provider.NewAttrs(values)
}

func table(b *strings.Builder, s provider.Schema) {
	b.WriteString("\n| attribute | type | rules | meaning |\n|---|---|---|---|\n")
	for _, a := range s.Attributes {
		var facts []string
		if a.Required {
			facts = append(facts, "required")
		}
		if a.Key {
			facts = append(facts, "key")
		}
		if a.Default != nil {
			facts = append(facts, "default "+code(value(a.Default)))
		}
		if len(a.OneOf) > 0 {
			facts = append(facts, "one of "+code(strings.Join(a.OneOf, "` `")))
		}
		if a.Min != 0 || a.Max != 0 {
			facts = append(facts, bound(a, a.Min)+" to "+bound(a, a.Max))
		}
		if a.Sensitive {
			facts = append(facts, "sensitive")
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, a.Type, strings.Join(facts, ", "), cell(a.Description))
	}
}

func value(v any) string {
	switch v := v.(type) {
	case provider.Path:
		return v.Written
	case time.Duration:
		return duration(v)
	case []string:
		return strings.Join(v, "` `")
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprint(v)
}

// bound is one end of an attribute's range, as a workspace writes it.
func bound(a provider.Attribute, n int64) string {
	if a.Type == provider.Duration {
		return duration(time.Duration(n))
	}
	return fmt.Sprint(n)
}

// duration leaves out the zero parts that String writes at the end.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func code(s string) string { return "`" + s + "`" }

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// cell keeps a text in its table cell.
func cell(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", `\|`)
}
