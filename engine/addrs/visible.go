package addrs

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible is s, unquoted and on one line, with everything escaped that could
// deceive a reader or the program that shows it:
//
//   - controls, C1, bidi, zero-width and invalid characters (Printable);
//   - letters that look like Latin ones: fullwidth and mathematical letters, and in
//     a word with Latin letters those of Greek, Cyrillic, Armenian or Cherokee. A word
//     of one script is left as it is: people have such names;
//   - marks drawn across or around a letter, and more than two marks on one;
//   - what continuous integration takes for a command (`::name::`, `##[name]`), and
//     the fences of Markdown, between which output is quoted in reviews.
//
// It is for eyes only: an address is compared and kept as Quote writes it.
func Visible(s string) string {
	if plain(s) {
		return s
	}
	hide := map[int]bool{} // offsets of runes that must not be shown
	letters(s, hide)
	commands(s, hide)
	var b strings.Builder
	marks := 0
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if marks++; !unicode.Is(unicode.M, r) {
			marks = 0
		}
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case hide[i], !Printable(r), marks > 2, unicode.Is(unicode.Me, r), overlay(r):
			writeEscape(&b, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// plain reports whether s has only ASCII that nobody takes for anything else.
func plain(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			return false
		case c == '`' || c == '#' || c == '~' || c == ':':
			if i+1 < len(s) && (s[i+1] == c) {
				return false
			}
		}
	}
	return true
}

// Printable reports whether r may be shown as it is: graphic or the plain
// space, and not of the classes that hide or reorder text.
func Printable(r rune) bool {
	if r == ' ' {
		return true
	}
	return unicode.IsGraphic(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Zs, r) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && !unicode.Is(unicode.Variation_Selector, r)
}

// overlay reports whether r is drawn across the letter before it.
func overlay(r rune) bool { return r >= 0x334 && r <= 0x338 || r >= 0x20d0 && r <= 0x20f0 }

// twin reports whether r is of a script with letters that look like Latin ones.
func twin(r rune) bool {
	return unicode.In(r, unicode.Greek, unicode.Cyrillic, unicode.Armenian, unicode.Cherokee, unicode.Coptic, unicode.Lisu)
}

// disguised reports whether r is a Latin letter or digit in another form.
func disguised(r rune) bool {
	return r >= 0xff01 && r <= 0xff5e || r >= 0x1d400 && r <= 0x1d7ff || r >= 0x2460 && r <= 0x24ff || r >= 0x1f130 && r <= 0x1f189
}

// letters marks look-alikes, word by word.
func letters(s string, hide map[int]bool) {
	var twins []int
	latin := false
	end := func() {
		for _, i := range twins {
			hide[i] = hide[i] || latin
		}
		twins, latin = twins[:0], false
	}
	for i, r := range s {
		switch {
		case disguised(r):
			hide[i] = true
		case twin(r):
			twins = append(twins, i)
		case unicode.Is(unicode.Latin, r):
			latin = true
		case unicode.IsDigit(r), unicode.Is(unicode.M, r):
		default:
			end()
		}
	}
	end()
}

// command finds what runners of continuous integration obey anywhere in a line, and the
// fences of Markdown; workflow what they obey at the beginning of a line, which may be
// that of a wrapped one. A line break in it does not keep it from being obeyed: it is
// escaped. An address of IPv6, or what begins like one, needs the colons after it, too.
var (
	command  = regexp.MustCompile(`##(?:\[|vso\[|teamcity\[)`)
	fence    = regexp.MustCompile("`{3,}|~{3,}")
	workflow = regexp.MustCompile(`(?:^|\s)::([A-Za-z][^:\s]*)`)
	six      = regexp.MustCompile(`^[0-9A-Fa-f]{1,4}$`)
)

func commands(s string, hide map[int]bool) {
	for _, at := range command.FindAllStringIndex(s, -1) {
		hide[at[0]] = true // the first is enough
	}
	for _, at := range fence.FindAllStringIndex(s, -1) {
		for i := at[0]; i < at[1]-2; i++ { // two are no fence
			hide[i] = true
		}
	}
	for _, at := range workflow.FindAllStringSubmatchIndex(s, -1) {
		if !six.MatchString(s[at[2]:at[3]]) || strings.Contains(s[at[3]:], "::") {
			hide[at[2]-2] = true
		}
	}
}

// VisibleJSON is JSON text with what Printable does not let through, and what
// continuous integration would obey, as \u escapes: it cannot deceive who reads it
// in a terminal, a log or a review, and parsed it is the same. Such characters stand
// only in strings of what encoding/json wrote.
func VisibleJSON(text []byte) []byte {
	clean := true
	for i, c := range text {
		if c > '~' || c == '#' && i+1 < len(text) && text[i+1] == '#' {
			clean = false
			break
		}
	}
	if clean {
		return text
	}
	var b strings.Builder
	b.Grow(len(text) + 64)
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		switch {
		case r == '#' && i+1 < len(text) && text[i+1] == '#':
			b.WriteString(`\u0023`)
		case r < ' ' || Printable(r):
			b.Write(text[i : i+n])
		case r > 0xffff:
			r -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04x`, 0xd800+r>>10, 0xdc00+r&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
		i += n
	}
	return []byte(b.String())
}
