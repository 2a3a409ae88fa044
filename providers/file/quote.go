package file

import (
	"bytes"
	"regexp"
)

// bare matches what every reader takes literally without quotes.
var bare = regexp.MustCompile(`^[A-Za-z0-9_./:@%+,=-]*$`)

// quote writes a value so that as many readers as possible get it back:
//
//   - letters, digits and _./:@%+,=- stand bare, or in the quotes that the line
//     had (was);
//   - anything else in single quotes, line breaks included: shells, compose and
//     the dotenv libraries take everything there literally;
//   - what single quotes cannot hold alike for all (a single quote, a carriage
//     return, a backslash before a backslash, before a quote or at the end) in
//     double quotes, with backslashes as a shell wants them, and \r.
func quote(value []byte, was byte) []byte {
	switch {
	case bare.Match(value) && (was == '\'' || was == '"'):
		return append(append([]byte{was}, value...), was)
	case bare.Match(value):
		return value
	case singleQuotable(value):
		return append(append([]byte{'\''}, value...), '\'')
	}
	out := []byte{'"'}
	for _, c := range value {
		switch c {
		case '\\', '"', '$', '`':
			out = append(out, '\\', c)
		case '\r':
			out = append(out, '\\', 'r')
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

func singleQuotable(value []byte) bool {
	return !bytes.ContainsAny(value, "'\r") && !bytes.Contains(value, []byte(`\\`)) && !bytes.HasSuffix(value, []byte(`\`))
}

// unescape gives what the text between two quotes means.
func unescape(text []byte, q byte) []byte {
	if q != '"' {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			switch next := text[i]; next {
			case 'n':
				c = '\n'
			case 'r':
				c = '\r'
			case 't':
				c = '\t'
			case '\\', '"', '$', '`':
				c = next
			default:
				out = append(out, c)
				c = next
			}
		}
		out = append(out, c)
	}
	return out
}
