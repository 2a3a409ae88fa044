package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/invopop/jsonschema"
)

// decisions are the three questions that policies are asked, each with a whole
// input as an example: the fields' examples are taken from there, and so is in
// which decision a field stands.
var decisions = []string{"plan", "approval", "result"}

func exampleFile(decision string) string {
	return "schemas/examples/policy-input-" + decision + ".json"
}

// shown is what the examples show of a field.
type shown struct {
	example any
	in      []string
}

// inputExamples follows the examples through the schema. The key is OBJECT.FIELD.
func inputExamples(s *jsonschema.Schema) (map[string]shown, error) {
	seen := map[string]shown{}
	for _, decision := range decisions {
		raw, err := os.ReadFile(exampleFile(decision))
		if err != nil {
			return nil, err
		}
		var doc any
		if err := json.Unmarshal(raw, &doc); err != nil {
			return nil, fmt.Errorf("%s: %w", exampleFile(decision), err)
		}
		follow(s, root(s), doc, decision, seen)
	}
	return seen, nil
}

func follow(s *jsonschema.Schema, object string, v any, decision string, seen map[string]shown) {
	if list, ok := v.([]any); ok {
		for _, one := range list {
			follow(s, object, one, decision, seen)
		}
		return
	}
	members, _ := v.(map[string]any)
	for p := s.Definitions[object].Properties.Oldest(); p != nil; p = p.Next() {
		value, there := members[p.Key]
		if !there {
			continue
		}
		f := seen[object+"."+p.Key]
		if says(value) && !says(f.example) || f.example == nil {
			f.example = value
		}
		if !slices.Contains(f.in, decision) {
			f.in = append(f.in, decision)
		}
		seen[object+"."+p.Key] = f
		if inner := refersTo(p.Value); inner != "" {
			follow(s, inner, value, decision, seen)
		}
	}
}

// says is whether a value is more of an example than its type.
func says(v any) bool {
	r := reflect.ValueOf(v)
	switch r.Kind() {
	case reflect.Invalid:
		return false
	case reflect.Map, reflect.Slice:
		return r.Len() > 0
	}
	return !r.IsZero()
}

func root(s *jsonschema.Schema) string { return strings.TrimPrefix(s.Ref, "#/$defs/") }

// refersTo names the object that a field, or each element of it, is; "" for others.
func refersTo(p *jsonschema.Schema) string {
	ref := p.Ref
	if p.Items != nil {
		ref = p.Items.Ref
	}
	return strings.TrimPrefix(ref, "#/$defs/")
}

// exemplify puts the examples into the schema. What is an object has them in its members.
func exemplify(s *jsonschema.Schema) error {
	seen, err := inputExamples(s)
	if err != nil {
		return err
	}
	for object, d := range s.Definitions {
		for p := d.Properties.Oldest(); p != nil; p = p.Next() {
			if f, there := seen[object+"."+p.Key]; there && refersTo(p.Value) == "" {
				p.Value.Examples = []any{f.example}
			}
		}
	}
	return nil
}

// input is the page of the policy input.
func input(files map[string][]byte, s *jsonschema.Schema) error {
	seen, err := inputExamples(s)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString(strings.Replace(generated, "the schemas in the code", "the input's types and schemas/examples", 1) +
		"# What policies are asked about\n\n`input` in the three decisions, version " + fmt.Sprint(seen[root(s)+".version"].example) +
		", as a table for each object in it, and [one whole input](#examples) for each decision.\n" +
		"[The schema](../../schemas/policy-input.schema.json) says the same to programs, and Rego is checked against it when it is compiled. " +
		"[Policies](../../policies/README.md) tells how to write them.\n\n" +
		"Every field is there when it is empty, unless its meaning says when it is absent or it does not stand in the decision. " +
		"No secret, and no hash of one, is ever in it.\n")
	written := map[string]bool{}
	var object func(name string)
	object = func(name string) {
		if written[name] {
			return
		}
		written[name] = true
		d := s.Definitions[name]
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| field | type | decisions | meaning | example |\n|---|---|---|---|---|\n", name, cell(about(d.Description, name)))
		var inner []string
		for p := d.Properties.Oldest(); p != nil; p = p.Next() {
			f := seen[name+"."+p.Key]
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", p.Key, cell(typeOf(p.Value)), stagesOf(f.in), cell(about(p.Value.Description, p.Key)), exampleOf(p.Value, f))
			if ref := refersTo(p.Value); ref != "" {
				inner = append(inner, ref)
			}
		}
		for _, ref := range inner {
			object(ref)
		}
	}
	object(root(s))
	b.WriteString("\n## Examples\n\nIn the first, the second credential is the one that remint itself logs in with, which the library denies.\n")
	for _, decision := range decisions {
		raw, err := os.ReadFile(exampleFile(decision))
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "\n[`remint.%s`](../../%s):\n\n```json\n%s```\n", decision, exampleFile(decision), raw)
	}
	files["docs/reference/policy-input.md"] = []byte(b.String())
	return nil
}

// about is a comment with the field's name as policies write it in place of Go's.
func about(comment, name string) string {
	first, rest, _ := strings.Cut(comment, " ")
	if strings.EqualFold(first, strings.ReplaceAll(name, "_", "")) {
		return code(name) + " " + rest
	}
	return comment
}

func stagesOf(in []string) string {
	if len(in) == len(decisions) {
		return "all"
	}
	return strings.Join(in, ", ")
}

func typeOf(p *jsonschema.Schema) string {
	switch {
	case refersTo(p) != "":
		link := fmt.Sprintf("[%s](#%s)", refersTo(p), strings.ToLower(refersTo(p)))
		if p.Items != nil {
			return "list of " + link
		}
		return link
	case p.Items != nil:
		return "list of " + typeOf(p.Items)
	case len(p.Enum) > 0:
		var words []string
		for _, w := range p.Enum {
			words = append(words, code(cmp.Or(fmt.Sprint(w), `""`)))
		}
		return "one of " + strings.Join(words, ", ")
	case p.Type == "object" && p.AdditionalProperties != nil:
		return "object of " + typeOf(p.AdditionalProperties)
	case p.Format != "":
		return p.Type + " (" + p.Format + ")"
	}
	return p.Type
}

func exampleOf(p *jsonschema.Schema, f shown) string {
	if refersTo(p) != "" {
		return "in its fields"
	}
	if f.example == nil {
		return ""
	}
	text, _ := json.Marshal(f.example)
	return cell(code(string(text)))
}
