package config

import (
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/zclconf/go-cty/cty"
)

// The bounds on evaluation. They are counts, not seconds, so that a workspace
// is refused on every machine or on none.
const (
	costEval   = 4        // of evaluating one expression
	costObject = 24       // of making one object: two maps
	costEach   = 3        // of one turn of a for expression, one step of a range: a scope, an addition
	costJSON   = 8        // of one part of JSON that is decoded
	baseUnits  = 4 << 20  // for a whole workspace
	whereUnits = 1 << 20  // for a selection
	unitsEach  = 2000     // more for every credential
	maxNodes   = 2 << 20  // of one value
	maxJSON    = 1 << 20  // of what JSON is decoded
	maxBytes   = 16 << 20 // of all text in one value
	maxStrings = 64 << 20 // of all text that expressions handle
)

var (
	errSpent  = errors.New("evaluating this workspace takes more steps than are allowed; make its for expressions smaller")
	errNodes  = fmt.Errorf("the value has more than %d parts", maxNodes)
	errBytes  = fmt.Errorf("the value has more than %d MB of text", maxBytes>>20)
	errText   = fmt.Errorf("the expressions of this workspace put together more than %d MB of text", maxStrings>>20)
	errNumber = errors.New("the number is out of range")
)

// budget bounds what evaluation may cost. It is safe for concurrent use.
type budget struct{ units, text atomic.Int64 }

func newBudget() *budget {
	b := &budget{}
	b.units.Store(baseUnits)
	b.text.Store(maxStrings)
	return b
}

// grant allows for n more credentials.
func (b *budget) grant(n int) {
	b.units.Add(int64(n) * unitsEach)
	b.text.Add(int64(n) * unitsEach)
}

func (b *budget) spend(n int) error {
	if b.units.Add(-int64(n)) < 0 {
		return errSpent
	}
	return nil
}

// charge spends what something is estimated to cost, or refuses it and spends nothing:
// it is not done then.
func (b *budget) charge(cost float64) error {
	if cost > float64(b.units.Load()) {
		return errSpent
	}
	return b.spend(int(cost))
}

// value charges for a value: for its text only, or for all of its parts.
func (b *budget) value(v cty.Value, deep bool) error {
	if !deep && (v.IsMarked() || v.Type() != cty.String) {
		if !v.IsMarked() {
			return nil
		}
		if u, _ := v.Unmark(); u.Type() != cty.String {
			return nil
		}
	}
	m, err := measure(v)
	if err != nil {
		return err
	}
	if b.text.Add(-int64(m.bytes)) < 0 {
		return errText
	}
	return b.spend(m.nodes)
}

// each charges cost for every element of a value.
func (b *budget) each(v cty.Value, cost int) error {
	v, _ = v.Unmark()
	if cost == 0 || !v.CanIterateElements() {
		return nil
	}
	return b.spend(v.LengthInt() * cost)
}

// size of a value.
type size struct{ nodes, bytes int }

// measure counts the parts and the text of values together, and refuses what
// is too large or holds a number out of range. It stops at the bound, so that
// a value whose parts are shared a million times costs no more.
func measure(values ...cty.Value) (size, error) {
	var m size
	for _, v := range values {
		if err := m.add(v); err != nil {
			return m, err
		}
	}
	return m, nil
}

func (m *size) add(v cty.Value) error {
	if m.nodes++; m.nodes > maxNodes {
		return errNodes
	}
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return nil
	}
	switch ty := v.Type(); {
	case ty == cty.String:
		if m.bytes += len(v.AsString()); m.bytes > maxBytes {
			return errBytes
		}
	case ty == cty.Number:
		if f := v.AsBigFloat(); f.IsInf() || f.Sign() != 0 && (f.MantExp(nil) > 1100 || f.MantExp(nil) < -1100) {
			return errNumber
		}
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if ty.IsMapType() || ty.IsObjectType() {
				m.bytes += len(k.AsString())
			}
			if err := m.add(e); err != nil {
				return err
			}
		}
	}
	return nil
}
