package trust_test

import (
	"encoding/json"
	"testing"

	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/engine/trust"
)

// What leaves with an export shows no address that is a secret, in whatever block.
func TestShareable(t *testing.T) {
	part := func(name string, value any) []trust.Part {
		return []trust.Part{{Key: "x.y", Attributes: map[string]any{"environment": "test", name: value}}}
	}
	for name, row := range map[string]struct {
		base trust.Base
		want bool
	}{
		"nothing":                     {trust.Base{}, true},
		"a webhook":                   {trust.Base{Notifiers: part("url", "https://hooks.example.com/services/T0/B0/x")}, false},
		"a ticket system":             {trust.Base{Verifiers: part("url", "https://tickets.example.com/{ticket}")}, false},
		"what is sensitive":           {trust.Base{Providers: part("url", secret.Redacted)}, true},
		"an issuer":                   {trust.Base{Verifiers: part("issuer", "https://token.actions.example.com/tenant")}, true},
		"credentials in an address":   {trust.Base{Providers: part("host", "https://bot:pw@ca.example.com")}, false},
		"a query":                     {trust.Base{Commands: part("command", []string{"/bin/post", "https://ci.example.com/?token=x"})}, false},
		"a command":                   {trust.Base{Commands: part("command", []string{"/bin/kill", "-HUP", "1"})}, true},
		"an identity with characters": {trust.Base{Providers: part("subject", "who?=a@b")}, true},
	} {
		t.Run(name, func(t *testing.T) {
			kept := row.base.Keep()
			var back trust.Base
			if err := json.Unmarshal(kept, &back); err != nil {
				t.Fatal(err)
			}
			if got, again := row.base.Shareable(), back.Shareable(); got != row.want || again != row.want {
				t.Errorf("shareable: %v, and %v as it was kept; want %v", got, again, row.want)
			}
		})
	}
}
