package provider

import (
	"fmt"
	"strconv"
	"strings"
)

// Account names what a credential of the type is at its target, by the Key
// attributes of the type: two of one type at one target whose accounts are equal are
// one credential, whatever their addresses. It compares as exactly as targets do, and
// reads as part of a sentence: role "app". known is false where a type has no Key, or
// the value of one is missing, or unknown as in offline plans.
func (t *CredentialType) Account(a Attrs) (account string, known bool) {
	var parts []string
	for _, k := range t.Schema.Attributes {
		if !k.Key {
			continue
		}
		v := a.values[k.Name]
		switch w := v.(type) {
		case nil, Unknown:
			return "", false
		case Path:
			v = w.Absolute
		}
		parts = append(parts, k.Name+" "+strconv.Quote(fmt.Sprint(v)))
	}
	return strings.Join(parts, ", "), len(parts) > 0
}
