package policy

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/remint-dev/remint/engine/plan"
)

// A list of controls is short, and one that is no list of strings is called that,
// however long it is.
func TestControlsAreFew(t *testing.T) {
	for _, tc := range []struct {
		n    int
		last *ast.Term
		want string
	}{
		{maxControls, nil, ""},
		{maxControls + 1, nil, fmt.Sprintf("controls has %d members; %d is the most", maxControls+1, maxControls)},
		{maxControls + 1, ast.IntNumberTerm(7), "it must be an array or set of strings"},
	} {
		var list []*ast.Term
		for i := range tc.n {
			list = append(list, ast.StringTerm(fmt.Sprintf("c%d", i)))
		}
		if tc.last != nil {
			list = append(list, tc.last)
		}
		out, err := members{"controls": ast.NewArray(list...)}.texts("controls")
		if tc.want == "" && (err != nil || len(out) != tc.n) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%d: %d, %v, want %q", tc.n, len(out), err, tc.want)
		}
	}
}

// What fits is not cut.
func TestClip(t *testing.T) {
	for n, want := range map[int]string{98: `"` + strings.Repeat("x", 98) + `"`, 99: `"` + strings.Repeat("x", 99) + "…"} {
		if got := clip(ast.String(strings.Repeat("x", n))); got != want {
			t.Errorf("%d: %s", n, got)
		}
	}
}

// Who is allowed something has the decision that allows it, for the evidence.
func TestAVerdictHasItsDecision(t *testing.T) {
	v, diags := compileAll(t, named("house", Mandatory, "package remint.plan\nwarn contains {\"id\": \"a\", \"msg\": \"m\"} if true\n")).Eval(context.Background(), anInput())
	if diags.HasErrors() || v.Judgement.ID == "" || v.Judgement.Result != plan.Allowed || v.Judgement.Stage != string(StagePlan) {
		t.Errorf("%+v, %v", v.Judgement, diags)
	}
}
