package policy

import (
	"context"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/diag"
)

// Whoever declares what is another source's is told, here and in the other process,
// and for a test file; a package that is only called alike is fine.
func TestTakenPackages(t *testing.T) {
	for name, tc := range map[string]struct {
		file, pkg string
		refused   bool
	}{
		"a helper":           {"b.rego", "credentials", true},
		"a part of it":       {"b.rego", "credentials.more", true},
		"of more elements":   {"b.rego", "of.two", true},
		"in a test":          {"b_test.rego", "credentials", true},
		"called alike":       {"b.rego", "credentials_of_ours", false},
		"another place":      {"b.rego", "ours.credentials", false},
		"less elements":      {"b.rego", "of", false},
		"as one element":     {"b.rego", `of["two.three"]`, false},
		"a dot in its first": {"b.rego", `data["of.two"]`, false},
	} {
		t.Run(name, func(t *testing.T) {
			src := source(map[string]string{"a.rego": good, tc.file: "package " + tc.pkg + "\n\ntest_x if true\n"})
			src.Taken = []string{"credentials", "of.two"}
			set, diags := Compile(context.Background(), []Source{src})
			set.Close()
			if diff := cmp.Diff(diags, hereSays(t, src, anInput())); diff != "" {
				t.Errorf("judged in this process, it says something else:\n%s", diff)
			}
			if !tc.refused {
				if diags.HasErrors() {
					t.Error(diags.Err())
				}
				return
			}
			if set != nil || diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "built-in library's; declared here") || !strings.Contains(diags.Err().Error(), "b") {
				t.Errorf("exit %v: %v", diags.Exit(), diags.Err())
			}
		})
	}
}

// The packages of the library are those that its modules declare outside of remint.
func TestLibraryPackages(t *testing.T) {
	l, err := OpenLibrary(os.DirFS("../../policies"))
	if err != nil {
		t.Fatal(err)
	}
	all := make([]string, len(l.Groups))
	for i, g := range l.Groups {
		all[i] = g.Name
	}
	src, err := l.Source("builtin", all, nil)
	if err != nil {
		t.Fatal(err)
	}
	f, diags := load(src)
	modules, more := f.parse(f.modules, capabilities(), func(string) {})
	if diags = append(diags, more...); diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	want := map[string]bool{}
	for _, m := range modules {
		if !inRemint(m) {
			want[packageName(m)] = true
		}
	}
	packages, err := l.Packages()
	got := map[string]bool{}
	for _, p := range packages {
		got[p] = true
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil || len(got) < 3 {
		t.Error(err, diff)
	}
}
