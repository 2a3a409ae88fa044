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
//   - letters that look like Latin ones: fullwidth, mathematical and other forms of
//     them, and in a word with Latin letters those of any other script, and the Latin
//     ones that no name is written with (IPA, small capitals). A word without Latin
//     letters is left as it is: people have such names;
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
	return unicode.IsGraphic(r) && !blank(r) && !unicode.Is(unicode.Cf, r) && !unicode.Is(unicode.Zs, r) &&
		!unicode.Is(unicode.Other_Default_Ignorable_Code_Point, r) && !unicode.Is(unicode.Variation_Selector, r)
}

// overlay reports whether r is drawn across the letter before it.
func overlay(r rune) bool { return r >= 0x334 && r <= 0x338 || r >= 0x20d0 && r <= 0x20f0 }

// blank reports whether r is graphic by its class, and nothing is drawn for it.
func blank(r rune) bool {
	switch r {
	case 0x2800, 0x13441, 0x13442, 0x16fe4, 0x1d159: // a Braille, two Egyptian, a Khitan and a musical one
		return true
	}
	return false
}

// disguised reports whether r is a Latin letter or digit in another form.
func disguised(r rune) bool {
	switch {
	case r >= 0x2100 && r <= 0x214f: // ℓ, ℯ; ™ and № are no letters
		return unicode.IsLetter(r) || r == 0x212e
	case r >= 0x2160 && r <= 0x2188: // Roman numbers
		return true
	}
	return r >= 0xff01 && r <= 0xff5e || r >= 0x1d400 && r <= 0x1d7ff || r >= 0x2460 && r <= 0x24ff || r >= 0x1f130 && r <= 0x1f189
}

// own reports whether r, a letter or number, is one that words of Latin letters are
// written with: with or without accents, up to Latin Extended-B and in Latin Extended
// Additional, and the few others that languages are written with and that look like no
// other letter. Those that look like another, or like a bar or an exclamation mark, are not.
func own(r rune) bool {
	switch {
	case r < 0x80, strings.ContainsRune("əɛɔɓɗɖɲ", r), r == 0xb5, r >= 0x2b9 && r <= 0x2bf: // µ; Hawaiian and other apostrophes
		return true
	case strings.ContainsRune("ĸſƄƅƖǀǁǂǃȷ", r):
		return false
	}
	return r < 0x250 || r >= 0x1e00 && r <= 0x1eff
}

// letters marks look-alikes, word by word.
func letters(s string, hide map[int]bool) {
	var others []int
	latin := false
	end := func() {
		for _, i := range others {
			hide[i] = hide[i] || latin
		}
		others, latin = others[:0], false
	}
	for i, r := range s {
		switch {
		case disguised(r):
			hide[i] = true
		case unicode.IsLetter(r), unicode.IsNumber(r):
			latin = latin || unicode.Is(unicode.Latin, r)
			if !own(r) {
				others = append(others, i)
			}
		case unicode.Is(unicode.M, r):
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
