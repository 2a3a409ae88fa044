package policy

import (
	"fmt"
	"strconv"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
)

// builder makes the terms of an input. Equal parts are made once: resets of
// one runbook share their steps, phases and names. Going through JSON instead
// takes four times the time and memory at 10,000 resets.
type builder struct {
	strings map[string]*ast.Term
	steps   map[string]*ast.Term
	lists   map[string]*ast.Term
	books   map[plan.Runbook]*ast.Term
}

// term is in as Rego sees it: what its JSON form says, with empty lists for nil,
// and with every member that its stage has.
func term(in *Input) (*ast.Term, error) {
	b := newBuilder()
	resets := make([]*ast.Term, len(in.Resets))
	for i := range in.Resets {
		t, err := b.reset(&in.Resets[i])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", in.Resets[i].Address, err)
		}
		resets[i] = t
	}
	return b.input(in, resets), nil
}

func newBuilder() *builder {
	return &builder{
		strings: map[string]*ast.Term{}, steps: map[string]*ast.Term{},
		lists: map[string]*ast.Term{}, books: map[plan.Runbook]*ast.Term{},
	}
}

// input is in with these resets.
func (b *builder) input(in *Input, resets []*ast.Term) *ast.Term {
	o := object{
		{"version", b.str(in.Version)}, {"stage", b.str(string(in.Stage))},
		{"reason", b.str(string(in.Reason))}, {"mode", b.str(string(in.Mode))},
		{"ticket", b.str(in.Ticket)}, {"requester", b.str(in.Requester)}, {"trust", b.str(in.Trust)},
		{"partial", ast.InternedTerm(in.Partial)}, {"targets", b.targets(&in.Targets)},
		{"resets", ast.ArrayTerm(resets...)},
	}
	if a := in.Authors; a != nil {
		o = append(o, member{"authors", object{{"known", ast.InternedTerm(a.Known)}, {"identities", list1(b, a.Identities)}}.term()})
	}
	if in.Requirements != nil {
		o = append(o, member{"requirements", b.requirements(in.Requirements)})
	}
	// From the approval stage on these are always there: a rule about an absent
	// member would never hold, and "nobody approved" must be sayable.
	later := in.Stage == StageApproval || in.Stage == StageResult
	if in.Operator != "" || later {
		o = append(o, member{"operator", b.str(in.Operator)})
	}
	if len(in.Approvals) > 0 || later {
		list := make([]*ast.Term, len(in.Approvals))
		for i, a := range in.Approvals {
			list[i] = object{{"approver", b.str(a.Approver)}, {"groups", list1(b, a.Groups)}}.term()
		}
		o = append(o, member{"approvals", ast.ArrayTerm(list...)})
	}
	v := in.Verification
	if v == nil && later {
		v = &Verification{Strength: lifecycle.None}
	}
	if v != nil {
		o = append(o, member{"verification", b.verification(v)})
	}
	if in.Unattended || later {
		o = append(o, member{"unattended", ast.InternedTerm(in.Unattended)})
	}
	if in.Now != nil {
		o = append(o, member{"now", b.str(in.Now.Format(time.RFC3339Nano))})
	}
	return o.term()
}

func (b *builder) targets(t *Targets) *ast.Term {
	left := make([]*ast.Term, len(t.LeftOut))
	for i, l := range t.LeftOut {
		left[i] = object{{"provider", b.str(l.Provider)}, {"credential_type", b.str(l.CredentialType)}, {"count", integer(int64(l.Count))}}.term()
	}
	return object{
		{"by", b.str(string(t.By))}, {"where", b.str(t.Where)}, {"addresses", list1(b, t.Addresses)},
		{"declared", integer(int64(t.Declared))}, {"selected", integer(int64(t.Selected))}, {"left_out", ast.ArrayTerm(left...)},
	}.term()
}

func (b *builder) verification(v *Verification) *ast.Term {
	methods := make([]*ast.Term, len(v.Methods))
	for i, m := range v.Methods {
		claims := make(object, 0, len(m.Claims))
		for k, c := range m.Claims {
			claims = append(claims, member{k, b.str(c)})
		}
		methods[i] = object{
			{"verifier", b.str(m.Verifier)}, {"method", b.str(m.Method)}, {"address", b.str(m.Address)}, {"identity", b.str(m.Identity)},
			{"strength", b.str(string(m.Strength))}, {"bound", ast.InternedTerm(m.Bound)}, {"claims", claims.term()},
		}.term()
	}
	return object{
		{"identity", b.str(v.Identity)}, {"strength", b.str(string(v.Strength))}, {"bound", ast.InternedTerm(v.Bound)},
		{"methods", ast.ArrayTerm(methods...)},
	}.term()
}

func (b *builder) reset(r *Reset) (*ast.Term, error) {
	attributes := make(object, 0, len(r.Attributes))
	for k, v := range r.Attributes {
		t, err := b.any(v)
		if err != nil {
			return nil, fmt.Errorf("attribute %s: %w", k, err)
		}
		attributes = append(attributes, member{k, t})
	}
	labels := make(object, 0, len(r.Labels))
	for k, v := range r.Labels {
		labels = append(labels, member{k, b.str(v)})
	}
	o := object{
		{"address", ast.StringTerm(r.Address)}, {"credential_type", b.str(r.CredentialType)},
		{"kind", b.str(string(r.Kind))}, {"person", ast.InternedTerm(r.Person)},
		{"has_sessions", ast.InternedTerm(r.HasSessions)}, {"provider", b.str(r.Provider)},
		{"owner", b.str(r.Owner)}, {"subject", b.str(r.Subject)}, {"environment", b.str(r.Environment)},
		{"production", ast.InternedTerm(r.Production)}, {"labels", labels.term()},
		{"attributes", attributes.term()}, {"runbook", b.runbook(r.Runbook)},
		{"observed", object{
			{"target", b.str(r.Observed.Target)}, {"exists", ast.InternedTerm(r.Observed.Exists)},
			{"enabled", ast.InternedTerm(r.Observed.Enabled)}, {"versions", list1(b, r.Observed.Versions)},
			{"generation", integer(r.Observed.Generation)}, {"fenced", ast.InternedTerm(r.Observed.Fenced)},
		}.term()},
		{"in_use_by", b.str(r.InUseBy)}, {"max_age_seconds", integer(r.MaxAgeSeconds)}, {"entropy_bits", ast.FloatNumberTerm(r.EntropyBits)},
		{"stores", list1(b, r.Stores)}, {"consumers", list1(b, r.Consumers)},
		{"phases", list1(b, r.Phases)}, {"steps", b.stepList(r.Steps)},
	}
	if c := r.Change; c != nil {
		o = append(o, member{"change", b.change(c)})
	}
	if res := r.Result; res != nil {
		o = append(o, member{"result", object{
			{"proof", b.str(string(res.Proof))}, {"new_accepted", ast.InternedTerm(res.NewAccepted)},
			{"stores_confirmed", integer(int64(res.StoresConfirmed))}, {"reloaded", integer(int64(res.Reloaded))},
			{"sessions_ended", integer(int64(res.SessionsEnded))}, {"notified", ast.InternedTerm(res.Notified)},
			{"final", ast.InternedTerm(res.Final)}, {"asserted", list1(b, res.Asserted)},
		}.term()})
	}
	return o.term(), nil
}

func (b *builder) change(c *Change) *ast.Term {
	o := object{{"fields", list1(b, c.Fields)}}
	if c.Base != nil {
		o = append(o, member{"base", b.changed(c.Base)})
	}
	if len(c.Others) > 0 {
		others := make([]*ast.Term, len(c.Others))
		for i := range c.Others {
			others[i] = b.changed(&c.Others[i])
		}
		o = append(o, member{"others", ast.ArrayTerm(others...)})
	}
	return o.term()
}

func (b *builder) changed(x *Changed) *ast.Term {
	labels := make(object, 0, len(x.Labels))
	for k, v := range x.Labels {
		labels = append(labels, member{k, b.str(v)})
	}
	return object{
		{"address", b.str(x.Address)},
		{"provider", b.str(x.Provider)}, {"owner", b.str(x.Owner)}, {"subject", b.str(x.Subject)}, {"environment", b.str(x.Environment)},
		{"production", ast.InternedTerm(x.Production)}, {"labels", labels.term()}, {"runbook", b.runbook(x.Runbook)},
		{"max_age_seconds", integer(x.MaxAgeSeconds)},
		{"stores", list1(b, x.Stores)}, {"consumers", list1(b, x.Consumers)},
	}.term()
}

func (b *builder) runbook(r plan.Runbook) *ast.Term {
	t := b.books[r]
	if t == nil {
		t = object{{"name", b.str(r.Name)}, {"digest", b.str(r.Digest)}, {"builtin", ast.InternedTerm(r.Builtin)}}.term()
		b.books[r] = t
	}
	return t
}

func (b *builder) stepList(steps []Step) *ast.Term {
	key := make([]byte, 0, 64*len(steps))
	for i := range steps {
		s := &steps[i]
		key = strconv.AppendQuote(key, s.Address)
		key = strconv.AppendQuote(key, string(s.Phase))
		key = strconv.AppendBool(key, s.Reversible)
		for _, c := range s.Controls {
			key = strconv.AppendQuote(key, c)
		}
	}
	if t := b.steps[string(key)]; t != nil {
		return t
	}
	list := make([]*ast.Term, len(steps))
	for i, s := range steps {
		list[i] = object{
			{"address", b.str(s.Address)}, {"phase", b.str(string(s.Phase))},
			{"reversible", ast.InternedTerm(s.Reversible)}, {"controls", list1(b, s.Controls)},
		}.term()
	}
	t := ast.ArrayTerm(list...)
	b.steps[string(key)] = t
	return t
}

func (b *builder) requirements(r *plan.Requirements) *ast.Term {
	list := make([]*ast.Term, len(r.Approvals))
	for i, a := range r.Approvals {
		list[i] = object{{"count", integer(int64(a.Count))}, {"group", b.str(a.Group)}, {"addresses", list1(b, a.Addresses)}}.term()
	}
	return object{{"approvals", ast.ArrayTerm(list...)}, {"strength", b.str(string(r.Strength))}}.term()
}

func (b *builder) str(s string) *ast.Term {
	t := b.strings[s]
	if t == nil {
		t = ast.StringTerm(s)
		b.strings[s] = t
	}
	return t
}

// any is for attributes: what cty gives, as JSON has it.
func (b *builder) any(v any) (*ast.Term, error) {
	switch v := v.(type) {
	case string:
		return b.str(v), nil
	case bool:
		return ast.InternedTerm(v), nil
	}
	value, err := ast.InterfaceToValue(v)
	if err != nil {
		return nil, fmt.Errorf("it cannot be shown to policies: %w", err)
	}
	return ast.NewTerm(value), nil
}

// list1 is a list of strings; equal ones are made once.
func list1[S ~string](b *builder, list []S) *ast.Term {
	key := make([]byte, 0, 128)
	for _, s := range list {
		key = strconv.AppendQuote(key, string(s))
	}
	if t := b.lists[string(key)]; t != nil {
		return t
	}
	terms := make([]*ast.Term, len(list))
	for i, s := range list {
		terms[i] = b.str(string(s))
	}
	t := ast.ArrayTerm(terms...)
	b.lists[string(key)] = t
	return t
}

func integer(n int64) *ast.Term { return ast.InternedTerm(n) }

// object is an object about to be made.
type object []member

type member struct {
	key   string
	value *ast.Term
}

func (o object) term() *ast.Term {
	pairs := make([][2]*ast.Term, len(o))
	for i, m := range o {
		pairs[i] = [2]*ast.Term{ast.InternedTerm(m.key), m.value}
	}
	return ast.ObjectTerm(pairs...)
}
