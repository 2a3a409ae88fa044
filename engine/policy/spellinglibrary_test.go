package policy_test

import (
	"context"
	"testing"

	"github.com/remint-dev/remint/engine/policy"
)

// What came with the program is not looked into each time that it starts, but here.
func TestLibraryHasNoMisspeltMember(t *testing.T) {
	src := builtin(t)
	src.Known = false
	set, diags := policy.Compile(context.Background(), []policy.Source{src})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	set.Close()
}
