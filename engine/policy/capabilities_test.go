package policy

import (
	"bytes"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// What is printed can be read by OPA, and allows what policies may call and no more.
func TestCapabilitiesAreOPAs(t *testing.T) {
	caps, err := ast.LoadCapabilitiesJSON(bytes.NewReader(Capabilities()))
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, b := range caps.Builtins {
		has[b.Name] = true
	}
	if !has["startswith"] || has["http.send"] || has["print"] {
		t.Errorf("startswith %v, http.send %v, print %v", has["startswith"], has["http.send"], has["print"])
	}
}
