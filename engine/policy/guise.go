package policy

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast/location"
)

// What a guise may be at most; beyond that it is anything.
const (
	maxAlternatives = 256
	maxGuiseDepth   = 12
)

// guise is what is known of a value: the alternatives of which it is one. Of none at
// all is what is never there. OPA's types know neither which texts there are, nor what
// one call of a function gives, nor what a stage has.
type guise struct {
	key string     // two of one key are the same
	of  []*variant // by key
}

// nature says what an alternative is.
type nature byte

const (
	isAnything nature = iota
	isPlain           // a number, a boolean, null
	isText            // a string, of which no more is known
	isWord            // one of those that its schema lists
	isLiteral         // this very string
	isObject
	isList
	isSet
	isMissing // in this stage
)

// variant is an alternative of a guise.
type variant struct {
	is    nature
	key   string
	depth int
	// words are those that a word is one of; text and at are a literal's, and where it stands.
	words *words
	text  string
	at    *location.Location
	// spare is a literal for want of another value: it may well be none of the words
	// that it is compared with.
	spare bool
	// members are an object's, and rest what it has under other keys; nil where there are
	// no others. keys is what its keys are.
	members map[string]*guise
	rest    *guise
	keys    *guise
	// elems are a list's by position, elem what the others are, or a set's.
	elems []*guise
	elem  *guise
	// lacking is the stage that has no such member.
	lacking Stage
}

// words is a vocabulary. of says whose, as `input.reason`.
type words struct {
	of      string
	list    []string
	members bool // of an object's names
}

func guiseOf(x *variant) *guise { return &guise{key: x.key, of: []*variant{x}} }

// The guises that have no parts.
var (
	absentValue = &guise{}
	unknown     = guiseOf(&variant{is: isAnything, key: "any"})
	scalar      = guiseOf(&variant{is: isPlain, key: "plain"})
	someText    = guiseOf(&variant{is: isText, key: "text"})
)

func literalOf(s string, at *location.Location) *guise {
	return guiseOf(&variant{is: isLiteral, text: s, at: at, key: fmt.Sprintf("%q@%s:%d:%d", s, at.File, at.Row, at.Col)})
}

func wordOf(w *words) *guise { return guiseOf(&variant{is: isWord, words: w, key: "word:" + w.of}) }

// composed finishes an alternative that has parts; its key is made of theirs.
func composed(x *variant, key string, parts ...*guise) *guise {
	for _, p := range parts {
		if p != nil {
			for _, alternative := range p.of {
				x.depth = max(x.depth, alternative.depth+1)
			}
		}
	}
	if x.depth > maxGuiseDepth {
		return unknown
	}
	if x.key = key; len(key) > 200 {
		x.key = fmt.Sprintf("#%x", sha256.Sum256([]byte(key)))
	}
	return guiseOf(x)
}

func keyOf(s *guise) string {
	if s == nil {
		return "-"
	}
	return s.key
}

func listOf(elems []*guise, elem *guise) *guise {
	var key strings.Builder
	for _, e := range elems {
		key.WriteString(e.key + ",")
	}
	return composed(&variant{is: isList, elems: elems, elem: elem}, "["+key.String()+keyOf(elem)+"]", append(slices.Clone(elems), elem)...)
}

func setOf(elem *guise) *guise {
	return composed(&variant{is: isSet, elem: elem}, "{"+elem.key+"}", elem)
}

func objectOf(members map[string]*guise, rest, keys *guise) *guise {
	var key strings.Builder
	parts := []*guise{rest, keys}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		fmt.Fprintf(&key, "%q:%s,", name, members[name].key)
		parts = append(parts, members[name])
	}
	return composed(&variant{is: isObject, members: members, rest: rest, keys: keys}, "{"+key.String()+keyOf(rest)+"|"+keyOf(keys)+"}", parts...)
}

// unite is what is one of several.
func unite(shapes ...*guise) *guise {
	var all []*variant
	last := absentValue
	parts := 0
	for _, s := range shapes {
		if s == nil || len(s.of) == 0 || s.key == last.key && parts > 0 {
			continue
		}
		last = s
		parts++
		all = append(all, s.of...)
	}
	if parts == 1 {
		return last
	}
	slices.SortFunc(all, func(a, b *variant) int { return cmp.Compare(a.key, b.key) })
	all = slices.CompactFunc(all, func(a, b *variant) bool { return a.key == b.key })
	if len(all) > maxAlternatives || slices.ContainsFunc(all, func(x *variant) bool { return x.is == isAnything }) {
		return unknown
	}
	var key strings.Builder
	for _, x := range all {
		key.WriteString(x.key + ";")
	}
	out := &guise{key: key.String(), of: all}
	if len(out.key) > 200 {
		out.key = fmt.Sprintf("#%x", sha256.Sum256([]byte(out.key)))
	}
	return out
}

// never is the stage in which s is not there, "" for what may be.
func (s *guise) never() Stage {
	if len(s.of) == 1 {
		return s.of[0].lacking
	}
	return ""
}

// spare is s with literals that stand for want of another value.
func (s *guise) spare() *guise {
	if !slices.ContainsFunc(s.of, func(x *variant) bool { return x.is == isLiteral }) {
		return s
	}
	return s.each(func(x *variant) *guise {
		if x.is != isLiteral {
			return guiseOf(x)
		}
		out := *x
		out.spare, out.key = true, "spare"+x.key
		return guiseOf(&out)
	})
}

// each unites what f says of the alternatives.
func (s *guise) each(f func(x *variant) *guise) *guise {
	parts := make([]*guise, 0, len(s.of))
	for _, x := range s.of {
		parts = append(parts, f(x))
	}
	return unite(parts...)
}

// open holds for what may be any string.
func (s *guise) open() bool {
	return slices.ContainsFunc(s.of, func(x *variant) bool { return x.is == isAnything || x.is == isText })
}

// mayBe holds for what may be this string.
func (s *guise) mayBe(name string) bool {
	return slices.ContainsFunc(s.of, func(x *variant) bool {
		switch x.is {
		case isAnything, isText:
			return true
		case isWord:
			return slices.Contains(x.words.list, name)
		}
		return x.is == isLiteral && x.text == name
	})
}

// under is what keys a value has, and values what stands under them.
func (s *guise) under() *guise {
	return s.each(func(x *variant) *guise {
		switch x.is {
		case isAnything:
			return unknown
		case isList:
			return scalar
		case isSet:
			return x.elem
		case isObject:
			return x.keys
		}
		return nil
	})
}

func (s *guise) values() *guise {
	return s.each(func(x *variant) *guise {
		switch x.is {
		case isAnything:
			return unknown
		case isList, isSet:
			return unite(append(slices.Clone(x.elems), x.elem)...)
		case isObject:
			parts := []*guise{x.rest}
			for _, name := range slices.Sorted(maps.Keys(x.members)) {
				if m := x.members[name]; m.never() == "" {
					parts = append(parts, m)
				}
			}
			return unite(parts...)
		}
		return nil
	})
}

// position is what a list has there.
func (s *guise) position(i int) *guise {
	return s.each(func(x *variant) *guise {
		switch {
		case x.is == isAnything:
			return unknown
		case x.is == isList && i >= 0 && i < len(x.elems):
			return x.elems[i]
		case x.is == isList:
			return x.elem
		}
		return nil
	})
}

// member is what stands under a name, and which stage never has that.
func (s *guise) member(name string) (at *guise, never Stage) {
	var parts []*guise
	for _, x := range s.of {
		switch {
		case x.is == isAnything:
			parts = append(parts, unknown)
		case x.is != isObject:
		case x.members[name] == nil:
			parts = append(parts, x.rest)
		case x.members[name].never() != "":
			never = x.members[name].never()
		default:
			parts = append(parts, x.members[name])
		}
	}
	return unite(parts...), never
}
