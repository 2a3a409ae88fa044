package diag

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
)

// Sources are the parsed files that diagnostics quote, by file name. A file
// that is missing here (it holds values of variables, say) is never quoted.
type Sources map[string]*hcl.File

// maxSnippet is how many bytes of source one snippet shows at most: a line can
// be as long as a file.
const maxSnippet = 400

// FromHCL turns HCL's diagnostics into ours, with snippets.
func FromHCL(list hcl.Diagnostics, sources Sources) Diagnostics {
	var out Diagnostics
	for _, d := range list {
		x := Diagnostic{Severity: Error, Summary: d.Summary, Detail: d.Detail}
		if d.Severity == hcl.DiagWarning {
			x.Severity = Warning
		}
		if words, ok := plainer[d.Summary]; ok {
			x.Summary = words.summary
			if words.detail != "" {
				x.Detail = words.detail
			}
		}
		x.Detail = strings.ReplaceAll(x.Detail, "\n", " ")
		if d.Subject != nil {
			x.Range, x.Snippet = sources.Place(*d.Subject)
		}
		out = append(out, x)
	}
	return out
}

// Place is where r is, with the text around it; no snippet for a file that is
// not among the sources.
func (s Sources) Place(r hcl.Range) (*Range, *Snippet) {
	place := RangeOf(r)
	f := s[r.Filename]
	if f == nil || r.Start.Byte > len(f.Bytes) {
		return &place, nil
	}
	return &place, snippet(f, r)
}

// RangeOf is r in our words.
func RangeOf(r hcl.Range) Range {
	pos := func(p hcl.Pos) Pos { return Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	return Range{Filename: r.Filename, Start: pos(r.Start), End: pos(r.End)}
}

// snippet cuts the line on which r starts, and of a long one what is near.
func snippet(f *hcl.File, r hcl.Range) *Snippet {
	src, start := f.Bytes, r.Start.Byte
	end := min(max(r.End.Byte, start), len(src))
	from := bytes.LastIndexByte(src[:start], '\n') + 1
	to := len(src)
	if i := bytes.IndexByte(src[start:], '\n'); i >= 0 {
		to = start + i
	}
	for from < start-maxSnippet/2 || from < start && !utf8.RuneStart(src[from]) {
		from = max(from+1, start-maxSnippet/2)
	}
	for to > from+maxSnippet || to < len(src) && to > start && !utf8.RuneStart(src[to]) {
		to = min(to-1, from+maxSnippet)
	}
	out := &Snippet{
		Code: strings.TrimRight(string(src[from:to]), "\r"), StartLine: r.Start.Line,
		HighlightStart: start - from, HighlightEnd: max(min(end, to)-from, start-from),
	}
	out.HighlightStart = min(out.HighlightStart, len(out.Code))
	out.HighlightEnd = min(out.HighlightEnd, len(out.Code))
	if nav, ok := f.Nav.(interface{ ContextString(int) string }); ok {
		out.Context = nav.ContextString(start)
	}
	return out
}

// plainer says in plainer words what HCL's parser and evaluator find; an empty
// detail keeps HCL's own.
var plainer = map[string]struct{ summary, detail string }{
	"Argument or block definition required": {"Neither an attribute nor a block", "Here must stand NAME = VALUE or a block, as in credential \"TYPE\" \"NAME\" { … }."},
	"Invalid argument name":                 {"Not an attribute's name", "An attribute's name is a letter or underscore, then letters, digits, underscores and dashes, unquoted."},
	"Invalid block definition":              {"Not a block", ""},
	"Missing newline after argument":        {"Two things on one line", "After an attribute's value a new line must begin."},
	"Missing newline after block definition": {"Two things on one line",
		"After a block's closing brace a new line must begin."},
	"Unclosed configuration block":         {"A block is not closed", "This block has no closing brace before the file ends. Add the missing }."},
	"Attribute redefined":                  {"Set twice", ""},
	"Invalid multi-line string":            {"A string goes over the line's end", "A quoted string ends on its line. Close the quote, write \\n for a line break, or use a heredoc (<<EOT)."},
	"Unterminated template string":         {"A string is not closed", "This string has no closing quote before the file ends."},
	"Invalid expression":                   {"Not a value", ""},
	"Missing item separator":               {"A comma is missing", ""},
	"Unbalanced parentheses":               {"A parenthesis is not closed", ""},
	"Unbalanced closing brace":             {"A closing brace too many", "No block is open here. Remove the }."},
	"Invalid character":                    {"A character that has no meaning here", ""},
	"Invalid operand":                      {"Wrong type", ""},
	"Incorrect condition type":             {"Wrong type", ""},
	"Unsupported attribute":                {"There is no such attribute", ""},
	"Missing map element":                  {"There is no such element", ""},
	"Invalid index":                        {"There is no such element", ""},
	"Invalid template interpolation value": {"Not a text", ""},
	"Duplicate object key":                 {"A key comes twice", ""},
	"Invalid function argument":            {"A function was given what it cannot take", ""},
	"Error in function call":               {"A function failed", ""},
	"Not enough function arguments":        {"Too few arguments", ""},
	"Too many function arguments":          {"Too many arguments", ""},
}
