package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
)

// loadDependencies resolves the credentials' depends_on and finds circles.
func (l *loader) loadDependencies() {
	blocks := map[addrs.Credential]*credentialBlock{}
	var names []string
	for _, c := range l.pending {
		blocks[c.addr] = c
		names = append(names, c.addr.String())
	}
	for _, c := range l.pending {
		a := c.block.Body.Attributes["depends_on"]
		if a == nil {
			continue
		}
		for _, e := range l.items(a, "depends_on") {
			l.dependency(c, e, blocks, names)
		}
		l.share(c, blocks)
	}
	l.findCircles(blocks)
}

// items are the elements of a literal list.
func (l *loader) items(a *hclsyntax.Attribute, what string) []hclsyntax.Expression {
	t, ok := unwrap(a.Expr).(*hclsyntax.TupleConsExpr)
	if !ok {
		l.fault(a.Expr.Range(), "Not a list", "%s is a list in brackets.", what)
		return nil
	}
	return t.Exprs
}

func (l *loader) dependency(c *credentialBlock, e hclsyntax.Expression, blocks map[addrs.Credential]*credentialBlock, names []string) {
	t := traversal(e)
	if len(t) < 3 || len(t) > 4 || t.RootName() != "credential" {
		l.fault(e.Range(), "Not a credential", "depends_on names credentials, unquoted: credential.TYPE.NAME, or one instance of it with [\"key\"].")
		return
	}
	typ, _ := stepName(t[1])
	name, _ := stepName(t[2])
	a := addrs.Credential{Type: typ, Name: name}
	other := blocks[a]
	if other == nil {
		l.fault(e.Range(), "No such credential", "No %s is declared.%s", a, suggest(a.String(), names))
		return
	}
	if len(t) == 4 {
		_, index := t[3].(hcl.TraverseIndex)
		key, ok := stepName(t[3])
		a.Key, a.HasKey = key, true
		if !index || !ok || !slices.ContainsFunc(other.instances, func(x *Credential) bool { return x.Addr == a }) {
			l.fault(e.Range(), "No such credential", "%s has no instance %s.", other.addr, path(t[3:]))
			return
		}
	}
	c.depends = append(c.depends, a)
}

// share gives all instances of c one list of what they wait for.
func (l *loader) share(c *credentialBlock, blocks map[addrs.Credential]*credentialBlock) {
	all := map[addrs.Credential]bool{}
	for _, d := range c.depends {
		if d.HasKey {
			all[d] = true
			continue
		}
		for _, x := range blocks[d].instances {
			all[x.Addr] = true
		}
	}
	byName := make(map[string]addrs.Credential, len(all))
	for a := range all {
		byName[a.String()] = a
	}
	var sorted []addrs.Credential
	for _, n := range keys(byName) {
		sorted = append(sorted, byName[n])
	}
	for _, x := range c.instances {
		x.DependsOn = sorted
	}
}

// findCircles reports every circle of credential blocks once, with its path.
func (l *loader) findCircles(blocks map[addrs.Credential]*credentialBlock) {
	done := map[addrs.Credential]bool{}
	var visit func(a addrs.Credential, way []addrs.Credential)
	visit = func(a addrs.Credential, way []addrs.Credential) {
		if i := slices.Index(way, a); i >= 0 {
			var names []string
			for _, x := range append(way[i:len(way):len(way)], a) {
				names = append(names, x.String())
			}
			c := blocks[a]
			l.fault(c.block.Body.Attributes["depends_on"].Expr.Range(), "A circle", "Each of these waits for the next: %s. Remove one depends_on.", strings.Join(names, " → "))
			return
		}
		if done[a] {
			return
		}
		way = append(way, a)
		for _, d := range blocks[a].depends {
			visit(d.Block(), way)
		}
		done[a] = true
	}
	for _, c := range l.pending {
		visit(c.addr, nil)
	}
}
