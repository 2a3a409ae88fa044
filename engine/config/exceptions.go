package config

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// Override is the override block: who may lift denials of overridable policies.
// Without one nobody may.
type Override struct {
	// Groups are the groups of approvers that may.
	Groups []string
	// MaxExpires is the longest that an override counts.
	MaxExpires time.Duration
	Range      diag.Range
}

// BreakGlass is the break_glass block: how the gates are opened in an incident, and
// what is owed for it. Without one they are not.
type BreakGlass struct {
	// Group is whose members may.
	Group string
	// Notify are the people who are told at once, Via the keys of the notifiers that
	// tell them; none means all.
	Notify, Via []string
	// MaxTargets is how many credentials a plan may be about at most.
	MaxTargets int
	// ReviewWithin is when the review is owed, MaxExpires the longest that a
	// statement counts.
	ReviewWithin, MaxExpires time.Duration
	Range                    diag.Range

	// unreached is why nobody can be told.
	unreached diag.Diagnostics
}

// Unreached is the fault that nobody could be told at once if the glass were broken. It
// is one for whoever validates, plans, applies or breaks it; what was begun or evidenced
// before is looked at and ended all the same.
func (w *Workspace) Unreached() diag.Diagnostics {
	if w.BreakGlass == nil {
		return nil
	}
	return w.BreakGlass.unreached
}

// Bounds of break-glass.
const (
	defaultGlassExpires = 4 * time.Hour
	maxGlassExpires     = 24 * time.Hour
	maxGlassTargets     = 1_000_000
	maxReviewWithin     = 30 * 24 * time.Hour
)

// Bounds of how long an override counts.
const (
	defaultOverrideExpires = 24 * time.Hour
	maxOverrideExpires     = 30 * 24 * time.Hour
)

// loadExceptions reads the blocks that say who may make an exception of the gates.
func (l *loader) loadExceptions() {
	for _, b := range l.blocks["override"] {
		if l.once("The override block", b.TypeRange) {
			l.ws.Override = l.override(b)
		}
	}
	for _, b := range l.blocks["break_glass"] {
		if l.once("The break_glass block", b.TypeRange) {
			l.ws.BreakGlass = l.breakGlass(b)
		}
	}
	l.bindExceptions()
	if o := l.ws.Override; o != nil && l.opts.Base == nil { // of a base its own loading says so
		for _, g := range o.Groups {
			l.peopled(o.Range, "The override block", g)
		}
	}
	if g := l.ws.BreakGlass; g != nil && l.opts.Base == nil {
		l.peopled(g.Range, "The break_glass block", g.Group)
		l.reached(g)
	}
}

// reached finds that nobody is told at once that the glass is broken: no notifier is
// declared. Where only files are written, it warns.
func (l *loader) reached(g *BreakGlass) {
	to := strings.Join(g.Notify, ", ")
	if len(l.blocks["notifier"]) == 0 {
		before := len(l.diags)
		l.fault(hclRange(g.Range), "Nobody can be told that the glass is broken", "notify names %s, and no notifier is declared that could tell them. Declare one, as notifier \"smtp\" or notifier \"webhook\".", addrs.Visible(to))
		g.unreached, l.diags = slices.Clone(l.diags[before:]), l.diags[:before]
		return
	}
	if by := g.By(l.ws.Notifiers); len(by) > 0 && !slices.ContainsFunc(by, func(b *Block) bool { return !l.opts.Registry.Notifier(b.Type).Local }) {
		l.ignored(g.Range, "That the glass is broken is only written down", "notify names %s, and all that tells them is %s, which writes into a file on this machine. See that something carries it on at once, or declare a notifier that sends.", addrs.Visible(to), keysOf(by))
	}
}

// By are the notifiers through which g tells people.
func (g *BreakGlass) By(all []*Block) []*Block {
	return slices.DeleteFunc(slices.Clone(all), func(b *Block) bool { return len(g.Via) > 0 && !slices.Contains(g.Via, b.Key()) })
}

func keysOf(blocks []*Block) string {
	var keys []string
	for _, b := range blocks {
		keys = append(keys, b.Key())
	}
	return strings.Join(keys, ", ")
}

// peopled warns of a group that nobody is in: that an exception can be made by nobody
// would be noticed when it is needed.
func (l *loader) peopled(at diag.Range, what, group string) {
	if group != "" && !slices.ContainsFunc(l.ws.Approvers, func(a Approver) bool { return slices.Contains(a.Groups, group) }) {
		l.ignored(at, "Nobody is in the group", "%s names the group %s, which no approver is in: nobody can use it. Put the group into groups of an approver block, or name one that people are in.", what, quoted(group))
	}
}

func (l *loader) override(b *hclsyntax.Block) *Override {
	l.noBlocks(b.Body, "override")
	got := l.simple(b.Body, b, "override",
		provider.Attribute{Name: "groups", Type: provider.StringList, Required: true, Description: "the groups of approvers that may lift denials", Check: some},
		provider.Attribute{Name: "max_expires", Type: provider.Duration, Default: defaultOverrideExpires, Min: int64(time.Second), Max: int64(maxOverrideExpires)})
	o := &Override{Range: rangeOf(b)}
	o.Groups, _ = got["groups"].([]string)
	o.MaxExpires, _ = got["max_expires"].(time.Duration)
	return o
}

func (l *loader) breakGlass(b *hclsyntax.Block) *BreakGlass {
	l.noBlocks(b.Body, "break_glass")
	got := l.simple(b.Body, b, "break_glass",
		provider.Attribute{Name: "group", Type: provider.String, Required: true, Description: "the group whose members may break the glass", Check: named},
		provider.Attribute{Name: "notify", Type: provider.StringList, Required: true, Description: "who is told at once", Check: some},
		attr("via", provider.StringList, false),
		provider.Attribute{Name: "max_targets", Type: provider.Int, Required: true, Min: 1, Max: maxGlassTargets, Description: "how many credentials a plan may be about"},
		provider.Attribute{Name: "review_within", Type: provider.Duration, Required: true, Min: int64(time.Second), Max: int64(maxReviewWithin), Description: "how long after it somebody has to have reviewed it, as \"72h\""},
		provider.Attribute{Name: "max_expires", Type: provider.Duration, Default: defaultGlassExpires, Min: int64(time.Second), Max: int64(maxGlassExpires)})
	g := &BreakGlass{Range: rangeOf(b)}
	g.Group, _ = got["group"].(string)
	g.Notify, _ = got["notify"].([]string)
	g.Via, _ = got["via"].([]string)
	targets, _ := got["max_targets"].(int64)
	g.MaxTargets = int(targets)
	g.ReviewWithin, _ = got["review_within"].(time.Duration)
	g.MaxExpires, _ = got["max_expires"].(time.Duration)
	for _, key := range g.Via {
		if !slices.ContainsFunc(l.ws.Notifiers, func(n *Block) bool { return n.Key() == key }) {
			l.fault(b.Body.Attributes["via"].Expr.Range(), "There is no such notifier", "No notifier is declared as %s. via names notifiers as TYPE.NAME.", quoted(key))
		}
	}
	return g
}

// named refuses an empty name.
func named(v any) error {
	if s, ok := v.(string); ok && s == "" {
		return errors.New("must not be empty")
	}
	return nil
}

// some refuses a list of nobody.
func some(v any) error {
	if list, ok := v.([]string); ok && (len(list) == 0 || slices.Contains(list, "")) {
		return errors.New("must name somebody")
	}
	return nil
}

// bindExceptions takes the base's blocks. What only the workspace says lifts nothing.
func (l *loader) bindExceptions() {
	if l.opts.Base == nil {
		return
	}
	here, there := l.ws.Override, l.opts.Base.Override
	switch {
	case here != nil && there == nil:
		l.ignored(here.Range, "An override block that the trust base does not have", "It lets nobody override anything: only the trust base says who may. Have it agreed to there first.")
	case here != nil && !here.same(there):
		l.differs("The override block", here.Range, there.Range, diag.ExitMissing)
	}
	l.ws.Override = there
	glass, base := l.ws.BreakGlass, l.opts.Base.BreakGlass
	switch {
	case glass != nil && base == nil:
		l.ignored(glass.Range, "A break_glass block that the trust base does not have", "It opens nothing: only the trust base says who may break the glass. Have it agreed to there first.")
	case glass != nil && !glass.same(base):
		l.differs("The break_glass block", glass.Range, base.Range, diag.ExitMissing)
	}
	l.ws.BreakGlass = base
}

func (g *BreakGlass) same(other *BreakGlass) bool {
	return g.Group == other.Group && sameSet(g.Notify, other.Notify) && sameSet(g.Via, other.Via) && g.MaxTargets == other.MaxTargets &&
		g.ReviewWithin == other.ReviewWithin && g.MaxExpires == other.MaxExpires
}

// same reports whether two blocks let the same people do the same.
func (o *Override) same(other *Override) bool {
	return sameSet(o.Groups, other.Groups) && o.MaxExpires == other.MaxExpires
}

func sameSet(a, b []string) bool {
	sorted := func(s []string) []string { return slices.Compact(slices.Sorted(slices.Values(s))) }
	return slices.Equal(sorted(a), sorted(b))
}
