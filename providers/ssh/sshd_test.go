package ssh_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	remintssh "github.com/remint-dev/remint/providers/ssh"
)

// daemon is a private sshd that reads authorized_keys from a test's folder.
type daemon struct {
	address, host, port, user, hostKey, keys, dir string
}

func startDaemon(t *testing.T, extra ...string) daemon {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d := daemon{dir: t.TempDir(), host: ownAddress(), user: me.Username}
	d.keys = filepath.Join(d.dir, "authorized_keys")
	hostKey := filepath.Join(d.dir, "host_key")
	run(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "host", "-f", hostKey)
	public, err := os.ReadFile(hostKey + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	d.hostKey = strings.TrimSpace(string(public))
	l, err := net.Listen("tcp", net.JoinHostPort(d.host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	d.address = l.Addr().String()
	_, d.port, _ = net.SplitHostPort(d.address)
	_ = l.Close()
	config := strings.Join(append(extra, []string{ // sshd takes the first of two
		"ListenAddress " + d.address, "HostKey " + hostKey, "PidFile none", "UsePAM no", "StrictModes no",
		"PasswordAuthentication no", "KbdInteractiveAuthentication no", "AuthorizedKeysFile " + d.keys,
	}...), "\n") + "\n"
	path := filepath.Join(d.dir, "sshd_config")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	sshd, err := exec.LookPath("sshd")
	if err != nil {
		sshd = "/usr/sbin/sshd"
	}
	cmd := exec.Command(sshd, "-D", "-e", "-f", path)
	log := &strings.Builder{}
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatalf("sshd (Debian: openssh-server): %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			said := log.String()
			t.Logf("sshd's last words:\n%s", said[max(0, len(said)-2000):])
		}
	})
	for range 500 {
		c, err := net.Dial("tcp", d.address)
		if err == nil {
			_ = c.Close()
			return d
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("sshd does not come up")
	return d
}

// ownAddress is a loopback address of the daemon's own: on 127.0.0.1 somebody
// else's connection can take a port between finding it free and listening there.
func ownAddress() string {
	if runtime.GOOS != "linux" {
		return "127.0.0.1"
	}
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
}

// block is the provider block for the daemon.
func (d daemon) block() provider.Block {
	return provider.Block{Name: "test", Attrs: provider.NewAttrs(map[string]any{
		"authorized_keys": provider.Path{Written: "authorized_keys", Absolute: d.keys},
		"probe_address":   d.address, "probe_user": d.user, "host_key": d.hostKey,
	})}
}

// login tries the key with the ssh program.
func (d daemon) login(t *testing.T, m secret.Material) bool {
	t.Helper()
	out, err := d.ssh(t, m, "echo", "in").CombinedOutput()
	if err == nil && strings.TrimSpace(string(out)) == "in" {
		return true
	}
	if !strings.Contains(string(out), "Permission denied (publickey)") {
		t.Fatalf("ssh says neither yes nor no: %v: %s", err, out)
	}
	return false
}

func (d daemon) ssh(t *testing.T, m secret.Material, command ...string) *exec.Cmd {
	t.Helper()
	dir := t.TempDir()
	key, known := filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(key, m.Field("private_key").Reveal(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(known, fmt.Appendf(nil, "[%s]:%s %s\n", d.host, d.port, d.hostKey), 0o600); err != nil {
		t.Fatal(err)
	}
	return exec.Command("ssh", append([]string{"-F", "none", "-p", d.port, "-i", key, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes",
		"-o", "IdentityAgent=none", "-o", "UserKnownHostsFile=" + known, "-o", "StrictHostKeyChecking=yes", "-l", d.user, d.host}, command...)...)
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", name, err, out)
	}
	return string(out)
}

// generate makes a key with the type's own generator.
func generate(t *testing.T, algorithm string) secret.Material {
	t.Helper()
	m, err := remintssh.New().Types[0].Issue.Generate(provider.NewAttrs(map[string]any{"algorithm": algorithm}))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// publicLine is the public key as authorized_keys has it, without a comment.
func publicLine(m secret.Material) string {
	return strings.TrimSpace(m.Field("public_key").RevealString())
}

func open(t *testing.T, b provider.Block) provider.Provider {
	t.Helper()
	p, err := remintssh.New().Open(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func credential(comment string, more ...string) provider.Credential {
	attrs := map[string]any{"comment": comment}
	if len(more) > 0 {
		attrs["options"] = more[0]
	}
	return provider.Credential{Address: "credential.ssh_authorized_key.ci", Type: "ssh_authorized_key", Attrs: provider.NewAttrs(attrs)}
}
