package config

// checkTargets finds two stores that write to one place, and stores that write
// to what a provider manages.
func (l *loader) checkTargets() {
	managed := map[string]string{}
	for _, p := range l.targets {
		managed[l.paths.follow(p.path)] = p.what
	}
	type taken struct {
		c      *Credential
		b      *Block
		format string
	}
	whole := map[string]taken{} // by file
	parts := map[string]taken{} // by file and key
	for _, c := range l.ws.Credentials {
		for _, b := range c.Stores {
			p := b.Attrs.Path("path")
			if p.Absolute == "" {
				continue
			}
			real := l.paths.follow(p.Absolute)
			if what, ok := managed[real]; ok {
				l.atBlock(b, c, "A path that must not be written to", "Store %s of %s would write to %s, %s. Choose another path.", b.Key(), c.Addr, quoted(p.Written), what)
				continue
			}
			me := taken{c, b, b.Attrs.String("format")}
			other, clash := whole[real]
			if clash && me.format == other.format && me.format != "" && me.format != "raw" {
				other, clash = parts[real+"\x00"+b.Attrs.String("key")]
			}
			if clash {
				l.atBlock(b, c, "Two stores at one place", "Store %s of %s and store %s of %s both write to %s, and would overwrite each other. Give each a path or key of its own.",
					b.Key(), c.Addr, other.b.Key(), other.c.Addr, quoted(p.Written))
				continue
			}
			if _, ok := whole[real]; !ok {
				whole[real] = me
			}
			parts[real+"\x00"+b.Attrs.String("key")] = me
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
