package ssh_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/provider/providertest"
	remintssh "github.com/remint-dev/remint/providers/ssh"
)

// TestConformanceLoggingIn runs the suite against a real sshd.
func TestConformanceLoggingIn(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	control := generate(t, "ed25519")
	controlFile := filepath.Join(t.TempDir(), "control")
	write(t, controlFile, control.Field("private_key").RevealString())
	providertest.Run(t, providertest.Harness{
		Definition: remintssh.New(), Type: "ssh_authorized_key",
		Setup: func(t *testing.T) providertest.Fixture {
			f := fixture(t, d.keys, publicLine(control)+" control\n")
			attrs := map[string]any{
				"authorized_keys": provider.Path{Written: "authorized_keys", Absolute: d.keys},
				"probe_address":   d.address, "probe_user": d.user, "host_key": d.hostKey,
				"control_key": provider.Path{Written: "control", Absolute: controlFile},
			}
			f.Block = provider.Block{Name: "test", Attrs: provider.NewAttrs(attrs)}
			attrs["probe_address"] = "127.0.0.1:1"
			attrs["authorized_keys"] = provider.Path{Written: "gone", Absolute: filepath.Join(t.TempDir(), "gone", "authorized_keys")}
			f.Unreachable = provider.Block{Name: "down", Attrs: provider.NewAttrs(attrs)}
			f.Login = d.login
			return f
		},
	})
}

// TestConformanceFileOnly runs the suite where there is only the file.
func TestConformanceFileOnly(t *testing.T) {
	t.Parallel()
	d := startDaemon(t)
	providertest.Run(t, providertest.Harness{
		Definition: remintssh.New(), Type: "ssh_authorized_key",
		Setup: func(t *testing.T) providertest.Fixture {
			f := fixture(t, d.keys, "")
			f.Block = fileBlock(d.keys)
			f.Unreachable = fileBlock(filepath.Join(t.TempDir(), "missing", "authorized_keys"))
			f.Login, f.Reported = d.login, true
			return f
		},
	})
}

func fileBlock(path string) provider.Block {
	return provider.Block{Name: "test", Attrs: provider.NewAttrs(map[string]any{
		"authorized_keys": provider.Path{Written: "authorized_keys", Absolute: path},
	})}
}

func fixture(t *testing.T, file, more string) providertest.Fixture {
	t.Helper()
	current := generate(t, "ed25519")
	write(t, file, more+nasty(publicLine(generate(t, "ed25519")), publicLine(generate(t, "ed25519")), publicLine(generate(t, "ed25519")))+
		publicLine(current)+" ci@example.com\n")
	return providertest.Fixture{
		Credential: credential("ci@example.com"),
		Absent:     credential("nobody@example.com"),
		Current:    current,
		Unmade: func(t *testing.T) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		Others: func(t *testing.T) string {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			for l := range strings.Lines(string(raw)) {
				if _, after, ok := strings.Cut(l, " ci@example.com"); ok && (after == "\n" || strings.HasPrefix(after, " remint:")) && strings.HasPrefix(l, "ssh-") {
					continue
				}
				out.WriteString(l)
			}
			return out.String()
		},
	}
}
