// Package verify finds out who asks for a plan, and whether the people whose
// secrets it resets are asked themselves: how surely, by which verifier, and on
// what that rests. Nothing that a document says is believed; what it carries is
// judged again.
package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Checker asks the verifiers of one workspace.
type Checker struct {
	Registry  *provider.Registry
	Verifiers []*config.Block
	// Memory is the state's.
	Memory provider.Memory
	// Getenv reads what a CI puts into the environment; may be nil.
	Getenv func(name string) string
	Now    func() time.Time
}

// Presented is what somebody brings now, on the command line.
type Presented struct {
	// Verifier is TYPE.NAME or NAME; "" is whichever takes what is brought.
	Verifier string
	// Address is of the credential whose subject brings it; "" is the requester.
	Address string
	// Identity is who it is said to be, for codes.
	Identity string
	Takes    provider.Takes
	Brought  provider.Brought
}

// Accepted is one verification that counts.
type Accepted struct {
	// Verifier is TYPE.NAME; Method is TYPE.
	Verifier, Method string
	// Address is of the credential whose subject it is of; "" is the requester.
	Address string
	provider.Verified
}

// Refusal is one that does not count.
type Refusal struct {
	// Verifier is TYPE.NAME, "" where none could be asked.
	Verifier string
	// Why is a sentence's second half, with what to do.
	Why string
	// Presented is whether it was brought now, or is claimed by the plan, and not found.
	Presented bool
}

// String is the whole sentence.
func (r Refusal) String() string {
	if r.Verifier == "" {
		return strings.ToUpper(r.Why[:1]) + r.Why[1:] + "."
	}
	return r.Verifier + ": " + strings.TrimSuffix(r.Why, ".") + "."
}

// Present judges what is brought now. One that holds and cannot be shown again is
// remembered for this plan.
func (c *Checker) Present(ctx context.Context, file *plan.File, p Presented) (Accepted, []Refusal) {
	blocks, why := c.candidates(p)
	if why != "" {
		return Accepted{}, []Refusal{{Why: why, Presented: true}}
	}
	var refused []Refusal
	for _, b := range blocks {
		a, err := c.ask(ctx, b, file, p, c.open)
		if err == nil {
			return a, nil
		}
		if errors.Is(err, provider.ErrNothing) {
			err = errors.New("nothing was brought: " + bring(c.Registry.Verifier(b.Type).Takes))
		}
		refused = append(refused, Refusal{b.Key(), err.Error(), true})
	}
	return Accepted{}, refused
}

// Check finds everything that counts for a plan: what documents carry, what is
// brought now, what the state remembers, what verifiers find out by themselves.
func (c *Checker) Check(ctx context.Context, file *plan.File, documents []*Document, now []Presented) (Outcome, []Refusal) {
	var accepted []Accepted
	var refused []Refusal
	for _, p := range now {
		a, why := c.Present(ctx, file, p)
		if refused = append(refused, why...); len(why) == 0 {
			accepted = append(accepted, a)
		}
	}
	open := c.once()
	for _, d := range documents {
		more, why := c.reread(ctx, file, d, open)
		accepted, refused = append(accepted, more...), append(refused, why...)
	}
	remembered, why := c.remembered(ctx, file)
	accepted, refused = append(accepted, remembered...), append(refused, why...)
	for _, b := range c.Verifiers {
		if slices.ContainsFunc(accepted, func(a Accepted) bool { return a.Verifier == b.Key() && a.Address == "" }) || c.Registry.Verifier(b.Type).Once {
			continue
		}
		a, err := c.ask(ctx, b, file, Presented{}, open)
		switch {
		case errors.Is(err, provider.ErrNothing):
		case err != nil:
			// A ticket was named by the plan itself, which then says what is not so.
			claimed := c.Registry.Verifier(b.Type).Takes == provider.TakesNothing
			refused = append(refused, Refusal{Verifier: b.Key(), Why: err.Error(), Presented: claimed})
		default:
			accepted = append(accepted, a)
		}
	}
	return outcome(file, distinct(accepted)), refused
}

// distinct leaves out what was found twice.
func distinct(list []Accepted) []Accepted {
	var out []Accepted
	for _, a := range list {
		if !slices.ContainsFunc(out, func(b Accepted) bool {
			return a.Verifier == b.Verifier && a.Address == b.Address && a.Identity == b.Identity && a.Strength == b.Strength && a.Bound == b.Bound
		}) {
			out = append(out, a)
		}
	}
	slices.SortStableFunc(out, func(a, b Accepted) int {
		return cmp.Or(strings.Compare(a.Address, b.Address), strings.Compare(a.Verifier, b.Verifier), strings.Compare(a.Identity, b.Identity))
	})
	return out
}

// ask puts one question to one verifier.
func (c *Checker) ask(ctx context.Context, b *config.Block, file *plan.File, p Presented, open opener) (Accepted, error) {
	def := c.Registry.Verifier(b.Type)
	asked, err := c.asked(file, p)
	if err != nil {
		return Accepted{}, err
	}
	v, err := open(ctx, b)
	if err != nil {
		return Accepted{}, err
	}
	verify := v.Verify
	if def.Takes == provider.TakesCode && !p.Brought.Code.IsZero() {
		verify = c.throttled(b.Key(), v)
	}
	got, err := verify(ctx, asked, p.Brought)
	if err != nil {
		return Accepted{}, err
	}
	a := Accepted{Verifier: b.Key(), Method: b.Type, Address: p.Address, Verified: capped(got)}
	if why := a.fault(asked.Now); why != "" {
		return Accepted{}, errors.New(why)
	}
	if def.Once {
		err = c.keep(ctx, file, a)
	}
	return a, err
}

// opener gives the verifier of a block.
type opener func(context.Context, *config.Block) (provider.Verifier, error)

// once is open that remembers what it opened, and what it could not.
func (c *Checker) once() opener {
	type opened struct {
		v   provider.Verifier
		err error
	}
	have := map[string]opened{}
	return func(ctx context.Context, b *config.Block) (provider.Verifier, error) {
		o, known := have[b.Key()]
		if !known {
			o.v, o.err = c.open(ctx, b)
			have[b.Key()] = o
		}
		return o.v, o.err
	}
}

// open makes the verifier of a block.
func (c *Checker) open(ctx context.Context, b *config.Block) (provider.Verifier, error) {
	def := c.Registry.Verifier(b.Type)
	for _, x := range def.Schema.Attributes {
		if x.Required && !b.Attrs.Has(x.Name) {
			return nil, fmt.Errorf("its %s depends on a variable that has no value: give it with -var, -var-file or REMINT_VAR_NAME", x.Name)
		}
	}
	return def.Open(ctx, provider.Block{Name: b.Name, Attrs: b.Attrs})
}

// capped lowers what does not deserve its strength: what was not said about this
// plan could have been said about anything.
func capped(v provider.Verified) provider.Verified {
	low := v.Factor == provider.Hearsay || v.Factor == provider.Federated && !v.Bound
	if low && v.Strength.AtLeast(lifecycle.AAL1) {
		v.Strength = lifecycle.AAL1
	}
	return v
}

// fault is what is wrong with an answer that a verifier gave.
func (a Accepted) fault(now time.Time) string {
	switch {
	case a.Identity == "" || len(a.Identity) > maxIdentity || strings.ContainsFunc(a.Identity, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return "it names nobody, or somebody whose name cannot be shown"
	case !a.Strength.Valid():
		return "it does not say how surely"
	case !now.Before(a.Until):
		return "it ceased to count at " + a.Until.UTC().Format(time.RFC3339) + ": verify again"
	}
	return ""
}

const maxIdentity = 320

// asked is the question about a plan, or about one credential in it.
func (c *Checker) asked(file *plan.File, p Presented) (provider.Asked, error) {
	out := provider.Asked{
		PlanID: file.ID, PlanDigest: file.Digest, Address: p.Address, Identity: p.Identity, Ticket: file.Plan.Ticket, Strength: file.Plan.Requirements.Strength,
		Now: c.Now(), Memory: c.Memory, Getenv: c.Getenv,
	}
	subject := ""
	for _, r := range file.Plan.Resets {
		out.Addresses = append(out.Addresses, r.Address)
		if who := r.Subjects(); r.Address == p.Address && len(who) > 0 {
			subject = who[0]
		}
	}
	switch {
	case p.Address != "" && !slices.Contains(out.Addresses, p.Address):
		return out, fmt.Errorf("the address %s is not in this plan: -subject takes one of its addresses", addrs.Visible(p.Address))
	case p.Address != "" && subject == "":
		return out, fmt.Errorf("the credential %s has no subject: it is declared with subject = \"…\"", addrs.Visible(p.Address))
	case out.Identity == "" && subject != "":
		out.Identity = subject
	case out.Identity == "":
		out.Identity = file.Plan.Requester
	}
	return out, nil
}

// candidates are the verifiers that what is brought is meant for.
func (c *Checker) candidates(p Presented) ([]*config.Block, string) {
	var out []*config.Block
	var names []string
	for _, b := range c.Verifiers {
		names = append(names, b.Key())
		if p.Verifier == "" && c.Registry.Verifier(b.Type).Takes == p.Takes || p.Verifier == b.Key() || p.Verifier == b.Name {
			out = append(out, b)
		}
	}
	if len(names) == 0 {
		return nil, "this workspace declares no verifier: add a block verifier \"TYPE\" \"NAME\" (`remint providers` lists the types)"
	}
	there := " There are " + strings.Join(names, ", ")
	switch {
	case len(out) == 0 && p.Verifier != "":
		return nil, "no verifier is called " + addrs.Visible(p.Verifier) + "." + there
	case len(out) == 0:
		return nil, "no verifier of this workspace takes what was brought." + there
	case len(out) > 1 && (p.Verifier != "" || p.Takes == provider.TakesCode || p.Takes == provider.TakesNothing):
		return nil, "more than one verifier could be meant: name one with -verifier=TYPE.NAME." + there
	case p.Verifier != "" && p.Takes != provider.TakesNothing && c.Registry.Verifier(out[0].Type).Takes != p.Takes:
		return nil, "the verifier " + out[0].Key() + " does not take this: " + bring(c.Registry.Verifier(out[0].Type).Takes)
	}
	return out, ""
}

// bring says how what a verifier takes is brought.
func bring(t provider.Takes) string {
	switch t {
	case provider.TakesToken:
		return "give it an ID token with -identity-token=FILE (- is standard input) or in REMINT_ID_TOKEN"
	case provider.TakesCode:
		return "give it a code with -code=FILE (- is standard input), or type it when asked"
	case provider.TakesAssertion:
		return "get an assertion with `remint verify -browser PLAN`, and give it with -webauthn=FILE"
	case provider.TakesStatement:
		return "sign with -key=FILE"
	}
	return "it asks by itself, and needs a plan with a ticket"
}

// Takes says what the verifier of that name takes; of the only one, without a name.
func (c *Checker) Takes(name string) (provider.Takes, error) {
	if name == "" && len(c.Verifiers) == 1 {
		name = c.Verifiers[0].Key()
	}
	if name == "" && len(c.Verifiers) > 0 {
		return "", errors.New("nothing is brought: name a verifier with -verifier=TYPE.NAME, or bring something (-identity-token, -code, -webauthn, -key)")
	}
	blocks, why := c.candidates(Presented{Verifier: name})
	if why != "" {
		return "", errors.New(why)
	}
	return c.Registry.Verifier(blocks[0].Type).Takes, nil
}

// Prove signs a statement with a person's key, for the verifier that takes one.
func (c *Checker) Prove(ctx context.Context, file *plan.File, p Presented, key secret.Value) (provider.Brought, error) {
	blocks, why := c.candidates(p)
	if why != "" {
		return provider.Brought{}, errors.New(why)
	}
	asked, err := c.asked(file, p)
	if err != nil {
		return provider.Brought{}, err
	}
	for _, b := range blocks {
		v, err := c.Registry.Verifier(b.Type).Open(ctx, provider.Block{Name: b.Name, Attrs: b.Attrs})
		if err != nil {
			return provider.Brought{}, err
		}
		if signer, ok := v.(provider.Prover); ok {
			return signer.Prove(asked, key) // the same statement for all of them: which key it is tells whose
		}
	}
	return provider.Brought{}, errors.New("no verifier of this workspace takes a signed statement: add a block verifier \"key\" \"NAME\"")
}

// Challenges says what answers have to be bound to, by verifier.
func (c *Checker) Challenges(ctx context.Context, file *plan.File, address string) (map[string]map[string]any, error) {
	asked, err := c.asked(file, Presented{Address: address})
	if err != nil {
		return nil, err
	}
	out := map[string]map[string]any{}
	for _, b := range c.Verifiers {
		v, err := c.Registry.Verifier(b.Type).Open(ctx, provider.Block{Name: b.Name, Attrs: b.Attrs})
		if err != nil {
			continue // it needs a variable, and says so when it is asked
		}
		if ch, ok := v.(provider.Challenger); ok {
			out[b.Key()] = ch.Challenge(asked)
		}
	}
	return out, nil
}
