package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/policies"
)

// library adds the page of the policy library: its groups, rules, parameters,
// and the published controls that they enforce.
func library(files map[string][]byte) error {
	l, err := policy.OpenLibrary(policies.FS)
	if err != nil {
		return err
	}
	var all []string
	for _, g := range l.Groups {
		all = append(all, g.Name)
	}
	src, err := l.Source("builtin", all, nil)
	if err != nil {
		return err
	}
	rules, diags := policy.Rules(src)
	if diags.HasErrors() {
		return diags.Err()
	}
	var b strings.Builder
	b.WriteString(strings.Replace(generated, "schemas in the code", "library's METADATA", 1) + "# The policy library\n\n" +
		"A `library` block chooses groups, says whether their denials are `mandatory`, and sets parameters; see [the language](../language.md#approvers-and-policies).\n" +
		"What rules are asked about is in [the policy input](policy-input.md).\n")
	for _, g := range l.Groups {
		when := "asked when chosen"
		if g.Always {
			when = "always asked"
		} else if g.Default {
			when = "asked when chosen, and when nothing is"
		}
		fmt.Fprintf(&b, "\n## %s\n\n%s (%s)\n\n| rule | asked in | says | severity | controls |\n|---|---|---|---|---|\n", g.Name, g.Title, when)
		for _, r := range rules {
			if r.Folder == g.Name {
				says := r.Set
				if r.OffUnless != "" {
					says += ", once `" + r.OffUnless + "` is set"
				}
				fmt.Fprintf(&b, "| `%s`: %s. %s | `%s` | %s | %s | %s |\n", r.ID, r.Title, strings.TrimSpace(r.Description), r.Stage, says, r.Severity, strings.Join(r.Controls, ", "))
			}
		}
		parametersOf(&b, l, g.Name)
	}
	if err := controls(&b, l, rules); err != nil {
		return err
	}
	files["docs/reference/policies.md"] = []byte(b.String())
	return nil
}

func parametersOf(b *strings.Builder, l *policy.Library, group string) {
	head := "\n| parameter | type | default | |\n|---|---|---|---|\n"
	for _, p := range l.Parameters {
		if p.Group != group {
			continue
		}
		value, _ := json.Marshal(p.Default)
		what := p.Description
		if len(p.OneOf) > 0 {
			one := "one of"
			if p.Type == "list(string)" {
				one = "each " + one
			}
			what += "; " + one + " `" + strings.Join(p.OneOf, "`, `") + "`"
		}
		if p.NotEmpty {
			what += "; at least one"
		}
		if p.Max > 0 {
			what += fmt.Sprintf("; %d to %d", p.Min, p.Max)
		}
		fmt.Fprintf(b, "%s| `%s` | %s | `%s` | %s |\n", head, p.Name, p.Type, value, what)
		head = ""
	}
}

// controls says which rules serve which published control, and what none does.
func controls(b *strings.Builder, l *policy.Library, rules []policy.RuleDoc) error {
	catalogues, err := policies.Catalogues()
	if err != nil {
		return err
	}
	b.WriteString("\n## Controls\n\n" +
		"A rule names a control only where the control's text asks for what the rule enforces, and then seldom for all of it: the last column says\n" +
		"what remains. Behind a rule that is not asked unless somebody says so stands what it takes: a group that is chosen, or a parameter that is set. Passing\n" +
		"rules is not compliance.\n")
	for _, c := range catalogues {
		fmt.Fprintf(b, "\n### %s\n\n[%s](%s). %s Edition: %s.\n\n| control | | rules | without rules | not covered |\n|---|---|---|---|---|\n", c.Framework, c.Title, c.Source, c.Scope, c.Edition)
		for _, one := range c.Controls {
			var by []string
			for _, r := range rules {
				if slices.Contains(r.Controls, c.Name(one)) {
					by = append(by, "`"+r.ID+"`"+takes(l, r))
				}
			}
			title := one.Title
			if len(one.Also) > 0 {
				title += " (" + strings.Join(one.Also, ", ") + ")"
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s |\n", one.ID, title, cmp.Or(strings.Join(by, ", "), "none"), one.Program, one.NotCovered)
		}
	}
	return nil
}

// takes says what a workspace has to choose and set for a rule to be enforced.
func takes(l *policy.Library, r policy.RuleDoc) string {
	var what []string
	if !slices.ContainsFunc(l.Groups, func(g policy.Group) bool { return g.Name == r.Folder && (g.Always || g.Default) }) {
		what = append(what, "group `"+r.Folder+"`")
	}
	if r.OffUnless != "" {
		what = append(what, "once set")
	}
	if len(what) == 0 {
		return ""
	}
	return " (" + strings.Join(what, ", ") + ")"
}
