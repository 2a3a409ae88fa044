package policy

import "fmt"

// maxNesting is how deep brackets in Rego may stand in each other. The parser
// and compiler recurse, and their time grows much faster than linearly with it.
const maxNesting = 100

// nesting scans Rego text, and refuses what is nested too deep before a
// recursive parser sees it. Strings and comments do not count; expressions in
// template strings do. It returns the byte offset of the bracket too many.
func nesting(text []byte) (int, error) {
	s := scanner{text: text}
	for s.at < len(text) {
		if err := s.step(); err != nil {
			return min(s.at, len(text)-1), err
		}
	}
	return 0, nil
}

// scanner walks Rego text. open holds the brackets that are open; a quote in
// it stands for a template string around what follows.
type scanner struct {
	text []byte
	at   int
	open []byte
}

func (s *scanner) step() error {
	ch := s.text[s.at]
	if n := len(s.open); n > 0 && (s.open[n-1] == '"' || s.open[n-1] == '`') {
		return s.template(ch, s.open[n-1])
	}
	s.at++
	switch ch {
	case '(', '[', '{':
		return s.push(ch)
	case ')', ']', '}':
		if n := len(s.open); n > 0 {
			s.open = s.open[:n-1]
		}
	case '#':
		s.skipTo('\n', false)
	case '"':
		s.skipTo('"', true)
	case '`':
		s.skipTo('`', false)
	case '$':
		if s.at < len(s.text) && (s.text[s.at] == '"' || s.text[s.at] == '`') {
			s.at++
			return s.push(s.text[s.at-1])
		}
	}
	return nil
}

// template walks the literal part of a template string that quote ends.
func (s *scanner) template(ch, quote byte) error {
	s.at++
	switch ch {
	case quote:
		s.open = s.open[:len(s.open)-1]
	case '\\':
		s.at++
	case '{':
		return s.push(ch)
	case '\n':
		if quote == '"' { // unterminated: the parser will say so
			s.open = s.open[:len(s.open)-1]
		}
	}
	return nil
}

func (s *scanner) push(ch byte) error {
	if s.open = append(s.open, ch); len(s.open) > maxNesting {
		s.at--
		return fmt.Errorf("more than %d brackets stand in each other", maxNesting)
	}
	return nil
}

// skipTo moves behind the next end; strings in double quotes end at the line's
// end too, as the parser has it.
func (s *scanner) skipTo(end byte, escapes bool) {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case escapes && c == '\\':
			s.at++
		case c == end:
			s.at++
			return
		case escapes && c == '\n':
			return
		}
	}
}
