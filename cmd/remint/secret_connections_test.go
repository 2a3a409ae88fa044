//go:build linux && !race

package main

import (
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/remint-dev/remint/internal/pgtest"
)

// TestSecretsOfConnections: a server that takes no password, refuses connections or
// has no usable address, as the target and as the state, before a reset has begun and
// in its middle. The address, with a password in it, is in no error.
func TestSecretsOfConnections(t *testing.T) {
	total := newLeaks()
	v := newVault(t)
	w := v.worlds(t)[0]
	template := canaryTemplate(t, w)
	t.Run("all", func(t *testing.T) {
		for variable, s := range map[string]*pgtest.Server{"admin_url": v.target, "state_url": v.state} {
			for name, host := range map[string]string{
				"wrong password": net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), "refused": "127.0.0.1:1", "malformed": "[::1", "no port": "127.0.0.1:none",
			} {
				t.Run(variable+"/"+name, func(t *testing.T) {
					t.Parallel()
					c := v.newCase(t, w, dress{shared: true}, template, "scheduled")
					const wrong = "canary/wrong+4716"
					c.learn(t, "the wrong password", wrong, environ)
					c.unconnected(t, total, "REMINT_VAR_"+variable+"=postgres://postgres:"+strings.ReplaceAll(wrong, "/", "%2F")+"@"+host+"/postgres")
				})
			}
		}
	})
	v.after(t, total)
	total.report(t, "of connections that fail")
}

// unconnected is a reset that cannot be begun, and one that cannot go on.
func (c *secretCase) unconnected(t *testing.T, l *leaks, wrong string) {
	t.Helper()
	c.remint(t, nil, "plan", "-all", "-out=a.plan")
	if code := c.remint(t, []string{wrong}, "apply", "-json", "-auto-approve", "a.plan"); code == 0 {
		t.Errorf("nothing failed\n%s", c.trail.String())
	}
	c.remint(t, []string{"REMINT_TEST_BREAK=" + killAfter + " provider.Set#1"}, "apply", "-auto-approve", "a.plan")
	for _, args := range [][]string{
		{"validate"}, {"plan", "-all"}, {"resume"}, {"resume", "-json"}, {"status"}, {"runs"}, {"approvals", "a.plan"},
		{"recover", "-out=" + recovered, "credential.postgresql_role.x"}, {"evidence", "verify"},
	} {
		c.remint(t, []string{wrong}, args...)
	}
	c.remint(t, nil, "resume")
	c.learnStored(t)
	c.learnKeys(t)
	c.learnSeen(t)
	found := l.search(c.known, c.places(t))
	l.count(c, found, c.reached([]string{"REMINT_TEST_BREAK="}, nil))
	if len(found) > 0 {
		t.Errorf("%s\n%s", strings.Join(found, "\n"), c.trail.String())
	}
}
