package view

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine"
	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/diag"
)

// Tests shows what came of a workspace's tests: what failed in full, the rest
// as a line each.
func (v *View) Tests(outcomes []engine.TestOutcome) {
	failed := 0
	for _, o := range outcomes {
		if o.Faults.HasErrors() {
			failed++
		}
	}
	if v.JSON {
		v.document(map[string]any{"format_version": "1.0", "passed": failed == 0, "tests": testDocuments(outcomes)})
		return
	}
	st := v.out()
	for _, o := range outcomes {
		word := st.green("pass")
		if o.Faults.HasErrors() {
			word = st.red("fail")
		}
		v.Text(fmt.Sprintf("%s %s %s\n", word, safe(o.File), safe(o.Name)))
		for _, d := range o.Faults {
			writeDiagnostic(v.term.Out, st, d)
		}
	}
	v.Text(fmt.Sprintf("%d passed, %d failed\n", len(outcomes)-failed, failed))
}

type testDocument struct {
	File        string           `json:"file"`
	Name        string           `json:"name"`
	Passed      bool             `json:"passed"`
	Seconds     float64          `json:"seconds"`
	Diagnostics diag.Diagnostics `json:"diagnostics"`
}

func testDocuments(outcomes []engine.TestOutcome) []testDocument {
	out := []testDocument{}
	for _, o := range outcomes {
		d := testDocument{File: o.File, Name: o.Name, Passed: !o.Faults.HasErrors(), Seconds: o.Took.Seconds(), Diagnostics: o.Faults}
		if d.Diagnostics == nil {
			d.Diagnostics = diag.Diagnostics{}
		}
		out = append(out, d)
	}
	return out
}

// JUnit is the outcomes as CI systems read them: a suite per file.
func JUnit(outcomes []engine.TestOutcome) ([]byte, error) {
	type failure struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
	type testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr"`
		Failure *failure `xml:"failure,omitempty"`
	}
	type suite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	var doc struct {
		XMLName xml.Name `xml:"testsuites"`
		Suites  []*suite `xml:"testsuite"`
	}
	for _, o := range outcomes {
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != o.File {
			doc.Suites = append(doc.Suites, &suite{Name: o.File})
		}
		s := doc.Suites[len(doc.Suites)-1]
		c := testCase{Class: o.File, Name: o.Name, Time: fmt.Sprintf("%.3f", o.Took.Seconds())}
		s.Tests++
		if o.Faults.HasErrors() {
			s.Failures++
			var text strings.Builder
			for _, d := range o.Faults {
				writeDiagnostic(&text, style{}, d)
			}
			c.Failure = &failure{Message: addrs.Visible(o.Faults[0].Summary), Text: text.String()}
		}
		s.Cases = append(s.Cases, c)
	}
	var b bytes.Buffer
	b.WriteString(xml.Header)
	enc := xml.NewEncoder(&b)
	enc.Indent("", "  ")
	if err := enc.Encode(doc); err != nil {
		return nil, err
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}
