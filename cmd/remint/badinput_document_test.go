//go:build linux && !race

package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"os"
	"strings"
	"testing"
)

// damage is a way in which a document can be bad, whatever it is about.
type damage struct {
	name string
	do   func(t *testing.T, path string, good []byte)
}

func damages() []damage {
	text := func(change func(good []byte) []byte) func(*testing.T, string, []byte) {
		return func(t *testing.T, path string, good []byte) { must(t, os.WriteFile(path, change(good), 0o644)) }
	}
	return []damage{
		{"of 1 GB", func(t *testing.T, path string, _ []byte) { sparse(t, path, 1<<30) }},
		{"a device", func(t *testing.T, path string, _ []byte) { must(t, os.Symlink("/dev/zero", path)) }},
		{"a pipe", func(t *testing.T, path string, _ []byte) { fifo(t, path) }},
		{"150,000 deep", text(func([]byte) []byte { return bytes.Repeat([]byte(`{"a":`), 150_000) })},
		{"of NULs", text(func(good []byte) []byte { return make([]byte, len(good)) })},
		{"cut in two", text(func(good []byte) []byte { return good[:len(good)/2] })},
		{"with a lone carriage return", text(func(good []byte) []byte {
			at := bytes.IndexByte(good, '"') + 1 // in a text, where JSON has none
			return bytes.Join([][]byte{good[:at], good[at:]}, []byte("\r"))
		})},
		{"with a member twice", text(func(good []byte) []byte {
			at := bytes.IndexByte(good, '"')
			name := good[at : at+1+bytes.IndexByte(good[at:], ':')]
			return bytes.Join([][]byte{good[:at], name, []byte("{},"), good[at:]}, nil)
		})},
	}
}

// told is what comes of a damaged document.
type told struct {
	exit int
	says string
}

// document is one that people or other programs make, and that remint reads.
type document struct {
	name, path string
	args       []string
	// make gives a workspace in which a good one lies at the path, a pattern; by writes
	// a damaged one in other words, as a token is.
	make func(t *testing.T, b *bad)
	by   func(damaged []byte) []byte
	// told is what comes of every damage but those in which.
	told  told
	which map[string]told
	may   func(path string) bool
}

// badDocuments are documents of every kind in every way bad.
func badDocuments() []badRow {
	var rows []badRow
	for _, d := range documents() {
		for _, how := range damages() {
			is, ok := d.which[how.name]
			if !ok {
				is = d.told
			}
			row := badRow{
				name: d.name + ": " + how.name, args: d.args, exit: is.exit, says: is.says,
				make: func(t *testing.T, b *bad) {
					d.make(t, b)
					path := b.last(t, d.path)
					good, err := os.ReadFile(path)
					must(t, err)
					must(t, os.Remove(path))
					how.do(t, path, good)
					info, err := os.Stat(path)
					must(t, err)
					if d.by != nil && info.Mode().IsRegular() && info.Size() < 1<<20 {
						b.edit(t, path, d.by)
					}
				},
			}
			if is.exit != 1 { // what is denied or missing is on record
				row.may = d.may
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// unread is what comes of documents of which nothing is read.
func unread(says string) map[string]told {
	out := map[string]told{}
	for _, name := range []string{"of 1 GB", "a device", "a pipe"} {
		out[name] = told{1, says}
	}
	return out
}

const (
	office = `
approver "alice" {
  public_key = file("alice.pub")
  groups     = ["desk"]
}
override { groups = ["desk"] }
break_glass {
  group         = "desk"
  notify        = ["ciso@example.com"]
  max_targets   = 9
  review_within = "72h"
}
policy "house" {
  path        = "rules"
  enforcement = "overridable"
}
verifier "key" "carol" {
  identity   = "carol@example.com"
  public_key = file("carol.pub")
}
`
	denies  = "package remint.plan\n\n# METADATA\n# title: Not now\ndeny contains {\"id\": \"freeze\", \"msg\": \"not now\"}\n"
	wants   = "package remint.plan\n\n# METADATA\n# title: Who asks\nrequire contains {\"strength\": \"aal1\"}\n"
	plans   = `"$0" plan -all -reason=compromised -ticket=T -requester=carol -out=p.plan || [ $? = 3 ]; `
	told1   = "does not count"
	brought = "What is brought cannot be read"
)

// office makes the workspace one with people in it, whose plans are judged by the rules,
// and runs shell there.
func (b *bad) office(t *testing.T, rules, script string) {
	t.Helper()
	b.write(t, "office.remint.hcl", office)
	b.write(t, "rules/house.rego", rules)
	b.sh(t, `set -e; for n in alice carol; do openssl genpkey -algorithm ed25519 -out $n.pem 2>/dev/null; chmod 600 $n.pem; openssl pkey -in $n.pem -pubout -out $n.pub; done
"$0" trust accept -auto-approve; `+script)
}

// settings adds to the workspace's remint block.
func (b *bad) settings(t *testing.T, text string) {
	t.Helper()
	b.edit(t, b.path("main.remint.hcl"), func(old []byte) []byte {
		return []byte(strings.Replace(string(old), "remint {\n", "remint {\n"+text+"\n", 1))
	})
}

func documents() []document {
	apply := []string{"apply", "-auto-approve", "p.plan"}
	root := `{"mediaType":"application/vnd.dev.sigstore.trustedroot+json;version=0.1","certificateAuthorities":[]}`
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	jwks := fmt.Sprintf(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":%q}]}`, base64.RawURLEncoding.EncodeToString(key.Public().(ed25519.PublicKey)))
	oidc := func(t *testing.T, b *bad, text string) {
		b.write(t, "jwks.json", text)
		b.write(t, "oidc.remint.hcl", "verifier \"oidc\" \"corp\" {\n issuer = \"https://idp.example.com\"\n audience = \"remint\"\n jwks = file(\"jwks.json\")\n}\n")
	}
	return []document{
		{
			name: "an override", path: "p.plan.alice.override.json", args: apply, told: told{3, told1}, which: unread("An override cannot be read"), may: recorded,
			make: func(t *testing.T, b *bad) {
				b.office(t, denies, plans+`"$0" override -key=alice.pem -rule=freeze -reason=r -ticket=t p.plan`)
			},
		},
		{
			name: "a break-glass statement", path: "p.plan.alice.breakglass.json", args: []string{"apply", "-auto-approve", "-break-glass", "p.plan"},
			told: told{4, told1}, which: unread("A break-glass statement cannot be read"), may: recorded,
			make: func(t *testing.T, b *bad) {
				b.office(t, denies, plans+`"$0" break-glass -key=alice.pem -reason=r -ticket=t p.plan`)
			},
		},
		{
			name: "a verification", path: "p.plan.verification.json", args: apply, told: told{4, told1}, which: unread("A verification cannot be read"), may: recorded,
			make: func(t *testing.T, b *bad) { b.office(t, wants, plans+`"$0" verify -key=carol.pem p.plan`) },
		},
		{
			name: "an assertion", path: "doc", args: []string{"verify", "-verifier=webauthn.desk", "-webauthn=doc", "good.plan"},
			told: told{4, "this is no assertion"}, which: unread(brought),
			make: func(t *testing.T, b *bad) {
				b.write(t, "desk.remint.hcl", "verifier \"webauthn\" \"desk\" {\n rp_id = \"login.example.com\"\n origins = [\"https://login.example.com\"]\n credentials = \"[]\"\n}\n")
				b.write(t, "doc", `{"id":"AAAA","rawId":"AAAA","type":"public-key","response":{"authenticatorData":"AAAA","clientDataJSON":"AAAA","signature":"AAAA"}}`)
			},
		},
		{
			name: "an ID token", path: "doc", args: []string{"verify", "-verifier=oidc.corp", "-identity-token=doc", "good.plan"},
			told: told{4, "this is no ID token"}, which: unread(brought),
			make: func(t *testing.T, b *bad) {
				oidc(t, b, jwks)
				b.write(t, "doc", `{"iss":"https://idp.example.com","aud":"remint","sub":"carol","iat":1,"exp":1}`)
			},
			by: func(claims []byte) []byte { // under a good signature
				encode := base64.RawURLEncoding.EncodeToString
				signed := encode([]byte(`{"alg":"EdDSA","kid":"a"}`)) + "." + encode(claims)
				return []byte(signed + "." + encode(ed25519.Sign(key, []byte(signed))))
			},
		},
		{
			name: "a change of the trust base", path: "t.plan", args: []string{"trust", "accept", "-auto-approve", "t.plan"}, told: told{5, "is damaged or was altered"},
			which: map[string]told{
				"of 1 GB": {5, "more than 512 MB are not read"}, "a device": {1, "not a regular file"}, "a pipe": {1, "not a regular file"}, "of NULs": {5, "not a plan file"},
			},
			make: func(t *testing.T, b *bad) {
				b.office(t, wants, `echo '# more' >> rules/house.rego; "$0" trust propose -out=t.plan`)
			},
		},
		{
			name: "a decision", path: "decisions/*", args: apply, told: told{4, "The decisions cannot be read"}, may: recorded,
			make: func(t *testing.T, b *bad) {
				b.settings(t, `decisions "directory" { path = "decisions" }`)
				must(t, os.Mkdir(b.path("decisions"), 0o755))
				b.office(t, wants, plans+`"$0" approve -key=alice.pem p.plan; rm p.plan.*`)
			},
		},
		{
			name: "an issuer's keys", path: "jwks.json", args: []string{"validate"}, told: told{1, "must be a JSON Web Key Set"},
			which: map[string]told{
				"of 1 GB": {1, "more than 16 MB"}, "a device": {1, "must be inside the workspace"}, "a pipe": {1, "is not a regular file"}, "of NULs": {1, "is not UTF-8 text"},
			},
			make: func(t *testing.T, b *bad) { oidc(t, b, jwks) },
		},
		{
			name: "the workspace's trusted root", path: "root.json", args: []string{"validate"}, told: told{4, "it is no Sigstore trusted root"},
			which: map[string]told{
				"of 1 GB": {1, "more than 16 MB"}, "a device": {1, "must be inside the workspace"}, "a pipe": {1, "is not a regular file"}, "of NULs": {1, "is not UTF-8 text"},
			},
			make: func(t *testing.T, b *bad) {
				b.settings(t, `approvals { trusted_root = file("root.json") }`)
				b.write(t, "root.json", root)
			},
		},
		{
			name: "a trusted root", path: "root.json", args: []string{"evidence", "verify", "-trusted-root=root.json"}, told: told{1, "it is no Sigstore trusted root"},
			which: unread("The trusted root cannot be read"),
			make:  func(t *testing.T, b *bad) { b.write(t, "root.json", root) },
		},
	}
}
