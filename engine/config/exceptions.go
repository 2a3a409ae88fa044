package config

import (
	"errors"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"

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
	l.bindExceptions()
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
}

// same reports whether two blocks let the same people do the same.
func (o *Override) same(other *Override) bool {
	return sameSet(o.Groups, other.Groups) && o.MaxExpires == other.MaxExpires
}

func sameSet(a, b []string) bool {
	sorted := func(s []string) []string { return slices.Compact(slices.Sorted(slices.Values(s))) }
	return slices.Equal(sorted(a), sorted(b))
}
