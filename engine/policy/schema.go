package policy

import (
	"encoding/json"
	"sync"

	"github.com/invopop/jsonschema"
	"github.com/open-policy-agent/opa/v1/ast"
)

// Schema is the JSON schema of Input, as schemas/policy-input.schema.json has
// it, and as Rego is checked against when it is compiled.
func Schema() *jsonschema.Schema {
	r := &jsonschema.Reflector{Mapper: Words, Anonymous: true, DoNotReference: true, ExpandedStruct: true}
	s := r.Reflect(&Input{})
	s.Title = "remint policy input " + InputVersion
	return s
}

// inputSchemas makes the type checker know `input`: a misspelt member would be
// undefined, and its rule would never hold.
var inputSchemas = sync.OnceValue(func() *ast.SchemaSet {
	b, err := json.Marshal(Schema())
	if err != nil {
		panic(err) // a struct of plain fields; the tests call it
	}
	var raw any
	if err := json.Unmarshal(b, &raw); err != nil {
		panic(err)
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, raw)
	return set
})
