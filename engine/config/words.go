package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/addrs"
)

// suggest names what was probably meant, or else what there is.
func suggest(name string, have []string) string {
	if len(have) == 0 {
		return " There are none."
	}
	if best := nearest(name, have); best != "" {
		return fmt.Sprintf(" Did you mean %q?", best)
	}
	if len(have) == 1 {
		return " There is only " + have[0] + "."
	}
	return " There are " + list(have) + "."
}

// nearest is the closest of have, "" if none is close.
func nearest(name string, have []string) string {
	if len(name) > 200 {
		return ""
	}
	best, distance := "", max(2, len(name)/3)+1
	for _, h := range have {
		if d := levenshtein.Distance(strings.ToLower(name), strings.ToLower(h), nil); d < distance {
			best, distance = h, d
		}
	}
	if distance >= len(name) {
		return ""
	}
	return best
}

// list joins names for a sentence and cuts a long list.
func list(names []string) string {
	names = slices.Clone(names)
	slices.Sort(names)
	if n := len(names); n > 40 {
		names = append(names[:40], fmt.Sprintf("%d more", n-40))
	}
	return join(names, "and")
}

// join writes a, b and c.
func join(names []string, word string) string {
	if n := len(names); n > 1 {
		return strings.Join(names[:n-1], ", ") + " " + word + " " + names[n-1]
	}
	return strings.Join(names, "")
}

func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// aStep is "a verify step", "an issue step".
func aStep(phase string) string {
	if strings.ContainsRune("aeiou", rune(phase[0])) {
		return "An " + phase + " step"
	}
	return "A " + phase + " step"
}

func quoted(name string) string { return addrs.Quote(name) }

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what
	case 1:
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sentence makes an error's text end like one, beginning with a capital.
func sentence(s string) string {
	if s == "" {
		return s
	}
	s = strings.ToUpper(s[:1]) + s[1:]
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

// deceptive points at the first character of a name that is not ASCII.
func deceptive(name string) string {
	for i, r := range name {
		if r > 127 {
			return fmt.Sprintf(" Character %d is %U, which only looks like another one.", len([]rune(name[:i]))+1, r)
		}
	}
	return ""
}

// sortedAttributes are a body's attributes in the order in which they stand.
func sortedAttributes(body *hclsyntax.Body) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(body.Attributes), func(a, b *hclsyntax.Attribute) int {
		return a.SrcRange.Start.Byte - b.SrcRange.Start.Byte
	})
}
