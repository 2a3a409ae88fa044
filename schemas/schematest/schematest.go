// Package schematest holds documents against the published schemas, for tests: the
// program that embeds those needs no validator.
package schematest

import (
	"bytes"
	"fmt"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/remint-dev/remint/schemas"
)

// Check holds a document against the schema of that name.
func Check(name string, document []byte) error {
	raw, err := schemas.FS.ReadFile(name + ".schema.json")
	if err != nil {
		return fmt.Errorf("there is no schema %s", name)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, doc); err != nil {
		return err
	}
	s, err := c.Compile(name)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(document))
	if err != nil {
		return err
	}
	return s.Validate(v)
}
