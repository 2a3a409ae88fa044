package config

import (
	"strconv"
	"strings"
)

// SamePlace says whether a store writes where other does, so that the secret of one
// would take the other's place: into the same file, wherever links lead, unless each
// has a key of its own there. What is not known offline is at no place.
func (b *Block) SamePlace(other *Block) bool {
	if b.File == "" || b.File != other.File {
		return false
	}
	format := b.Attrs.String("format")
	return format != other.Attrs.String("format") || place(b) == place(other)
}

// place is the file and the key in it, which is "" where the whole file is the secret.
func place(b *Block) string {
	switch b.Attrs.String("format") {
	case "", "raw":
		return b.File + "\x00"
	case "json":
		return b.File + "\x00" + jsonKey(b.Attrs.String("key"))
	}
	return b.File + "\x00" + b.Attrs.String("key")
}

// jsonKey writes a dotted path as all others are written that lead to the same value:
// with a backslash only where it is needed, and numbers, which may count through an
// array, in their shortest form.
func jsonKey(key string) string {
	var out, part strings.Builder
	end := func() {
		if n, err := strconv.Atoi(part.String()); err == nil {
			out.WriteString(strconv.Itoa(n))
		} else {
			out.WriteString(strings.NewReplacer(`\`, `\\`, `.`, `\.`).Replace(part.String()))
		}
		part.Reset()
	}
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key):
			i++
			part.WriteByte(key[i])
		case key[i] == '.':
			end()
			out.WriteByte('.')
		default:
			part.WriteByte(key[i])
		}
	}
	end()
	return out.String()
}

// checkTargets finds two stores that write to one place, and stores that write
// to what a provider manages.
func (l *loader) checkTargets() {
	managed := map[string]string{}
	for _, p := range l.targets {
		managed[l.paths.follow(p.path)] = p.what
	}
	type taken struct {
		c *Credential
		b *Block
	}
	whole := map[string]taken{} // by file
	parts := map[string]taken{} // by file and key
	for _, c := range l.ws.Credentials {
		for _, b := range c.Stores {
			p := b.Attrs.Path("path")
			if p.Absolute == "" {
				continue
			}
			b.File = l.paths.follow(p.Absolute)
			if what, ok := managed[b.File]; ok {
				l.atBlock(b, c, "A path that must not be written to", "Store %s of %s would write to %s, %s. Choose another path.", b.Key(), c.Addr, quoted(p.Written), what)
				continue
			}
			other, clash := whole[b.File]
			if clash && !b.SamePlace(other.b) {
				other, clash = parts[place(b)]
			}
			if clash {
				l.atBlock(b, c, "Two stores at one place", "Store %s of %s and store %s of %s both write to %s, and would overwrite each other. Give each a path or key of its own.",
					b.Key(), c.Addr, other.b.Key(), other.c.Addr, quoted(p.Written))
				continue
			}
			if _, ok := whole[b.File]; !ok {
				whole[b.File] = taken{c, b}
			}
			parts[place(b)] = taken{c, b}
		}
	}
}

// atBlock reports a fault once per place of a block.
func (l *loader) atBlock(b *Block, c *Credential, summary, detail string, args ...any) {
	if !l.tell(summary + b.Range.String()) {
		return
	}
	l.fault(hclRange(b.Range), summary, detail, args...)
	if n := len(l.diags); n > 0 && l.truncated == 0 {
		l.diags[n-1].Address = c.Addr.String()
	}
}
