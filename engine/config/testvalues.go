package config

import (
	"encoding/json"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// ctyOf turns documents into values for expressions.
func ctyOf(documents map[string]any) (map[string]cty.Value, error) {
	out := make(map[string]cty.Value, len(documents))
	for name, doc := range documents {
		raw, err := json.Marshal(doc)
		if err != nil {
			return nil, err
		}
		t, err := ctyjson.ImpliedType(raw)
		if err != nil {
			return nil, err
		}
		if out[name], err = ctyjson.Unmarshal(raw, t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func isBool(v cty.Value) bool { return v.Type() == cty.Bool && v.IsKnown() && !v.IsNull() }

func isString(v cty.Value) bool { return v.Type() == cty.String && v.IsKnown() && !v.IsNull() }

// shortJSON is the beginning of a value, on one line.
func shortJSON(v cty.Value) string {
	raw, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return kindOf(v)
	}
	s := string(raw)
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + "…"
	}
	return addrsVisible(s)
}
