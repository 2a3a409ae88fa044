package x509_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/providertest"
	remintx509 "github.com/remint-dev/remint/providers/x509"
)

func TestConformance(t *testing.T) {
	providertest.Run(t, providertest.Harness{
		Definition: remintx509.New(), Type: "x509_certificate",
		Setup: func(t *testing.T) providertest.Fixture {
			c := newCA(t)
			p := c.open(t, nil)
			other := credential("other.internal", nil)
			_, version := mint(t, p, other, "other")
			mint(t, p, other, "other, alive")
			revoke(t, p, other, version, "abcdef0123")
			api := credential("api.internal", nil)
			current, _ := mint(t, p, api, "first")
			gone := c
			gone.cert = filepath.Join(t.TempDir(), "gone", "ca.pem")
			return providertest.Fixture{
				Block:       provider.Block{Name: "test", Attrs: c.attrs(nil)},
				Unreachable: provider.Block{Name: "gone", Attrs: gone.attrs(nil)},
				Credential:  api,
				Absent:      credential("nobody.internal", nil),
				Current:     current,
				Login:       c.accepts,
				Unmade: func(t *testing.T) {
					for _, file := range []string{c.crl, c.index} {
						if err := os.Remove(file); err != nil {
							t.Fatal(err)
						}
					}
				},
				Others: func(t *testing.T) string {
					var out strings.Builder
					out.WriteString(read(t, c.cert) + read(t, c.key))
					for l := range strings.Lines(read(t, c.index)) {
						if strings.Contains(l, "other.internal") {
							out.WriteString(l)
						}
					}
					crl := c.crlText(t)
					for _, id := range []string{version, "abcdef0123"} {
						_, after, found := strings.Cut(crl, "Serial Number: "+strings.ToUpper(id)+"\n")
						if !found {
							t.Errorf("%s is no longer on the list", id)
						}
						date, _, _ := strings.Cut(after, "\n")
						out.WriteString(id + date)
					}
					return out.String()
				},
			}
		},
	})
}
