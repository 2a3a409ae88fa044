package config

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// maxInstances of all for_each together.
const maxInstances = 1_000_000

// credentialBlock is a credential block, read once for all of its instances.
type credentialBlock struct {
	block     *hclsyntax.Block
	addr      addrs.Credential
	typ       *provider.CredentialType
	provider  *ProviderBlock
	form      *form
	stores    []*decodedBlock
	consumers []*decodedBlock
	depends   []addrs.Credential
	instances []*Credential
}

// own are the attributes of every credential, whatever its type.
func own() []provider.Attribute {
	return []provider.Attribute{
		{Name: "owner", Type: provider.String, Description: "who is told, and who answers for it"},
		{Name: "subject", Type: provider.String, Description: "the person whose secret it is, as verifiers name her: nobody gets a new one before she was verified"},
		{Name: "environment", Type: provider.String, Description: "development, test or staging; anything else, and nothing, is production"},
		{Name: "max_age", Type: provider.Duration, Description: "how old the secret may become, as \"720h\"", Check: positive},
		{Name: "labels", Type: provider.StringMap, Description: "free words for selections and policies"},
		{Name: "runbook", Type: provider.String, Description: "the runbook to use instead of the type's own"},
	}
}

func positive(v any) error {
	if d, ok := v.(time.Duration); ok && d <= 0 {
		return errPositive
	}
	return nil
}

// loadCredentials reads the credential blocks and expands their for_each.
func (l *loader) loadCredentials() {
	for _, b := range l.blocks["credential"] {
		a := addrs.Credential{Type: b.Labels[0], Name: b.Labels[1]}
		if !l.once(a.String(), b.DefRange()) {
			continue
		}
		c := &credentialBlock{block: b, addr: a, typ: l.opts.Registry.Type(b.Labels[0])}
		l.pending = append(l.pending, c)
		if c.typ == nil {
			l.fault(b.LabelRanges[0], "There is no such credential type", "No provider has a type %q.%s", b.Labels[0], suggest(b.Labels[0], l.opts.Registry.Types()))
			continue
		}
		l.readCredential(c)
	}
	total := 0
	for _, c := range l.pending {
		total += len(c.instances)
	}
	l.ws.Credentials = make([]*Credential, 0, total)
	for _, c := range l.pending {
		l.ws.Credentials = append(l.ws.Credentials, c.instances...)
	}
	sortCredentials(l.ws.Credentials)
}

func sortCredentials(list []*Credential) {
	names := make(map[*Credential]string, len(list))
	for _, c := range list {
		names[c] = c.Addr.String()
	}
	slices.SortFunc(list, func(a, b *Credential) int { return strings.Compare(names[a], names[b]) })
}

func (l *loader) readCredential(c *credentialBlock) {
	body := c.block.Body
	s := plainScope()
	var varying []string
	each := body.Attributes["for_each"]
	if each != nil {
		s, varying = s.with("each", "key", "value"), []string{"each"}
	}
	what := "Credential type " + c.typ.Name
	schema := provider.Schema{Attributes: append(own(), c.typ.Schema.Attributes...)}
	c.provider = l.providerOf(c)
	c.form = l.form(body, c.block.DefRange(), what, schema, []string{"provider", "for_each", "depends_on"}, s, varying...)
	l.noBlocks(body, "A credential")
	seen := map[string]hcl.Range{}
	for _, b := range body.Blocks {
		switch b.Type {
		case "store":
			if d := l.readStore(c, b, s, varying, seen); d != nil {
				c.stores = append(c.stores, d)
			}
		case "consumer":
			if d := l.readConsumer(b, s, varying, seen); d != nil {
				c.consumers = append(c.consumers, d)
			}
		}
	}
	byKey := func(a, b *decodedBlock) int {
		return strings.Compare(a.block.Labels[0]+"."+a.block.Labels[1], b.block.Labels[0]+"."+b.block.Labels[1])
	}
	slices.SortFunc(c.stores, byKey)
	slices.SortFunc(c.consumers, byKey)
	if each == nil {
		l.instance(c, c.addr, l.ctx)
		return
	}
	l.expandEach(c, each)
}

// providerOf resolves `provider = TYPE.NAME`.
func (l *loader) providerOf(c *credentialBlock) *ProviderBlock {
	want := l.opts.Registry.ProviderOf(c.typ.Name)
	var fitting []string
	for k, p := range l.ws.Providers {
		if strings.HasPrefix(k, want+".") && p != nil {
			fitting = append(fitting, k)
		}
	}
	choice := suggest("", fitting)
	if len(fitting) == 0 {
		choice = " None is declared: add a block provider " + quoted(want) + " \"NAME\"."
	}
	a := c.block.Body.Attributes["provider"]
	if a == nil {
		l.fault(c.block.DefRange(), "No provider", "%s does not say which provider block it belongs to. Add provider = %s.NAME.%s", c.addr, want, choice)
		return nil
	}
	t := traversal(a.Expr)
	if len(t) != 2 {
		l.fault(a.Expr.Range(), "Not a provider", "provider names a provider block, unquoted, as in provider = %s.NAME.%s", want, choice)
		return nil
	}
	key := path(t)
	p, declared := l.ws.Providers[key]
	switch {
	case !declared:
		if best := nearest(key, fitting); best != "" {
			choice = " Did you mean " + best + "?"
		}
		l.fault(a.Expr.Range(), "No such provider block", "No provider %s is declared.%s", key, choice)
		return nil
	case t.RootName() != want:
		l.fault(a.Expr.Range(), "A provider of another kind", "Credentials of type %s belong to a provider block of kind %q, and %s is of kind %q.%s", c.typ.Name, want, key, t.RootName(), choice)
		return nil
	}
	return p
}

// expandEach makes an instance of every element.
func (l *loader) expandEach(c *credentialBlock, a *hclsyntax.Attribute) {
	place := plainScope()
	place.what = "`for_each`"
	v, ok := l.eval(a.Expr, place, l.ctx)
	if !ok {
		return
	}
	at := a.Expr.Range()
	switch {
	case v.ContainsMarked():
		l.fault(at, "A sensitive for_each", "The keys of for_each become part of addresses, which are shown. Use something that is not sensitive.")
		return
	case v.IsNull():
		l.fault(at, "for_each is null", "for_each must be a map, an object or a set of strings. An empty one makes no instance.")
		return
	case !v.IsKnown():
		if l.opts.Offline || !l.diags.HasErrors() {
			l.fault(at, "for_each is not known", "Which credentials there are depends on a variable that has no value. Give the variable a default, or a value.")
		}
		return
	case !v.Type().IsObjectType() && !v.Type().IsMapType() && !v.Type().Equals(cty.Set(cty.String)):
		remedy := ""
		if v.Type().IsTupleType() || v.Type().IsListType() {
			remedy = " toset(…) makes a set of a list of strings."
		}
		l.fault(at, "for_each does not fit", "for_each must be a map, an object or a set of strings, and this is %s.%s", kindOf(v), remedy)
		return
	}
	n := v.LengthInt()
	if l.count += n; l.count > maxInstances {
		l.fault(at, "Too many credentials", "The for_each of this workspace make more than %d credentials. Split the workspace.", maxInstances)
		return
	}
	l.budget.grant(n)
	c.instances = make([]*Credential, 0, n)
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if k.IsNull() || !k.IsKnown() {
			l.fault(at, "for_each does not fit", "A key is null or not known.")
			return
		}
		key := k.AsString()
		if strings.IndexByte(key, 0) >= 0 || len(key) > 1024 {
			l.fault(at, "A key that cannot be used", "The key %.60s has a NUL character or more than 1024 bytes.", quoted(key))
			continue
		}
		ctx := l.ctx.NewChild()
		ctx.Variables = map[string]cty.Value{"each": cty.ObjectVal(map[string]cty.Value{"key": k, "value": e})}
		l.instance(c, addrs.Credential{Type: c.addr.Type, Name: c.addr.Name, Key: key, HasKey: true}, ctx)
	}
}

// instance evaluates one credential.
func (l *loader) instance(c *credentialBlock, a addrs.Credential, ctx *hcl.EvalContext) {
	address := ""
	if a.HasKey {
		address = a.String()
	}
	got, _ := l.fill(c.form, ctx, address)
	out := &Credential{Addr: a, Type: c.typ, Provider: c.provider, Range: rangeOf(c.block)}
	out.unsaid = slices.ContainsFunc(c.form.slots, func(sl slot) bool { return sl.unknown })
	out.Owner, _ = got["owner"].(string)
	out.Subject, _ = got["subject"].(string)
	out.MaxAge, _ = got["max_age"].(time.Duration)
	out.Labels, _ = got["labels"].(map[string]string)
	env, _ := got["environment"].(string)
	out.Environment = l.environment(c, a, env)
	book, _ := got["runbook"].(string)
	out.Runbook = l.runbookFor(c, book)
	for _, o := range []string{"owner", "subject", "max_age", "labels", "environment", "runbook"} {
		delete(got, o)
	}
	out.Attrs = provider.NewAttrs(got)
	for _, d := range c.stores {
		out.Stores = append(out.Stores, l.nested(d, ctx, address))
	}
	for _, d := range c.consumers {
		out.Consumers = append(out.Consumers, l.nested(d, ctx, address))
	}
	c.instances = append(c.instances, out)
}

// environment applies what the provider block binds.
func (l *loader) environment(c *credentialBlock, a addrs.Credential, said string) string {
	bound := ""
	if c.provider != nil {
		bound = c.provider.Environment
	}
	switch {
	case said == "" && bound == "":
		return lifecycle.Production
	case said == "":
		return bound
	case bound == "" && l.opts.isBase():
		return lifecycle.Production
	case bound == "" && (l.opts.Base != nil || l.opts.Pinned) && !lifecycle.IsProduction(said):
		l.lowering(c, a, said)
		return lifecycle.Production
	case bound == "" || said == bound || lifecycle.IsProduction(said):
		return said
	}
	if at := c.block.Body.Attributes["environment"]; at != nil && !c.lowered(a) {
		l.refuse(at.Expr.Range(), diag.ExitDenied, "The environment is bound", "Provider %s says %q for all of its credentials; %s may raise that to production, and not make it %q. Remove the line, or use a provider block of that environment.", c.provider.Key(), bound, a, said)
	}
	return bound
}

// lowered reports whether the fault was already told for another instance.
func (c *credentialBlock) lowered(addrs.Credential) bool {
	for i := range c.form.slots {
		if s := &c.form.slots[i]; s.attr.Name == "environment" {
			was := s.fails
			s.fails = true
			return was
		}
	}
	return false
}

// runbookFor finds the runbook that a credential names, or its type's.
func (l *loader) runbookFor(c *credentialBlock, name string) *Runbook {
	at := c.block.DefRange()
	said := name != ""
	if said {
		at = c.block.Body.Attributes["runbook"].Expr.Range()
	} else {
		name = c.typ.Name
	}
	if b, ok := l.books[name]; ok && (!b.faulty || b.Resets != "") {
		if b.Resets != c.typ.Name && l.tell("runbook "+c.addr.String()) {
			l.fault(at, "A runbook for another type", "Runbook %q resets credentials of type %q, and %s is of type %q.", name, b.Resets, c.addr, c.typ.Name)
		}
		return b.Runbook
	}
	if l.tell("runbook "+c.addr.String()+name) && l.books[name] == nil {
		if said {
			l.fault(at, "No such runbook", "No runbook is called %q.%s", addrs.Visible(name), suggest(name, keys(l.books)))
		} else {
			l.fault(at, "No runbook", "There is no built-in runbook for %s. Add a block runbook %s.", name, quoted(name))
		}
	}
	return nil
}

// tell reports whether something is said for the first time.
func (l *loader) tell(what string) bool {
	was := l.told[what]
	l.told[what] = true
	return !was
}
