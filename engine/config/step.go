package config

import (
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// step is a step of a runbook, before it is expanded for a credential.
type step struct {
	base Step // what is the same for all credentials
	// form holds description, timeout and the like; args an issue step's.
	form, args *form
	when       hclsyntax.Expression
	each       string // "stores", "consumers" or ""
	depends    []*step
	at         hcl.Range
}

func (s *step) name() string { return string(s.base.Phase) + "." + s.base.Addr.Name }

// varying are the names that differ between credentials.
var varying = []string{"credential", "reset", "each"}

// common are the attributes of every step.
var common = []provider.Attribute{
	{Name: "description", Type: provider.String},
	{Name: "timeout", Type: provider.Duration, Check: positive},
	{Name: "controls", Type: provider.StringList},
}

func (l *loader) readSteps(k *book) {
	byName := map[string]*step{}
	waits := map[*step]*hclsyntax.Attribute{}
	phases := make([]string, 0, 11)
	for _, p := range lifecycle.Phases() {
		phases = append(phases, string(p))
	}
	for _, b := range k.block.Body.Blocks {
		if !lifecycle.Phase(b.Type).Valid() {
			l.fault(b.TypeRange, "There is no such phase", "A step's phase is one of a closed list, and %q is none of it.%s", addrs.Visible(b.Type), suggest(b.Type, phases))
			continue
		}
		if !l.labelled(b, b.Type+` "NAME"`) {
			continue
		}
		s := l.readStep(k, b)
		if before := byName[s.name()]; before != nil {
			l.fault(b.DefRange(), "Declared twice", "Step %s is already declared at %s:%d. Rename one of the two, or remove it.", s.name(), before.at.Filename, before.at.Start.Line)
			continue
		}
		byName[s.name()] = s
		k.steps = append(k.steps, s)
		waits[s] = b.Body.Attributes["depends_on"]
	}
	var issue *step
	for _, s := range k.steps {
		if s.base.Phase == lifecycle.Issue {
			if issue != nil {
				l.fault(s.at, "Two new secrets", "A reset makes one new secret, and this runbook makes it in %s and another one in %s. Remove one of the two steps.", issue.name(), s.name())
			}
			issue = s
		}
		if a := waits[s]; a != nil {
			l.stepDepends(k, s, a, byName)
		}
		if ref := s.base.Secret; ref != nil && byName[ref.String()] == nil {
			at := secretRange(k.block, s)
			l.fault(at, "Unknown step", "There is no step %s in this runbook.%s", ref, suggest(ref.String(), k.stepNames()))
		}
	}
	l.orderSteps(k)
}

func secretRange(b *hclsyntax.Block, s *step) hcl.Range {
	for _, x := range b.Body.Blocks {
		if x.DefRange() == s.at && x.Body.Attributes["secret"] != nil {
			return x.Body.Attributes["secret"].Expr.Range()
		}
	}
	return s.at
}

// readStep reads one step's block.
func (l *loader) readStep(k *book, b *hclsyntax.Block) *step {
	phase := lifecycle.Phase(b.Type)
	s := &step{at: b.DefRange(), base: Step{
		Addr: addrs.Step{Phase: b.Type, Name: b.Labels[0]}, Phase: phase, Range: rangeOf(b),
	}}
	attrs := slices.Clone(common)
	reserved := []string{"depends_on"}
	switch phase {
	case lifecycle.Install, lifecycle.Confirm:
		reserved = append(reserved, "secret")
	case lifecycle.Distribute:
		reserved = append(reserved, "secret", "for_each")
	case lifecycle.Reload:
		reserved = append(reserved, "for_each")
	case lifecycle.Notify:
		attrs = append(attrs, provider.Attribute{Name: "to", Type: provider.String}, attr("via", provider.StringList, false))
	case lifecycle.Issue:
		if k.typ != nil {
			for _, a := range k.typ.Issue.Schema.Attributes {
				reserved = append(reserved, a.Name)
			}
		}
	}
	if !phase.Unconditional() {
		reserved = append(reserved, "when")
	}
	if phase == lifecycle.Reload || phase == lifecycle.Notify {
		attrs = append(attrs, provider.Attribute{Name: "on_failure", Type: provider.String, OneOf: []string{"halt", "continue"}})
	}
	sc := l.stepScope(k)
	l.stepEach(s, b, &sc)
	body := *b.Body
	body.Attributes = l.forbidden(phase, b)
	l.noBlocks(&body, "Step "+s.name())
	s.form = l.form(&body, b.DefRange(), aStep(b.Type), provider.Schema{Attributes: attrs}, reserved, sc, varying...)
	s.static()
	if phase == lifecycle.Issue && k.typ != nil {
		issue := hclsyntax.Body{Attributes: hclsyntax.Attributes{}}
		for _, a := range k.typ.Issue.Schema.Attributes {
			if given := body.Attributes[a.Name]; given != nil {
				issue.Attributes[a.Name] = given
			}
		}
		s.args = l.form(&issue, b.DefRange(), "The issue step of "+k.typ.Name, k.typ.Issue.Schema, nil, sc, varying...)
		if !s.args.varies {
			got, _ := l.fill(s.args, l.ctx, "")
			s.base.Args = provider.NewAttrs(got)
		}
	}
	if a := body.Attributes["when"]; a != nil && !phase.Unconditional() {
		place := sc
		place.what = "`when`"
		if l.check(a.Expr, place) {
			s.when = a.Expr
		}
	}
	l.stepSecret(s, b)
	l.stepRetry(s, b)
	return s
}

// forbidden leaves out, and reports, what some phases do not take.
func (l *loader) forbidden(phase lifecycle.Phase, b *hclsyntax.Block) hclsyntax.Attributes {
	out := hclsyntax.Attributes{}
	for name, a := range b.Body.Attributes {
		if phase.Unconditional() && (name == "when" || name == "target" || name == "on_failure") {
			l.fault(a.NameRange, "A step that takes no conditions", "%s takes no %s: nobody configures it away. Remove the line.", aStep(string(phase)), name)
			continue
		}
		out[name] = a
	}
	return out
}

// stepScope is what a step's expressions see.
func (l *loader) stepScope(k *book) scope {
	fields := []string{"type", "name", "key", "address", "owner", "environment", "labels", "stores", "consumers"}
	if k.typ != nil {
		for _, a := range k.typ.Schema.Attributes {
			if !a.Sensitive {
				fields = append(fields, a.Name)
			}
		}
	}
	return plainScope().with("credential", fields...).with("reset", "reason", "mode", "ticket", "requester")
}

// stepEach reads for_each, which goes over the credential's stores or consumers.
func (l *loader) stepEach(s *step, b *hclsyntax.Block, sc *scope) {
	want := map[lifecycle.Phase]string{lifecycle.Distribute: "stores", lifecycle.Reload: "consumers"}[s.base.Phase]
	a := b.Body.Attributes["for_each"]
	switch {
	case want == "":
		return
	case a == nil:
		l.fault(b.DefRange(), "No for_each", "A %s step acts on each of the credential's %s. Add for_each = credential.%s.", s.base.Phase, want, want)
	case path(traversal(a.Expr)) != "credential."+want:
		l.fault(a.Expr.Range(), "for_each does not fit", "The for_each of a %s step is credential.%s; `when` and each.value leave some out.", s.base.Phase, want)
	}
	s.each = want
	*sc = sc.with("each", "key", "value")
}

// stepSecret reads `secret = issue.NAME`. One field of it cannot be picked here:
// a target is given the whole secret, and a store says itself what it takes.
func (l *loader) stepSecret(s *step, b *hclsyntax.Block) {
	if s.base.Phase != lifecycle.Install && s.base.Phase != lifecycle.Confirm && s.base.Phase != lifecycle.Distribute {
		return
	}
	a := b.Body.Attributes["secret"]
	if a == nil {
		l.fault(b.DefRange(), "A required attribute is missing", "%s needs secret = issue.NAME, the name of the issue step that makes it.", aStep(b.Type))
		return
	}
	t := traversal(a.Expr)
	if len(t) < 2 || t.RootName() != "issue" {
		l.fault(a.Expr.Range(), "Not a secret", "secret names an issue step, unquoted: issue.NAME.")
		return
	}
	name, _ := stepName(t[1])
	if len(t) > 2 {
		l.fault(a.Expr.Range(), "One field of a secret", "%s handles the whole secret. Write secret = issue.%s; the store block of a credential picks what it takes, with field.", aStep(b.Type), addrs.Visible(name))
		return
	}
	s.base.Secret = &addrs.Step{Phase: "issue", Name: name}
}

// stepRetry reads retry { attempts, delay }.
func (l *loader) stepRetry(s *step, b *hclsyntax.Block) {
	for i, r := range b.Body.Blocks {
		if r.Type != "retry" {
			continue
		}
		if i > 0 && b.Body.Blocks[i-1].Type == "retry" {
			l.fault(r.TypeRange, "Declared twice", "A step has one retry block.")
			return
		}
		l.noBlocks(r.Body, "retry")
		got := l.simple(r.Body, r, "retry", provider.Attribute{Name: "attempts", Type: provider.Int, Required: true, Min: 1, Max: 20}, attr("delay", provider.Duration, false))
		if n, ok := got["attempts"].(int64); ok {
			s.base.Retry.Attempts = int(n)
		}
		s.base.Retry.Delay, _ = got["delay"].(time.Duration)
	}
}

// stepDepends resolves depends_on = [PHASE.NAME].
func (l *loader) stepDepends(k *book, s *step, a *hclsyntax.Attribute, byName map[string]*step) {
	for _, e := range l.items(a, "depends_on") {
		name := path(traversal(e))
		switch other := byName[name]; {
		case strings.Count(name, ".") != 1:
			l.fault(e.Range(), "Not a step", "depends_on names steps of this runbook, unquoted: PHASE.NAME.")
		case other == nil:
			l.fault(e.Range(), "Unknown step", "There is no step %s in this runbook.%s", name, suggest(name, k.stepNames()))
		default:
			s.depends = append(s.depends, other)
		}
	}
}

// orderSteps puts the steps of each phase behind those they wait for.
func (l *loader) orderSteps(k *book) {
	var out []*step
	state := map[*step]int{}
	var visit func(s *step, way []string)
	visit = func(s *step, way []string) {
		way = append(way, s.name())
		switch state[s] {
		case 2:
			return
		case 1:
			l.fault(s.at, "A circle", "Each of these steps waits for the next: %s. Remove one depends_on.", strings.Join(way[slices.Index(way, s.name()):], " → "))
			return
		}
		state[s] = 1
		for _, d := range s.depends {
			visit(d, way)
		}
		state[s] = 2
		out = append(out, s)
	}
	for _, s := range k.steps {
		visit(s, nil)
	}
	k.steps = out
}

// static fills what does not vary into the step that is shared by all.
func (s *step) static() {
	for i := range s.form.slots {
		if sl := &s.form.slots[i]; !sl.vary {
			s.base.apply(sl.attr.Name, sl.value)
		}
	}
}

// apply sets an evaluated attribute.
func (st *Step) apply(name string, v any) {
	switch v := v.(type) {
	case string:
		switch name {
		case "description":
			st.Description = v
		case "to":
			st.To = v
		case "on_failure":
			st.Continue = v == "continue"
		}
	case []string:
		if name == "via" {
			st.Via = v
		} else {
			st.Controls = v
		}
	case time.Duration:
		st.Timeout = v
	}
}
