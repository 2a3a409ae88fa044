package policy

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Parameter is a value that rules read as data.parameters.NAME.
type Parameter struct {
	Name  string `json:"name"`
	Group string `json:"group"`
	// Type is one of provider's attribute types: number, string, bool, duration, list(string).
	Type    string `json:"type"`
	Default any    `json:"default"`
	Min     int64  `json:"min"`
	Max     int64  `json:"max"`
	// OneOf are the only strings that it may be, or that may stand in its list.
	OneOf []string `json:"one_of"`
	// Form is what each string of a list must look like; "" for any. What rules could not
	// read would switch them off, and nobody would notice.
	Form Form `json:"form"`
	// NotEmpty lists name what rules are about: with none of them no rule would hold.
	NotEmpty    bool   `json:"not_empty"`
	Description string `json:"description"`
}

// Form is what a string means to the rules that read it.
type Form string

// The forms.
const (
	// TypeName is the name of a credential type; who knows them compares it.
	TypeName Form = "credential_type"
	// Label is KEY=VALUE, as a credential's labels have it.
	Label Form = "label"
	// Claim is NAME=VALUE of a token.
	Claim Form = "claim"
	// Window is FROM/TO, times of RFC 3339.
	Window Form = "window"
)

// forms find fault with a string, in the second half of a sentence about it.
var forms = map[Form]func(string) error{"": anything, TypeName: anything, Label: isLabel, Claim: isClaim, Window: isWindow}

func anything(string) error { return nil }

// Check finds fault with a value of the parameter's type; the error is the second half
// of a sentence that begins with the parameter.
func (p Parameter) Check(v any) error {
	list, ok := v.([]string)
	if !ok {
		return nil
	}
	if p.NotEmpty && len(list) == 0 {
		return errors.New("must not be empty: rules about what it names would never hold. Leave it out for what the library says")
	}
	for _, s := range list {
		if err := forms[p.Form](s); err != nil {
			return fmt.Errorf("has the entry %q, which %w", s, err)
		}
	}
	return nil
}

func isLabel(s string) error {
	return equation(s, "KEY", strings.Count(s, "=") == 1)
}

func isClaim(s string) error {
	return equation(s, "NAME", true)
}

// equation is two words with an equals sign between them; else says whether the rest is well.
func equation(s, name string, well bool) error {
	key, value, _ := strings.Cut(s, "=")
	blank := strings.TrimSpace(key) != key || strings.TrimSpace(value) != value
	switch {
	case key == "" || value == "" || !well:
		return fmt.Errorf("must be %s=VALUE, as in %q", name, map[string]string{"KEY": "tier=0", "NAME": "repository=acme/infra"}[name])
	case blank:
		return fmt.Errorf("must be %s=VALUE without spaces around either of them", name)
	}
	return nil
}

// isWindow takes what rules can read: they count nanoseconds since 1970.
func isWindow(s string) error {
	const form = `must be FROM/TO, as in "2026-12-24T00:00:00Z/2026-12-27T00:00:00Z"`
	from, to, ok := strings.Cut(s, "/")
	if !ok {
		return errors.New(form)
	}
	var at [2]time.Time
	for i, written := range []string{from, to} {
		t, err := time.Parse(time.RFC3339, written)
		switch {
		case err != nil:
			return fmt.Errorf("%s: %q is no time of RFC 3339", form, written)
		case !time.Unix(0, t.UnixNano()).Equal(t):
			return fmt.Errorf("%s: policies know times from 1678 to 2262, and %q is none of these", form, written)
		}
		at[i] = t
	}
	if !at[0].Before(at[1]) {
		return errors.New("must end after it begins: write the earlier time first, or no time is in it")
	}
	return nil
}
