package policy

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Of a folder nothing is kept but what is read; of a signed bundle all that is signed. What
// is kept has the digest of what it was kept of.
func TestFiles(t *testing.T) {
	const tests = "package remint.plan_test\n\nimport data.remint.plan\n\ntest_a if count(plan.deny) == 0 with input as {\"ticket\": \"\"}\n"
	src := source(map[string]string{
		"a.rego": good, "sub/b.rego": "package helpers\r\n\r\nf(x) := x\r\n", "sub/a_test.rego": tests, "README.md": "token", ".env": "token",
		".git/config": "token", ".git/x.rego": "token", "sub/.cache/data.json": "token", ".hidden/.rego.swp": "token",
	})
	files, diags := Files(src)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	want := map[string]string{"a.rego": good, "sub/b.rego": "package helpers\n\nf(x) := x\n", "sub/a_test.rego": tests}
	if diff := cmp.Diff(want, files); diff != "" {
		t.Error(diff)
	}
	digest := func(src Source) string {
		t.Helper()
		set, diags := Compile(context.Background(), []Source{src})
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		defer set.Close()
		return set.Digest()
	}
	if now, kept := digest(src), digest(source(files)); now != kept {
		t.Errorf("the digest is %s, and of what is kept %s", now, kept)
	}
	if _, diags := Files(source(map[string]string{"a.rego": good, "data.json": "{}"})); !diags.HasErrors() {
		t.Error("what cannot be read was kept")
	}
	src.Revision = "1"
	if files, diags := Files(src); diags.HasErrors() || files[".env"] != "token" || len(files) != 9 {
		t.Errorf("of a signed bundle there are %d files, %v", len(files), diags.Err())
	}
}
