package policies

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/policy"
)

// enforced are the rules of the whole library by the controls that they name.
func enforced(t *testing.T) map[string][]string {
	t.Helper()
	l := library(t)
	rules, diags := policy.Rules(source(t, l, names(l), nil))
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	by := map[string][]string{}
	for _, r := range rules {
		for i, c := range r.Controls {
			if slices.Contains(r.Controls[:i], c) {
				t.Errorf("%s names %q twice", r.ID, c)
			}
			by[c] = append(by[c], r.ID)
		}
	}
	return by
}

// Every control that a rule names is in a catalogue, and every control of a
// catalogue is served by a rule or says what keeps it from being.
func TestCoverage(t *testing.T) {
	catalogues, err := Catalogues()
	if err != nil || len(catalogues) == 0 {
		t.Fatal(len(catalogues), err)
	}
	by := enforced(t)
	known := map[string]bool{}
	for _, c := range catalogues {
		if c.Framework == "" || c.Title == "" || c.Edition == "" || c.Scope == "" || !regexp.MustCompile(`^https://\S+$`).MatchString(c.Source) || len(c.Controls) == 0 {
			t.Errorf("%q lacks its framework, title, source, edition, scope or controls", c.Framework)
		}
		for _, one := range c.Controls {
			name := c.Name(one)
			if known[name] || one.ID == "" || one.Title == "" {
				t.Errorf("%q stands there twice, or has no title", name)
			}
			known[name] = true
			if len(by[name]) == 0 && one.NotCovered == "" {
				t.Errorf("no rule names %q, and the catalogue does not say why", name)
			}
		}
	}
	if len(by) == 0 {
		t.Error("no rule names a control")
	}
	for name, rules := range by {
		if !known[name] {
			t.Errorf("%v name %q, which no catalogue has", rules, name)
		}
	}
}

// A rule that is off says which parameter switches it on: one of its group's, which
// it reads. Whoever reads the page would else take it for enforced.
func TestSwitches(t *testing.T) {
	l := library(t)
	src := source(t, l, names(l), nil)
	rules, diags := policy.Rules(src)
	if diags.HasErrors() {
		t.Fatal(diags.Err())
	}
	off := 0
	for _, r := range rules {
		if r.OffUnless == "" {
			continue
		}
		off++
		if !slices.ContainsFunc(l.Parameters, func(p policy.Parameter) bool { return p.Name == r.OffUnless && p.Group == r.Folder }) {
			t.Errorf("%s: %s is no parameter of %s", r.ID, r.OffUnless, r.Folder)
		}
		if !reads(t, src, r) {
			t.Errorf("%s does not read %s", r.ID, r.OffUnless)
		}
	}
	if off == 0 {
		t.Error("no rule is off")
	}
}

// reads says whether the text of a rule has the parameter that switches it on.
func reads(t *testing.T, src policy.Source, r policy.RuleDoc) bool {
	t.Helper()
	found := false
	err := fs.WalkDir(src.FS, r.Folder, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := fs.ReadFile(src.FS, name)
		_, rule, ok := strings.Cut(string(raw), "#   id: "+r.ID+"\n")
		if ok {
			rule, _, _ = strings.Cut(rule, "\n# METADATA\n")
			found = found || regexp.MustCompile(`\bparameters\.`+r.OffUnless+`\b`).MatchString(rule)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// What the catalogues promise to hold whole is there whole.
func TestCataloguesAreWhole(t *testing.T) {
	catalogues, err := Catalogues()
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for _, c := range catalogues {
		for _, one := range c.Controls {
			has[c.Name(one)] = true
			for _, was := range one.Also {
				has[was] = true
			}
		}
	}
	wanted := []string{
		"OWASP NHI1:2025", "OWASP NHI2:2025", "OWASP NHI3:2025", "OWASP NHI4:2025", "OWASP NHI5:2025",
		"OWASP NHI6:2025", "OWASP NHI7:2025", "OWASP NHI8:2025", "OWASP NHI9:2025", "OWASP NHI10:2025",
		"NIST CSF 2.0 PR.AA-01", "NIST CSF 2.0 PR.AA-02", "NIST CSF 2.0 PR.AA-03", "NIST CSF 2.0 PR.AA-04", "NIST CSF 2.0 PR.AA-05", "NIST CSF 2.0 PR.AA-06",
		"NIST CSF 1.1 PR.AC-1", "NIST CSF 1.1 PR.AC-2", "NIST CSF 1.1 PR.AC-3", "NIST CSF 1.1 PR.AC-4", "NIST CSF 1.1 PR.AC-5", "NIST CSF 1.1 PR.AC-6", "NIST CSF 1.1 PR.AC-7",
		"NIST SP 800-207 tenet 1", "NIST SP 800-207 tenet 2", "NIST SP 800-207 tenet 3", "NIST SP 800-207 tenet 4", "NIST SP 800-207 tenet 5", "NIST SP 800-207 tenet 6", "NIST SP 800-207 tenet 7",
		"PCI DSS 4.0.1 8.2.1", "PCI DSS 4.0.1 8.2.2", "PCI DSS 4.0.1 8.2.3", "PCI DSS 4.0.1 8.2.4", "PCI DSS 4.0.1 8.2.5", "PCI DSS 4.0.1 8.2.6", "PCI DSS 4.0.1 8.2.7", "PCI DSS 4.0.1 8.2.8",
		"PCI DSS 4.0.1 8.3.1", "PCI DSS 4.0.1 8.3.2", "PCI DSS 4.0.1 8.3.3", "PCI DSS 4.0.1 8.3.4", "PCI DSS 4.0.1 8.3.5", "PCI DSS 4.0.1 8.3.6", "PCI DSS 4.0.1 8.3.7", "PCI DSS 4.0.1 8.3.8",
		"PCI DSS 4.0.1 8.3.9", "PCI DSS 4.0.1 8.3.10", "PCI DSS 4.0.1 8.3.10.1", "PCI DSS 4.0.1 8.3.11",
		"PCI DSS 4.0.1 8.4.1", "PCI DSS 4.0.1 8.4.2", "PCI DSS 4.0.1 8.4.3", "PCI DSS 4.0.1 8.5.1", "PCI DSS 4.0.1 8.6.1", "PCI DSS 4.0.1 8.6.2", "PCI DSS 4.0.1 8.6.3",
	}
	for _, name := range wanted {
		if !has[name] {
			t.Errorf("%s is missing", name)
		}
	}
}
