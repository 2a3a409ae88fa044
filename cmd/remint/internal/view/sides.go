package view

import (
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/diag"
)

// narrowest is how wide a terminal must be for two snippets side by side.
const narrowest = 110

// sides shows a denial's rule and what it is about, side by side where there is room,
// and otherwise one under the other.
func sides(line func(string), st style, d diag.Diagnostic) {
	rule, block := excerpt(d.Rule.Range, d.Rule.Snippet), excerpt(d.Range, d.Snippet)
	if d.Runbook != nil {
		book := excerpt(d.Runbook.Range, d.Runbook.Snippet)
		if d.Runbook.Snippet == nil && len(book) > 0 {
			book[0] = "its runbook: " + book[0]
		}
		block = append(append(block, ""), book...)
	}
	if d.Address != "" && !strings.Contains(d.Detail, d.Address) {
		line("")
		line("  about " + safe(d.Address) + ":")
	}
	if st.width < narrowest || len(rule) == 0 || len(block) == 0 {
		for _, list := range [][]string{rule, block} {
			if len(list) > 0 {
				line("")
			}
			for _, l := range list {
				line("  " + l)
			}
		}
		return
	}
	line("")
	half := (st.width - 9) / 2
	for i := range max(len(rule), len(block)) {
		left, right := "", ""
		if i < len(rule) {
			left = cut(rule[i], half)
		}
		if i < len(block) {
			right = cut(block[i], half)
		}
		line("  " + left + strings.Repeat(" ", half-len([]rune(left))) + st.dim(" │ ") + right)
	}
}

// excerpt is a snippet with its place above it.
func excerpt(r *diag.Range, s *diag.Snippet) []string {
	if r == nil {
		return nil
	}
	head := fmt.Sprintf("%s line %d", safe(r.Filename), r.Start.Line)
	if s == nil {
		return []string{head}
	}
	if s.Context != "" {
		head += ", in " + safe(s.Context)
	}
	out := []string{head + ":"}
	for i, l := range strings.Split(strings.TrimSuffix(s.Code, "\n"), "\n") {
		out = append(out, fmt.Sprintf("%5d: %s", s.StartLine+i, safe(tabs(l))))
	}
	return out
}
