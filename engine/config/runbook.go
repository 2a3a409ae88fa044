package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// book is a runbook while it is loaded.
type book struct {
	*Runbook
	block  *hclsyntax.Block
	faulty bool
}

// loadRunbooks reads the built-in runbooks and then the workspace's, which
// replace those of the same label.
func (l *loader) loadRunbooks() {
	for _, b := range l.builtins() {
		if l.opts.Registry.Type(b.Labels[0]) != nil {
			l.readRunbook(b, true)
		}
	}
	for _, b := range l.blocks["runbook"] {
		if l.once("runbook "+quoted(b.Labels[0]), b.DefRange()) {
			l.readRunbook(b, false)
		}
	}
	for name, b := range l.books {
		l.ws.Runbooks[name] = b.Runbook
	}
}

// builtins parses the embedded files. A fault in them is a defect of the program.
func (l *loader) builtins() []*hclsyntax.Block {
	if l.opts.Builtin == nil {
		return nil
	}
	names, _ := fs.Glob(l.opts.Builtin, "*"+suffix)
	var out []*hclsyntax.Block
	for _, name := range names {
		src, err := fs.ReadFile(l.opts.Builtin, name)
		if err != nil {
			l.diags = l.diags.Errorf("A built-in runbook cannot be read", "%s: %s.", name, cause(err))
			continue
		}
		if body := l.parse(src, "builtin:"+name); body != nil {
			for _, b := range body.Blocks {
				if b.Type == "runbook" && l.labelled(b, topLevel["runbook"]) {
					out = append(out, b)
				}
			}
		}
	}
	return out
}

func (l *loader) readRunbook(b *hclsyntax.Block, builtin bool) {
	k := &book{Runbook: &Runbook{Name: b.Labels[0], Builtin: builtin, Range: rangeOf(b)}, block: b}
	l.books[k.Name] = k
	f := l.form(b.Body, b.DefRange(), "A runbook", provider.Schema{Attributes: []provider.Attribute{
		{Name: "resets", Type: provider.String, Required: true, Description: "the credential type that this runbook is for"},
		{Name: "description", Type: provider.String},
	}}, nil, plainScope())
	got, ok := l.fill(f, l.ctx, "")
	k.Resets, _ = got["resets"].(string)
	k.Description, _ = got["description"].(string)
	if k.typ = l.opts.Registry.Type(k.Resets); k.typ == nil {
		if at := b.Body.Attributes["resets"]; at != nil && ok {
			l.fault(at.Expr.Range(), "There is no such credential type", "No provider has a type %q.%s", k.Resets, suggest(k.Resets, l.opts.Registry.Types()))
		}
		k.faulty, k.Resets = true, ""
	}
	before := len(l.diags)
	l.readSteps(k)
	k.files, k.ctx, k.budget, k.paths = l.files, l.ctx, l.budget, l.paths
	k.faulty = k.faulty || len(l.diags) > before
	k.Digest = l.digest(b)
}

// digest is over a runbook's tokens, without comments and layout, and over the
// variables and locals that it uses; sensitive ones count by name only.
func (l *loader) digest(b *hclsyntax.Block) string {
	h := sha256.New()
	r := b.Range()
	src := l.raw[r.Filename][r.Start.Byte:r.End.Byte]
	tokens, _ := hclsyntax.LexConfig(src, r.Filename, hcl.InitialPos)
	for _, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenComment, hclsyntax.TokenNewline, hclsyntax.TokenEOF:
			continue
		}
		fmt.Fprintf(h, "%d %d %s\n", t.Type, len(t.Bytes), t.Bytes)
	}
	used := map[string]bool{}
	_ = hclsyntax.VisitAll(b.Body, func(n hclsyntax.Node) hcl.Diagnostics {
		e, ok := n.(*hclsyntax.ScopeTraversalExpr)
		if ok && len(e.Traversal) > 1 && (e.Traversal.RootName() == "var" || e.Traversal.RootName() == "local") {
			if name, static := stepName(e.Traversal[1]); static {
				used[e.Traversal.RootName()+"."+name] = true
			}
		}
		return nil
	})
	for _, name := range keys(used) {
		root, attr, _ := strings.Cut(name, ".")
		text := "?"
		if obj := l.ctx.Variables[root]; obj.Type().IsObjectType() && obj.Type().HasAttribute(attr) {
			if v := obj.GetAttr(attr); !v.ContainsMarked() && v.IsWhollyKnown() {
				if raw, err := ctyjson.Marshal(v, v.Type()); err == nil {
					text = string(raw)
				}
			}
		}
		line, _ := json.Marshal([]string{name, text})
		h.Write(line)
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

// at is a fault at a place of the runbook.
func (r *Runbook) at(rng diag.Range, summary, detail string, args ...any) diag.Diagnostic {
	d := diag.Diagnostic{Severity: diag.Error, Summary: summary, Detail: fmt.Sprintf(detail, args...)}
	d.Range, d.Snippet = r.files.Place(hclRange(rng))
	return d
}

func hclRange(r diag.Range) hcl.Range {
	pos := func(p diag.Pos) hcl.Pos { return hcl.Pos{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	return hcl.Range{Filename: r.Filename, Start: pos(r.Start), End: pos(r.End)}
}

// stepNames are the addresses of all steps, as people write them.
func (r *Runbook) stepNames() []string {
	out := make([]string, len(r.steps))
	for i, s := range r.steps {
		out[i] = s.name()
	}
	slices.Sort(out)
	return out
}
