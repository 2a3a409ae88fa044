package ssh_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	remintssh "github.com/remint-dev/remint/providers/ssh"
)

// nasty is a file of lines that must survive everything byte for byte.
func nasty(others ...string) string {
	return "# the team's keys\r\n\n   \t\n" +
		`command="echo \"a, b\" # c",from="10.0.0.0/8,192.0.2.*",no-pty ` + others[0] + " ci@example.com.evil\r\n" +
		"\t" + others[1] + " ci@example.com and more \n" +
		"this is not a key, ci@example.com\n" +
		"cert-authority " + others[2] + " ci@example.com\n" +
		"#" + others[0] + " ci@example.com\n"
}

func TestCutover(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"ed25519", "ecdsa-p256", "rsa-3072"} {
		t.Run(algorithm, func(t *testing.T) {
			d := startDaemon(t)
			old, next := generate(t, algorithm), generate(t, algorithm)
			before := nasty(publicLine(generate(t, "ed25519")), publicLine(generate(t, "ed25519")), publicLine(generate(t, "ed25519")))
			write(t, d.keys, before+`no-pty,environment="A=b c" `+publicLine(old)+" ci@example.com")
			p, c := open(t, d.block()), credential("ci@example.com")

			if got := probe(t, p, c, old); got.Verdict != provider.Accepted || got.Basis != lifecycle.Tested || got.Endpoint != d.address {
				t.Fatalf("old key before: %+v", got)
			}
			if got := probe(t, p, c, next); got.Verdict != provider.Refused || got.Basis != lifecycle.Tested {
				t.Fatalf("new key before: %+v", got)
			}
			m := provider.Mutation{Credential: c, Label: "run 1/ci, \u202e"}
			for range 2 { // twice equals once
				if _, err := p.(provider.Setter).Set(t.Context(), m, next); err != nil {
					t.Fatal(err)
				}
			}
			obs := inspect(t, p, c)
			newID, oldID := version(t, p, next), version(t, p, old)
			if len(obs.Versions) != 2 || obs.Versions[0].ID != newID || obs.Versions[0].Label != m.Label || obs.Versions[0].Created.IsZero() || obs.Versions[1].ID != oldID {
				t.Fatalf("versions: %+v", obs.Versions)
			}
			if !d.login(t, old) || !d.login(t, next) {
				t.Fatal("both keys must work while they overlap")
			}
			for range 2 {
				if _, err := p.(provider.Revoker).Revoke(t.Context(), m, []string{oldID}); err != nil {
					t.Fatal(err)
				}
			}
			if d.login(t, old) || !d.login(t, next) {
				t.Fatal("the old key must be dead and the new one alive")
			}
			if got := probe(t, p, c, old); got.Verdict != provider.Refused || got.Basis != lifecycle.Tested {
				t.Errorf("old key after: %+v", got)
			}
			if got := probe(t, p, c, next); got.Verdict != provider.Accepted {
				t.Errorf("new key after: %+v", got)
			}
			after := read(t, d.keys)
			rest, ok := strings.CutPrefix(after, before)
			if !ok || !strings.HasPrefix(rest, `no-pty,environment="A=b c" `+publicLine(next)+" ci@example.com remint:") || strings.Count(rest, "\n") != 1 {
				t.Errorf("file after:\n%s", after)
			}
		})
	}
}

// TestContainKeepsRestrictions: when the old key goes first, the new one must
// not be freer than the old one was.
func TestContainKeepsRestrictions(t *testing.T) {
	d := startDaemon(t)
	old, next, other := generate(t, "ed25519"), generate(t, "ed25519"), generate(t, "ed25519")
	restricted := `command="echo \"only this\"",no-pty ` // the command's own words come back
	write(t, d.keys, restricted+publicLine(old)+" ci\n"+publicLine(other)+" other\n")
	p, c := open(t, d.block()), credential("ci")
	m := provider.Mutation{Credential: c, Label: "l"}
	for range 2 {
		if _, err := p.(provider.Revoker).Revoke(t.Context(), m, nil); err != nil {
			t.Fatal(err)
		}
	}
	if d.login(t, old) || !d.login(t, other) {
		t.Fatal("the old key must be dead, the other alive")
	}
	if obs := inspect(t, p, c); obs.Exists || obs.Enabled || len(obs.Versions) != 0 {
		t.Errorf("after revoke: %+v", obs)
	}
	if _, err := p.(provider.Setter).Set(t.Context(), m, next); err != nil {
		t.Fatal(err)
	}
	out, err := d.ssh(t, next, "echo", "anything").Output()
	if err != nil || strings.TrimSpace(string(out)) != "only this" {
		t.Errorf("the new key runs %q, %v", out, err)
	}
	if got := read(t, d.keys); strings.Contains(got, "# remint") || !strings.HasPrefix(got, publicLine(other)+" other\n") {
		t.Errorf("file after:\n%s", got)
	}
	if _, err := p.(provider.Retirer).Retire(t.Context(), m, nil); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(publicLine(other)+" other\n", read(t, d.keys)); diff != "" {
		t.Errorf("retire leaves something:\n%s", diff)
	}
}

// A key that is named to Retire is dead under whatever comment it is listed, beside the
// lines of the credential; other keys, and a second time, change nothing.
func TestRetireRemovesTheKeysItNames(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	stored, listed, other := generate(t, "ed25519"), generate(t, "ed25519"), generate(t, "ed25519")
	c, keep := credential("ann@laptop"), publicLine(other)+" other\n"
	for name, tc := range map[string]struct{ file, detail string }{
		"under another comment": {publicLine(stored) + " ann@old-laptop\n" + keep, "1 line(s) removed, 1 of them the same key under another comment"},
		"under both":            {keep + publicLine(stored) + " ann@laptop\n" + publicLine(stored) + " ann@old-laptop\n", "2 line(s) removed, 1 of them the same key under another comment"},
		"beside the listed one": {publicLine(listed) + " ann@laptop\n" + keep + publicLine(stored) + "\n", "2 line(s) removed, 1 of them the same key under another comment"},
		"nowhere":               {publicLine(listed) + " ann@laptop\n" + keep, "1 line(s) removed"},
	} {
		write(t, d.keys, tc.file)
		p := open(t, d.block())
		for _, detail := range []string{tc.detail, "0 line(s) removed"} {
			got, err := p.(provider.Retirer).Retire(t.Context(), provider.Mutation{Credential: c, Label: "l"}, []string{version(t, p, stored)})
			if err != nil || got.Detail != detail || got.Version != "" {
				t.Errorf("%s: %+v, %v, want %q", name, got, err, detail)
			}
			if diff := cmp.Diff(keep, read(t, d.keys)); diff != "" {
				t.Errorf("%s: file after (-want +got):\n%s", name, diff)
			}
		}
		if d.login(t, stored) || d.login(t, listed) || !d.login(t, other) {
			t.Errorf("%s: the keys must be dead, the other alive", name)
		}
		if v := probe(t, p, c, stored); v.Verdict != provider.Refused {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestProbeIsUnclearWhenTheServerIsNotTheOne(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	key := generate(t, "ed25519")
	write(t, d.keys, publicLine(key)+" ci\n")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	hangsUp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = hangsUp.Close() })
	go func() {
		for {
			c, err := hangsUp.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	for name, change := range map[string]map[string]any{
		"another host key":    {"host_key": publicLine(generate(t, "ed25519"))},
		"another fingerprint": {"host_key": "SHA256:" + strings.Repeat("A", 43)},
		"another type of key": {"host_key": publicLine(generate(t, "rsa-3072"))},
		"connection refused":  {"probe_address": closed.Addr().String()},
		"hangs up":            {"probe_address": hangsUp.Addr().String()},
	} {
		t.Run(name, func(t *testing.T) {
			attrs := map[string]any{
				"authorized_keys": provider.Path{Written: "authorized_keys", Absolute: d.keys},
				"probe_address":   d.address, "probe_user": d.user, "host_key": d.hostKey,
			}
			for k, v := range change {
				attrs[k] = v
			}
			p := open(t, provider.Block{Attrs: provider.NewAttrs(attrs)})
			if got := probe(t, p, credential("ci"), key); got.Verdict != provider.Unclear || got.Detail == "" {
				t.Errorf("%+v", got)
			}
		})
	}
	t.Run("pinned by fingerprint", func(t *testing.T) {
		fields := strings.Fields(run(t, "ssh-keygen", "-lf", filepath.Join(d.dir, "host_key.pub")))
		p := open(t, provider.Block{Attrs: provider.NewAttrs(map[string]any{
			"authorized_keys": provider.Path{Absolute: d.keys}, "probe_address": d.address, "probe_user": d.user, "host_key": fields[1],
		})})
		id, err := p.Identity(t.Context())
		if err != nil || id != "ssh:"+fields[1] {
			t.Error(id, err)
		}
		if got := probe(t, p, credential("ci"), key); got.Verdict != provider.Accepted {
			t.Errorf("%+v", got)
		}
	})
}

// TestRefusalForAnotherReason: a listed key that sshd refuses is not dead.
func TestRefusalForAnotherReason(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		options string
		server  []string
	}{
		"from elsewhere":           {options: `from="192.0.2.1" `},
		"expired":                  {options: `expiry-time="20200101" `},
		"no public keys at all":    {server: []string{"PubkeyAuthentication no"}},
		"a second factor is asked": {server: []string{"PasswordAuthentication yes", "AuthenticationMethods publickey,password"}},
		"no tries left":            {server: []string{"MaxAuthTries 1", "AuthenticationMethods password", "PasswordAuthentication yes"}},
	} {
		t.Run(name, func(t *testing.T) {
			d := startDaemon(t, tc.server...)
			key := generate(t, "ed25519")
			write(t, d.keys, tc.options+publicLine(key)+" ci\n")
			if got := probe(t, open(t, d.block()), credential("ci"), key); got.Verdict != provider.Unclear {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestReportedProbe(t *testing.T) {
	key := generate(t, "ed25519")
	for name, tc := range map[string]struct {
		file string
		want provider.Verdict
	}{
		"listed":                         {publicLine(key) + " ci\n", provider.Accepted},
		"under another comment":          {publicLine(key) + "\n", provider.Unclear},
		"commented out":                  {"# " + publicLine(key) + " ci\n", provider.Refused},
		"no file":                        {"", provider.Refused},
		"expired":                        {`expiry-time="20200101" ` + publicLine(key) + " ci\n", provider.Disabled},
		"expired once, listed again":     {`expiry-time="20200101" ` + publicLine(key) + " ci\n" + publicLine(key) + " ci\n", provider.Accepted},
		"it may still sign certificates": {"cert-authority " + publicLine(key) + " ci\n", provider.Accepted},
		"type word does not fit":         {strings.Replace(publicLine(key), "ssh-ed25519", "ssh-rsa", 1) + " ci\n", provider.Refused},
	} {
		t.Run(name, func(t *testing.T) {
			p, file := fileOnly(t)
			if tc.file != "" {
				write(t, file, tc.file)
			}
			got := probe(t, p, credential("ci"), key)
			if got.Verdict != tc.want || got.Basis != lifecycle.Reported || got.Endpoint != "authorized_keys" {
				t.Errorf("%+v, want %s", got, tc.want)
			}
		})
	}
}

func TestRevokeReachesTheKeyUnderOtherComments(t *testing.T) {
	p, file := fileOnly(t)
	key, other := generate(t, "ed25519"), generate(t, "ed25519")
	write(t, file, publicLine(key)+" laptop\n"+publicLine(other)+" b\ncert-authority "+publicLine(key)+" ca\n")
	applied, err := p.(provider.Revoker).Revoke(t.Context(), provider.Mutation{Credential: credential("ci")}, []string{version(t, p, key)})
	if err != nil || !strings.Contains(applied.Detail, "2 of them the same key under another comment") {
		t.Error(applied, err)
	}
	if diff := cmp.Diff(publicLine(other)+" b\n", read(t, file)); diff != "" {
		t.Error(diff)
	}
}

func TestSetRefusesExpiredOptions(t *testing.T) {
	p, file := fileOnly(t)
	old, next := generate(t, "ed25519"), generate(t, "ed25519")
	before := `expiry-time="20200101" ` + publicLine(old) + " ci\n"
	write(t, file, before)
	_, err := p.(provider.Setter).Set(t.Context(), provider.Mutation{Credential: credential("ci")}, next)
	if provider.ClassOf(err, "") != provider.Permanent || read(t, file) != before {
		t.Error(err)
	}
	if obs := inspect(t, p, credential("ci")); obs.Enabled || !obs.Exists {
		t.Errorf("%+v", obs)
	}
	_, err = p.(provider.Setter).Set(t.Context(), provider.Mutation{Credential: credential("ci", "no-pty")}, next)
	if err != nil || !strings.Contains(read(t, file), "\nno-pty "+publicLine(next)+" ci remint:") {
		t.Error(err, read(t, file))
	}
}

func TestInspectSaysWhatMatters(t *testing.T) {
	p, file := fileOnly(t)
	key := generate(t, "ed25519")
	write(t, file, "garbage here\ncert-authority "+publicLine(generate(t, "ed25519"))+" ci\n"+
		`no-pty,from="192.0.2.1" `+publicLine(key)+" ci\n"+publicLine(key)+" laptop\n")
	notes := strings.Join(inspect(t, p, credential("ci")).Notes, "\n")
	for _, want := range []string{"already open are not ended", "what the file lists", "listed on line 4 as well", "Line 2 has this comment but trusts", "(line 1)", "takes over the options"} {
		if !strings.Contains(notes, want) {
			t.Errorf("no word of %q in:\n%s", want, notes)
		}
	}
}

func TestNUL(t *testing.T) {
	p, file := fileOnly(t)
	write(t, file, publicLine(generate(t, "ed25519"))+" a\x00b\n")
	if _, err := p.Inspect(t.Context(), credential("ci")); provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "line 1") {
		t.Error(err)
	}
}

func TestHugeFiles(t *testing.T) {
	for name, text := range map[string]string{
		"lines": strings.Repeat("\n", 15<<20), "bytes": strings.Repeat("x", 17<<20), "one long line": strings.Repeat("x", 15<<20),
	} {
		p, file := fileOnly(t)
		write(t, file, text)
		start := time.Now()
		_, err := p.Inspect(t.Context(), credential("ci"))
		if name != "one long line" && provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: %v", name, time.Since(start))
	}
}

func TestBadBlocks(t *testing.T) {
	keys := provider.Path{Absolute: "/nonexistent/x"}
	for name, attrs := range map[string]map[string]any{
		"no pin":     {"authorized_keys": keys, "probe_address": "127.0.0.1:22", "probe_user": "u"},
		"no user":    {"authorized_keys": keys, "probe_address": "127.0.0.1:22", "host_key": publicLine(generate(t, "ed25519"))},
		"no address": {"authorized_keys": keys, "probe_user": "u"},
	} {
		if _, err := remintssh.New().Open(t.Context(), provider.Block{Attrs: provider.NewAttrs(attrs)}); provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestControlKeyIsInUse: resetting the provider's own key would lock it out.
func TestControlKeyIsInUse(t *testing.T) {
	dir, key := t.TempDir(), generate(t, "ed25519")
	file, control := filepath.Join(dir, "authorized_keys"), filepath.Join(dir, "control")
	write(t, file, publicLine(key)+" ci\n")
	write(t, control, key.Field("private_key").RevealString())
	p := open(t, provider.Block{Attrs: provider.NewAttrs(map[string]any{
		"authorized_keys": provider.Path{Absolute: file}, "control_key": provider.Path{Written: "keys/control", Absolute: control},
		"probe_address": "127.0.0.1:1", "probe_user": "u", "host_key": publicLine(generate(t, "ed25519")),
	})})
	if got := inspect(t, p, credential("ci")).InUseBy; got != "control_key keys/control" {
		t.Errorf("InUseBy is %q", got)
	}
	if got := inspect(t, p, credential("other")).InUseBy; got != "" {
		t.Errorf("InUseBy is %q", got)
	}
}

func TestUnreadableMaterialIsUnclear(t *testing.T) {
	p, _ := fileOnly(t)
	for name, m := range map[string]secret.Material{
		"empty":   {},
		"garbage": secret.NewMaterial(map[string]secret.Value{"private_key": secret.FromString("canary-7f3a")}),
	} {
		got := probe(t, p, credential("ci"), m)
		if got.Verdict != provider.Unclear || strings.Contains(got.Detail, "canary") {
			t.Errorf("%s: %+v", name, got)
		}
		if _, err := p.(provider.Identifier).VersionOf(m); provider.ClassOf(err, "") != provider.Permanent || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func fileOnly(t *testing.T) (provider.Provider, string) {
	file := filepath.Join(t.TempDir(), "authorized_keys")
	return open(t, provider.Block{Attrs: provider.NewAttrs(map[string]any{
		"authorized_keys": provider.Path{Written: "authorized_keys", Absolute: file},
	})}), file
}

func probe(t *testing.T, p provider.Provider, c provider.Credential, m secret.Material) provider.Probe {
	t.Helper()
	out, err := p.Probe(t.Context(), c, m)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func inspect(t *testing.T, p provider.Provider, c provider.Credential) provider.Observation {
	t.Helper()
	out, err := p.Inspect(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func version(t *testing.T, p provider.Provider, m secret.Material) string {
	t.Helper()
	id, err := p.(provider.Identifier).VersionOf(m.With("public_key", secret.Value{}))
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
