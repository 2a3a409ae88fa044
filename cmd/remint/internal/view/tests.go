package view

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine"
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

type junitFault struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

type junitCase struct {
	Class   string      `xml:"classname,attr"`
	Name    string      `xml:"name,attr"`
	Time    string      `xml:"time,attr"`
	Failure *junitFault `xml:"failure,omitempty"`
	Error   *junitFault `xml:"error,omitempty"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Errors   int         `xml:"errors,attr"`
	Cases    []junitCase `xml:"testcase"`
}

// JUnit is the outcomes as CI systems read them: a suite per file. Where faults kept
// the tests from being run, one suite says so, as an error. It ends in their pages: names are
// escaped as everywhere.
func JUnit(outcomes []engine.TestOutcome, faults diag.Diagnostics) ([]byte, error) {
	var doc struct {
		XMLName xml.Name      `xml:"testsuites"`
		Suites  []*junitSuite `xml:"testsuite"`
	}
	if faults.HasErrors() {
		const name = "remint test"
		doc.Suites = append(doc.Suites, &junitSuite{Name: name, Tests: 1, Errors: 1, Cases: []junitCase{{Class: name, Name: "what there is to run", Time: "0.000", Error: junitOf(faults)}}})
	}
	for _, o := range outcomes {
		file := safe(o.File)
		if n := len(doc.Suites); n == 0 || doc.Suites[n-1].Name != file {
			doc.Suites = append(doc.Suites, &junitSuite{Name: file})
		}
		s := doc.Suites[len(doc.Suites)-1]
		c := junitCase{Class: file, Name: safe(o.Name), Time: fmt.Sprintf("%.3f", o.Took.Seconds())}
		s.Tests++
		if o.Faults.HasErrors() {
			s.Failures++
			c.Failure = junitOf(o.Faults)
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

// junitOf are diagnostics, of which there are some, by the summary of the first error.
func junitOf(diags diag.Diagnostics) *junitFault {
	var text strings.Builder
	for _, d := range diags {
		writeDiagnostic(&text, style{}, d)
	}
	first := diags[max(0, slices.IndexFunc(diags, func(d diag.Diagnostic) bool { return d.Severity == diag.Error }))]
	return &junitFault{Message: safe(first.Summary), Text: text.String()}
}
