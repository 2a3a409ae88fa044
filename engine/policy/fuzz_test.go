package policy

import (
	"encoding/json"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"
)

// FuzzResult: whatever a policy gives as a member of its sets, it is read within
// its bounds or refused.
func FuzzResult(f *testing.F) {
	for _, seed := range []string{
		`{"id":"x","msg":"y"}`, `{"id":"x","msg":"y","address":"a","controls":["b","b"]}`, `{"approvals":2,"group":"g"}`, `{"strength":"aal2"}`,
		`{"approvals":1e3}`, `{"approvals":1.5}`, `{"approvals":-1,"strength":"none"}`, `[]`, `"x"`, `null`, `{"id":" ","msg":""}`, `{"id":{"a":[1]},"msg":true}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var x any
		if json.Unmarshal(b, &x) != nil {
			return
		}
		v, err := ast.InterfaceToValue(x)
		if err != nil {
			return
		}
		term := ast.NewTerm(v)
		if d, err := findingOf("deny", term); err == nil && (d.Rule == "" || d.Message == "" || len(d.Message) > maxMessage || d.Controls == nil) {
			t.Errorf("%s was read as %+v", b, d)
		}
		r, err := findingOf("require", term)
		if err == nil && (r.Approvals > 0) == (r.Strength != "") {
			t.Errorf("%s was read as %+v", b, r)
		}
	})
}
