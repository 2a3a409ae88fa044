package provider_test

import (
	"testing"

	"github.com/remint-dev/remint/engine/provider"
)

// What a credential is at its target, its Key attributes say and nothing else does.
func TestAccount(t *testing.T) {
	key := func(name string) provider.Attribute { return provider.Attribute{Name: name, Key: true} }
	for name, row := range map[string]struct {
		schema []provider.Attribute
		values map[string]any
		want   string
		known  bool
	}{
		"one":         {[]provider.Attribute{key("role"), {Name: "database"}}, map[string]any{"role": "app", "database": "d"}, `role "app"`, true},
		"case counts": {[]provider.Attribute{key("role")}, map[string]any{"role": "App"}, `role "App"`, true},
		"two":         {[]provider.Attribute{key("role"), key("host")}, map[string]any{"role": `a", host "h`, "host": "b"}, `role "a\", host \"h", host "b"`, true},
		"absent":      {[]provider.Attribute{key("role"), key("host")}, map[string]any{"role": "app"}, "", false},
		"a path":      {[]provider.Attribute{key("file")}, map[string]any{"file": provider.Path{Written: "f", Absolute: "/w/f"}}, `file "/w/f"`, true},
		"unknown":     {[]provider.Attribute{key("role")}, map[string]any{"role": provider.Unknown{}}, "", false},
		"no key":      {[]provider.Attribute{{Name: "role"}}, map[string]any{"role": "app"}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			typ := provider.CredentialType{Schema: provider.Schema{Attributes: row.schema}}
			if got, known := typ.Account(provider.NewAttrs(row.values)); got != row.want || known != row.known {
				t.Errorf("%q, %v", got, known)
			}
		})
	}
}
