package ssh

import (
	"bytes"
	"testing"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// FuzzEdit adds a key to any file and removes it again: what was there must
// still be there, byte for byte, but for an ending of the last line.
func FuzzEdit(f *testing.F) {
	m, err := generate("ed25519")
	if err != nil {
		f.Fatal(err)
	}
	other, err := generate("ed25519")
	if err != nil {
		f.Fatal(err)
	}
	keyText := m.Field("public_key").RevealString()
	for _, seed := range []string{
		"", "\n", "\r\n", "# only this", "a\n\nb\r\nc", keyText, "no-pty " + keyText, `command="a \" b,c" ` + keyText,
		"cert-authority " + keyText, keptPrefix + "no-pty for ci\n", "\xff\xfe\n", `"` + keyText, keyText[:40],
		other.Field("public_key").RevealString() + "\r\nx\r\n", "ssh-ed25519 AAAA ci remint:a%zz,2026\n",
	} {
		f.Add([]byte(seed))
	}
	key := mustKey(f, m)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parse(data)
		if err != nil {
			if bytes.IndexByte(data, 0) < 0 {
				t.Fatalf("refused without a NUL: %v", err)
			}
			return
		}
		if !bytes.Equal(doc.bytes(), data) {
			t.Fatal("parsing and joining changes the file")
		}
		if len(doc.with(ssh.FingerprintSHA256(key))) > 0 {
			return
		}
		doc.add(keyLine("no-pty", key, "ci", mark{label: "l"}))
		added := doc.bytes()
		again, err := parse(added)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(added, data) || len(again.with(ssh.FingerprintSHA256(key))) != 1 {
			t.Fatalf("the key is not listed once after the old content: %q", added)
		}
		again.remove(func(l line) bool { return l.key != nil && l.fingerprint == ssh.FingerprintSHA256(key) })
		left := again.bytes()
		if rest, ok := bytes.CutPrefix(left, data); !ok || len(bytes.Trim(rest, "\r\n")) > 0 {
			t.Fatalf("before %q, after %q", data, left)
		}
	})
}

// FuzzMark: what a line's comment says comes back, whatever the label.
func FuzzMark(f *testing.F) {
	f.Add("ci@example.com", "run/step#2")
	f.Add("two words", "a b,c%\n\u202e")
	f.Add("x remint:", "")
	f.Fuzz(func(t *testing.T, comment, label string) {
		if checkComment(comment) != nil {
			return
		}
		got, m := cutMark(comment + " " + mark{label: label}.String())
		if got != comment || m.label != label {
			t.Fatalf("%q, %q came back as %q, %q", comment, label, got, m.label)
		}
	})
}

// FuzzOptions: options that pass the check are read back from a line as the
// same options of the same key.
func FuzzOptions(f *testing.F) {
	m, err := generate("ed25519")
	if err != nil {
		f.Fatal(err)
	}
	key := mustKey(f, m)
	for _, s := range []string{"no-pty", `command="a b"`, `a="`, `from="x,y",b`, "ssh-ed25519", "a b", `\"`, ",", `"" `, `a"b"c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, options string) {
		if checkOptions(options) != nil {
			return
		}
		l := parseLine([]byte(keyLine(options, key, "ci", mark{}) + "\n"))
		if l.key == nil || l.fingerprint != ssh.FingerprintSHA256(key) || l.comment != "ci" {
			t.Fatalf("%q makes a line that reads otherwise: %+v", options, l)
		}
	})
}

func mustKey(f *testing.F, m secret.Material) ssh.PublicKey {
	f.Helper()
	key, err := publicKey(m)
	if err != nil {
		f.Fatal(err)
	}
	return key
}

func TestChecks(t *testing.T) {
	schema := New().Types[0].Schema
	for _, tc := range []struct {
		attr, value string
		ok          bool
	}{
		{"comment", "ci@example.com", true},
		{"comment", "two words", true},
		{"comment", "", false},
		{"comment", " ci", false},
		{"comment", "a\nssh-ed25519 AAAA", false},
		{"comment", "a\x00b", false},
		{"comment", "ci remint:l,2026-01-01T00:00:00Z", false},
		{"options", `no-pty,command="echo \"hi there\", you"`, true},
		{"options", `command="open`, false},
		{"options", "no-pty ssh-ed25519", false},
		{"options", "# no", false},
		{"options", "no-pty\n", false},
		{"options", "Cert-Authority", false},
		{"options", "", false},
	} {
		a, _ := schema.Find(tc.attr)
		if err := a.Check(tc.value); (err == nil) != tc.ok {
			t.Errorf("%s %q: %v", tc.attr, tc.value, err)
		}
	}
	block := New().Schema
	for attr, values := range map[string][]string{
		"host_key":      {"", "SHA256:short", "MD5:aa", "ssh-ed25519", "ssh-ed25519 AAAA"},
		"probe_address": {"", "host", ":22", "host:"},
		"probe_user":    {"", "a\nb"},
	} {
		a, _ := block.Find(attr)
		for _, v := range values {
			if a.Check(v) == nil {
				t.Errorf("%s %q passes", attr, v)
			}
		}
	}
}

var _ provider.Identifier = (*Provider)(nil)

// FuzzPin: whatever is declared as a server's host key, it is refused, or pins exactly one
// key by its whole fingerprint.
func FuzzPin(f *testing.F) {
	for _, s := range []string{
		"", "SHA256:", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU", "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=", "MD5:00:11",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl host", "ssh-ed25519 AAAA", "\x00",
		"no-pty ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parsePin(s)
		if err != nil {
			return
		}
		if len(p.fingerprint) != len("SHA256:")+43 || len(p.families) == 0 || len(p.families[0]) == 0 {
			t.Errorf("%q pins %+v", s, p)
		}
	})
}
