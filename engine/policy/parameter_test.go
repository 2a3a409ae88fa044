package policy

import (
	"strings"
	"testing"
	"testing/fstest"
)

// What a rule could not read would switch it off.
func TestParameterForms(t *testing.T) {
	for _, row := range []struct {
		form Form
		s    string
		want string // of the error; none when empty
	}{
		{Label, "tier=0", ""},
		{Label, "tier", "must be KEY=VALUE"},
		{Label, "tier=", "must be KEY=VALUE"},
		{Label, "=0", "must be KEY=VALUE"},
		{Label, "tier==0", "must be KEY=VALUE"},
		{Label, "tier = 0", "without spaces"},
		{Label, "", "must be KEY=VALUE"},
		{Claim, "ref=refs/heads/main", ""},
		{Claim, "q=a=b", ""},
		{Claim, "sub", "must be NAME=VALUE"},
		{Claim, "sub=", "must be NAME=VALUE"},
		{Claim, "=repo", "must be NAME=VALUE"},
		{Claim, " sub=x", "without spaces"},
		{Window, "2026-12-24T00:00:00Z/2026-12-27T00:00:00Z", ""},
		{Window, "2026-12-24T00:00:00+01:00/2026-12-24T00:00:00Z", ""},
		{Window, "2026-12-27T00:00:00Z/2026-12-24T00:00:00Z", "must end after it begins"},
		{Window, "2026-12-24T01:00:00+01:00/2026-12-24T00:00:00Z", "must end after it begins"},
		{Window, "2026-12-24/2026-12-27", `"2026-12-24" is no time of RFC 3339`},
		{Window, "2026-12-24T00:00:00Z", "must be FROM/TO"},
		{Window, "2026-12-24T00:00:00Z/2026-12-27T00:00:00Z/2026-12-28T00:00:00Z", "is no time of RFC 3339"},
		{Window, "2026-12-24T00:00:00Z/9999-12-31T00:00:00Z", "1678 to 2262"},
		{"", "anything", ""},
		{TypeName, "anything", ""},
	} {
		t.Run(string(row.form)+" "+row.s, func(t *testing.T) {
			err := Parameter{Form: row.form}.Check([]string{row.s})
			if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
	if err := (Parameter{NotEmpty: true}).Check([]string{}); err == nil || !strings.Contains(err.Error(), "must not be empty") {
		t.Error(err)
	}
	if err := (Parameter{}).Check([]string{}); err != nil {
		t.Error(err)
	}
}

func TestLibraryOfAnUnknownForm(t *testing.T) {
	_, err := OpenLibrary(fstest.MapFS{libraryIndex: {Data: []byte(`{"parameters": [{"name": "p", "form": "labels"}]}`)}})
	if err == nil || !strings.Contains(err.Error(), `the parameter p has the form "labels"`) {
		t.Error(err)
	}
}
