package policy

import (
	"slices"
	"sync"

	"github.com/invopop/jsonschema"
)

// inputGuises are what `input` is in each stage; under "" for what no stage leads to.
var inputGuises = sync.OnceValue(func() map[Stage]*guise {
	out := map[Stage]*guise{}
	schema := Schema()
	for _, stage := range append([]Stage{""}, stages...) {
		out[stage] = schemaGuise(schema, "input", stage)
	}
	return out
})

// schemaGuise is what a schema says. path is where it stands, as absent names it.
func schemaGuise(s *jsonschema.Schema, path string, stage Stage) *guise {
	switch {
	case len(s.Enum) > 0:
		w := &words{of: path}
		for _, v := range s.Enum {
			w.list = append(w.list, v.(string))
		}
		return wordOf(w)
	case s.Type == "string":
		return someText
	case s.Type == "integer", s.Type == "number", s.Type == "boolean":
		return scalar
	case s.Type == "array" && s.Items != nil:
		return listOf(nil, schemaGuise(s.Items, path+"[]", stage))
	case s.Type == "object" && s.Properties.Len() > 0:
		members, names := map[string]*guise{}, &words{of: path, members: true}
		for p := s.Properties.Oldest(); p != nil; p = p.Next() {
			at := path + "." + p.Key
			names.list = append(names.list, p.Key)
			if members[p.Key] = schemaGuise(p.Value, at, stage); slices.Contains(absent[stage], at[len("input."):]) {
				members[p.Key] = guiseOf(&variant{is: isMissing, key: "never:" + at, lacking: stage})
			}
		}
		return objectOf(members, nil, guiseOf(&variant{is: isWord, words: names, key: "members:" + path}))
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Type == "string":
		return objectOf(nil, someText, someText)
	case s.Type == "object":
		return objectOf(nil, unknown, unknown)
	}
	return unknown
}
