package view

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/remint-dev/remint/engine/plan"
)

// Graph draws the steps of a plan and their order.
func (v *View) Graph(f *plan.File, format string) {
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "resets": f.Plan.Resets})
		return
	}
	if format == "mermaid" {
		v.Text(mermaid(f))
		return
	}
	v.Text(dot(f))
}

// dot writes Graphviz. Strings are quoted by Go's rules over escaped text,
// which dot's are a part of.
func dot(f *plan.File) string {
	var b strings.Builder
	b.WriteString("digraph remint {\n  rankdir=LR; node [shape=box, fontname=\"sans-serif\"];\n")
	for i, r := range f.Plan.Resets {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n", i, strconv.Quote(safe(r.Address)))
		for _, s := range r.Steps {
			style := ""
			if !s.Reversible {
				style = ", style=bold"
			}
			fmt.Fprintf(&b, "    %s [label=%s%s];\n", node(i, s.Address), strconv.Quote(safe(s.Address)), style)
		}
		b.WriteString("  }\n")
	}
	edges(f, func(from, to string) { fmt.Fprintf(&b, "  %s -> %s;\n", from, to) })
	b.WriteString("}\n")
	return b.String()
}

// mermaid writes a Mermaid flow chart; labels are HTML-escaped entities.
func mermaid(f *plan.File) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	for i, r := range f.Plan.Resets {
		fmt.Fprintf(&b, "  subgraph r%d [\"%s\"]\n", i, entity(r.Address))
		for _, s := range r.Steps {
			fmt.Fprintf(&b, "    %s[\"%s\"]\n", node(i, s.Address), entity(s.Address))
		}
		b.WriteString("  end\n")
	}
	edges(f, func(from, to string) { fmt.Fprintf(&b, "  %s --> %s\n", from, to) })
	return b.String()
}

// edges walks the order: within resets, and between those that depend on each other.
func edges(f *plan.File, edge func(from, to string)) {
	index := map[string]int{}
	for i, r := range f.Plan.Resets {
		index[r.Address] = i
	}
	for i, r := range f.Plan.Resets {
		for _, s := range r.Steps {
			for _, d := range s.DependsOn {
				edge(node(i, d), node(i, s.Address))
			}
		}
		for _, d := range r.DependsOn {
			j, ok := index[d]
			if !ok || len(f.Plan.Resets[j].Steps) == 0 || len(r.Steps) == 0 {
				continue
			}
			last := f.Plan.Resets[j].Steps
			edge(node(j, last[len(last)-1].Address), node(i, r.Steps[0].Address))
		}
	}
}

// node is an identifier for a step: letters and digits of its address, and a
// hex escape for all else.
func node(reset int, step string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "r%d_", reset)
	for _, c := range []byte(step) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "_%02x", c)
		}
	}
	return b.String()
}

// entity escapes a label for Mermaid.
func entity(s string) string {
	var b strings.Builder
	for _, r := range safe(s) {
		switch r {
		case '"', '<', '>', '&', '#', '`', '[', ']', '(', ')', '{', '}', '@':
			fmt.Fprintf(&b, "#%d;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
