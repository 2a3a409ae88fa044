// Package addrs names things: credentials, steps, provider blocks. An address
// is what people type, what plans and evidence carry, and what the state keys on.
package addrs

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Credential is the address credential.TYPE.NAME or credential.TYPE.NAME["key"].
// It is comparable.
type Credential struct {
	Type, Name string
	// Key is the for_each key; HasKey tells an instance with the empty key from none.
	Key    string
	HasKey bool
}

// String is the address as people write it.
func (c Credential) String() string {
	s := "credential." + c.Type + "." + c.Name
	if c.HasKey {
		s += "[" + Quote(c.Key) + "]"
	}
	return s
}

// Block is the address without its for_each key.
func (c Credential) Block() Credential { return Credential{Type: c.Type, Name: c.Name} }

// FileName is a name for files about c that is safe on every file system and
// distinct for distinct addresses: everything but letters, digits, `_`, `-` and
// inner dots is percent-encoded, and what is longer than 180 bytes ends in a hash.
func (c Credential) FileName() string {
	s := c.Type + "." + c.Name
	if c.HasKey {
		s += "." + escapeName(c.Key) + "_"
	}
	if len(s) > 180 {
		sum := sha256.Sum256([]byte(c.String()))
		s = s[:140] + "~" + hex.EncodeToString(sum[:16])
	}
	return s
}

func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		ch := s[i]
		switch {
		case ch >= 'a' && ch <= 'z', ch >= '0' && ch <= '9', ch == '-', ch == '@', ch == '.' && i > 0:
			b.WriteByte(ch)
		default: // capitals too: some file systems fold case
			fmt.Fprintf(&b, "%%%02x", ch)
		}
	}
	return b.String()
}

// ParseCredential reads an address as String writes it.
func ParseCredential(s string) (Credential, error) {
	rest, ok := strings.CutPrefix(s, "credential.")
	if !ok {
		return Credential{}, fmt.Errorf("%s is not a credential address: it must look like credential.TYPE.NAME", Quote(s))
	}
	var c Credential
	if i := strings.IndexByte(rest, '['); i >= 0 {
		inner, ok := strings.CutSuffix(rest[i+1:], "]")
		key, err := unquote(inner)
		if !ok || err != nil {
			return Credential{}, fmt.Errorf("%s is not a credential address: the key must be a quoted string in brackets, as in credential.TYPE.NAME[\"key\"]", Quote(s))
		}
		c.Key, c.HasKey, rest = key, true, rest[:i]
	}
	typ, name, ok := strings.Cut(rest, ".")
	if !ok || !Identifier(typ) || !Identifier(name) {
		return Credential{}, fmt.Errorf("%s is not a credential address: it must look like credential.TYPE.NAME", Quote(s))
	}
	c.Type, c.Name = typ, name
	return c, nil
}

// Identifier reports whether s may name a block: a letter or underscore, then
// letters, digits, underscores and dashes (ASCII; look-alikes are refused).
func Identifier(s string) bool {
	for i := range len(s) {
		ch := s[i]
		letter := ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch == '_'
		digit := ch >= '0' && ch <= '9' || ch == '-'
		if !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != "" && len(s) <= 128
}

// Step is the address of a step within a reset: PHASE.NAME, PHASE.NAME["key"]
// under a for_each, with #2 for the second time its phase runs.
type Step struct {
	Phase, Name string
	Key         string
	HasKey      bool
	// Nth is 1 (or 0) for the first occurrence of the phase, 2 for the second.
	Nth int
}

// String is the address as plans and evidence carry it.
func (s Step) String() string {
	out := s.Phase + "." + s.Name
	if s.HasKey {
		out += "[" + Quote(s.Key) + "]"
	}
	if s.Nth > 1 {
		out += "#" + strconv.Itoa(s.Nth)
	}
	return out
}

// ParseStep reads a step address as String writes it.
func ParseStep(s string) (Step, error) {
	bad := fmt.Errorf("%s is not a step address: it must look like PHASE.NAME, as in prove.refused#2", Quote(s))
	var out Step
	rest := s
	if i := strings.LastIndexByte(rest, '#'); i >= 0 && !strings.HasSuffix(rest, "]") {
		n, err := strconv.Atoi(rest[i+1:])
		if err != nil || n < 2 {
			return Step{}, bad
		}
		out.Nth, rest = n, rest[:i]
	}
	if i := strings.IndexByte(rest, '['); i >= 0 {
		inner, ok := strings.CutSuffix(rest[i+1:], "]")
		key, err := unquote(inner)
		if !ok || err != nil {
			return Step{}, bad
		}
		out.Key, out.HasKey, rest = key, true, rest[:i]
	}
	phase, name, ok := strings.Cut(rest, ".")
	if !ok || !Identifier(phase) || !Identifier(name) {
		return Step{}, bad
	}
	out.Phase, out.Name = phase, name
	return out, nil
}

// Quote writes s as an HCL string literal in which every control, format
// (bidi, zero-width), private and invalid character is escaped, and the
// template introducers ${ and %{ are doubled.
func Quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			b.WriteString(`\ufffd`)
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\r':
			b.WriteString(`\r`)
		case (r == '$' || r == '%') && strings.HasPrefix(s[i+1:], "{"):
			b.WriteRune(r)
			b.WriteRune(r)
		case !Printable(r):
			writeEscape(&b, r)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	b.WriteByte('"')
	return b.String()
}

func writeEscape(b *strings.Builder, r rune) {
	if r > 0xffff {
		fmt.Fprintf(b, `\U%08x`, r)
		return
	}
	fmt.Fprintf(b, `\u%04x`, r)
}

// unquote reads what Quote writes. A bare key (no quotes) is accepted too,
// since shells eat quotes.
func unquote(s string) (string, error) {
	if !utf8.ValidString(s) { // Quote would write another key
		return "", fmt.Errorf("not UTF-8")
	}
	if len(s) < 2 || s[0] != '"' {
		if s == "" || strings.ContainsAny(s, `"[]\`) {
			return "", fmt.Errorf("bad key")
		}
		return s, nil
	}
	if s[len(s)-1] != '"' {
		return "", fmt.Errorf("unterminated key")
	}
	var b strings.Builder
	for in := s[1 : len(s)-1]; in != ""; {
		switch {
		case in[0] == '"':
			return "", fmt.Errorf("stray quote")
		case strings.HasPrefix(in, "$${"), strings.HasPrefix(in, "%%{"):
			b.WriteString(in[1:3])
			in = in[3:]
		case in[0] == '\\':
			r, _, tail, err := strconv.UnquoteChar(in, '"')
			if err != nil {
				return "", err
			}
			b.WriteRune(r)
			in = tail
		default:
			b.WriteByte(in[0])
			in = in[1:]
		}
	}
	return b.String(), nil
}
