package postgresql_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/pgtest"
)

// Probes take the URL's TLS settings, for the name of the place they go to.
func TestTLS(t *testing.T) {
	own := pgtest.New(t, pgtest.Options{TLS: true})
	c := connect(t, own.SuperURL())
	if _, err := c.Exec(context.Background(), "CREATE ROLE app LOGIN PASSWORD 'right'"); err != nil {
		t.Fatal(err)
	}
	url := func(host, query string) string {
		return fmt.Sprintf("postgres://postgres:%s@%s:%d/postgres?%s", own.SuperPassword, host, own.Port, query)
	}
	byName, byAddress := fmt.Sprintf("localhost:%d", own.Port), fmt.Sprintf("127.0.0.1:%d", own.Port)
	full := "sslmode=verify-full&channel_binding=require&sslrootcert=" + own.CAFile
	for what, c := range map[string]struct {
		url         string
		more        []string
		right       provider.Verdict
		wrong       provider.Verdict
		controlled  provider.Verdict
		unreachable bool
	}{
		"prefer":                   {url("127.0.0.1", ""), nil, provider.Accepted, provider.Refused, provider.Accepted, false},
		"allow":                    {url("127.0.0.1", "sslmode=allow"), nil, provider.Accepted, provider.Refused, provider.Accepted, false},
		"the certificate's name":   {url("localhost", full), nil, provider.Accepted, provider.Refused, provider.Accepted, false},
		"another name":             {url("127.0.0.1", full), nil, provider.Unclear, provider.Unclear, provider.Unclear, true},
		"another name to probe at": {url("localhost", full), []string{byAddress}, provider.Accepted, provider.Unclear, provider.Unclear, false},
		"the name to probe at":     {url("127.0.0.1", full), []string{byName}, provider.Accepted, provider.Unclear, provider.Unclear, true},
	} {
		t.Run(what, func(t *testing.T) {
			set := map[string]any{}
			if c.more != nil {
				set["probe_addresses"] = c.more
			}
			p := open(t, c.url, set)
			wantVerdict(t, p, "app", "right", c.right, "")
			before := strings.Count(own.Log(), `password authentication failed for user "app"`)
			wantVerdict(t, p, "app", "wrong", c.wrong, "")
			if n := strings.Count(own.Log(), `password authentication failed for user "app"`) - before; n > 1 {
				t.Errorf("the wrong password was tried %d times", n)
			}
			control, err := p.(provider.Controller).Control(context.Background(), credential("app"))
			if err != nil || control.Verdict != c.controlled {
				t.Errorf("Control: %+v, %v; want %s", control, err, c.controlled)
			}
			if _, err := p.Identity(context.Background()); (err != nil) != c.unreachable {
				t.Errorf("Identity: %v", err)
			}
		})
	}
}
