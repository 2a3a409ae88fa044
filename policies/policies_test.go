package policies

import (
	"context"
	"io/fs"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/policy"
)

// library is the folder as it stands, with its tests.
func library(t *testing.T) *policy.Library {
	t.Helper()
	l, err := policy.OpenLibrary(os.DirFS("."))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func names(l *policy.Library) []string {
	var out []string
	for _, g := range l.Groups {
		out = append(out, g.Name)
	}
	return out
}

func source(t *testing.T, l *policy.Library, groups []string, set map[string]any) policy.Source {
	t.Helper()
	src, err := l.Source("builtin", groups, set)
	if err != nil {
		t.Fatal(err)
	}
	return src
}

// Every Rego test passes; every rule holds in one of them, and in another it is asked
// about the very thing and does not.
func TestRego(t *testing.T) {
	l := library(t)
	report, diags := policy.Test(context.Background(), []policy.Source{source(t, l, names(l), nil)}, policy.Options{})
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	for _, r := range report.Tests {
		if r.Outcome != "pass" {
			t.Error(r, r.Range)
		}
	}
	rules := 0
	for _, r := range report.Rules {
		if r.Package == "parameters" { // they are mocked
			continue
		}
		rules++
		if !r.Covered || len(r.Missed) > 0 {
			t.Errorf("%v: no test makes %s.%s hold, lines %v", r.Range, r.Package, r.Name, r.Missed)
		}
		if !r.Spared {
			t.Errorf("%v: no test asks %s.%s (%s) about what it is about without its holding", r.Range, r.Package, r.Name, r.Title)
		}
	}
	if len(report.Tests) < rules || rules == 0 {
		t.Errorf("%d tests for %d rules", len(report.Tests), rules)
	}
}

// Every rule says what it is called, why it is there, what to do about it, how grave
// it is, and which controls it serves; and no two are called the same.
func TestRulesAreDescribed(t *testing.T) {
	rule := regexp.MustCompile(`(?m)((?:^#.*\n)*)^(deny|warn|require) contains `)
	wanted := []*regexp.Regexp{
		regexp.MustCompile(`^# METADATA\n`), regexp.MustCompile(`(?m)^# title: \S`), regexp.MustCompile(`(?m)^# description: \S`),
		regexp.MustCompile(`(?m)^#   severity: (low|medium|high|critical)$`), regexp.MustCompile(`(?m)^#   remedy: \S.*`), regexp.MustCompile(`(?m)^#   controls: \[.*\]$`),
	}
	id := regexp.MustCompile(`(?m)^#   id: ([a-z0-9_]+)$`)
	seen := map[string]bool{}
	err := fs.WalkDir(FS, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".rego") {
			return err
		}
		raw, err := fs.ReadFile(FS, name)
		for _, m := range rule.FindAllStringSubmatch(string(raw), -1) {
			for _, w := range wanted {
				if !w.MatchString(m[1]) {
					t.Errorf("%s: a %s rule lacks %v:\n%s", name, m[2], w, m[1])
				}
			}
			called := id.FindStringSubmatch(m[1])
			if called == nil || seen[called[1]] {
				t.Errorf("%s: a %s rule has no id of its own:\n%s", name, m[2], m[1])
				continue
			}
			seen[called[1]] = true
		}
		return err
	})
	if err != nil || len(seen) < 30 {
		t.Error(len(seen), err)
	}
}

// Each group compiles with nothing but those that are always asked beside it.
func TestGroupsAlone(t *testing.T) {
	embedded, err := policy.OpenLibrary(FS)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range names(embedded) {
		if _, diags := policy.Compile(context.Background(), []policy.Source{source(t, embedded, []string{g}, nil)}); diags.HasErrors() {
			t.Errorf("%s: %v", g, diags.Err())
		}
	}
}

// What is embedded is every module that is not a test.
func TestEmbedded(t *testing.T) {
	l := library(t)
	embedded, err := policy.OpenLibrary(FS)
	if err != nil {
		t.Fatal(err)
	}
	digest := func(l *policy.Library) string {
		set, diags := policy.Compile(context.Background(), []policy.Source{source(t, l, names(l), nil)})
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		return set.Digest()
	}
	if digest(embedded) != digest(l) {
		t.Error("a .rego file in this folder is not embedded")
	}
}

// A parameter that is set is part of the policy's digest: a plan made under
// other numbers is another plan.
func TestParametersAreDigested(t *testing.T) {
	l := library(t)
	digest := func(set map[string]any) string {
		compiled, diags := policy.Compile(context.Background(), []policy.Source{source(t, l, l.Defaults(), set)})
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		return compiled.Digest()
	}
	if digest(nil) == digest(map[string]any{"production_approvals": 2}) {
		t.Error("the digest does not depend on parameters")
	}
}

// Every parameter is read by a rule, and named after the group that it is of.
func TestParametersAreUsed(t *testing.T) {
	l := library(t)
	var rego strings.Builder
	_ = fs.WalkDir(FS, ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(name, ".rego") {
			b, _ := fs.ReadFile(FS, name)
			rego.Write(b)
		}
		return err
	})
	for _, p := range l.Parameters {
		if !strings.Contains(rego.String(), "parameters."+p.Name) {
			t.Errorf("no rule reads %s", p.Name)
		}
		if !slices.Contains(names(l), p.Group) || p.Group != "baseline" && !strings.HasPrefix(p.Name, p.Group+"_") {
			t.Errorf("%s is of the group %s", p.Name, p.Group)
		}
		if p.Description == "" || p.Default == nil {
			t.Errorf("%s has no description or no default", p.Name)
		}
	}
}
