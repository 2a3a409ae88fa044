//go:build linux && !race

package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/remint-dev/remint/internal/pgtest"
)

// leaks counts what was searched and what was found.
type leaks struct {
	mu                      sync.Mutex
	cases, files            int
	secrets, forms, samples int
	hits                    int
}

func (l *leaks) report(what string) {
	fmt.Printf("secrets, %s: %d cases, %d secrets in %d forms, searched for in %d outputs and files and %d samples of /proc, %d hits\n",
		what, l.cases, l.secrets, l.forms, l.files, l.samples, l.hits)
}

// forms are what a secret looks like raw and encoded.
func forms(v string) []string {
	out := append(base64Forms(v), v, hex.EncodeToString([]byte(v)), strings.ToUpper(hex.EncodeToString([]byte(v))), url.QueryEscape(v), url.PathEscape(v))
	for _, html := range []bool{true, false} {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		_ = e.Encode(v) // a string always can be
		text := strings.TrimSpace(b.String())
		text = text[1 : len(text)-1]
		out = append(append(out, text), base64Forms(text)...) // as in a signed envelope
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// secretCase is a reset of which everything that is written and said is kept.
type secretCase struct {
	*crash
	holders []string // files that hold a secret by right
	said    []byte   // all output
	proc    map[string]bool
	samples int
	known   []string
}

// remint runs the program and looks into /proc meanwhile.
func (c *secretCase) remint(t *testing.T, env []string, args ...string) int {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	cmd := exec.Command(exe, args...)
	cmd.Dir = c.dir
	cmd.Env = append(append(os.Environ(), "REMINT_TEST_CHILD=1", "CI=", "GITHUB_ACTIONS=", "GOTRACEBACK=all", "REMINT_TEST_LOG="+c.log), env...)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	var watch sync.WaitGroup
	watch.Go(func() {
		for {
			for _, f := range []string{"cmdline", "environ"} {
				c.proc[string(readFile(fmt.Sprintf("/proc/%d/%s", cmd.Process.Pid, f)))] = true
				c.samples++
			}
			select {
			case <-ended:
				return
			case <-time.After(2 * time.Millisecond):
			}
		}
	})
	err = cmd.Wait()
	close(ended)
	watch.Wait()
	fmt.Fprintf(&c.trail, "$ remint %s: %v\n%s", strings.Join(args, " "), err, out.String())
	c.said = append(c.said, out.Bytes()...)
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return 0
}

// search gives where a secret was found.
func (c *secretCase) search(t *testing.T, l *leaks) []string {
	t.Helper()
	var found []string
	all := map[string][]byte{"output": c.said}
	for p := range c.proc {
		all["/proc "+p[:min(len(p), 20)]] = append(all["/proc "+p[:min(len(p), 20)]], p...)
	}
	err := filepath.WalkDir(c.dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(c.dir, path)
		if err != nil || !d.Type().IsRegular() || slices.Contains(c.holders, rel) || strings.HasPrefix(rel, "old/") {
			return err
		}
		all[rel] = readFile(path)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, v := range c.known {
		for _, form := range forms(v) {
			n++
			for where, b := range all {
				if bytes.Contains(b, []byte(form)) {
					found = append(found, fmt.Sprintf("%s holds %q", where, form))
				}
			}
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files += len(all)
	l.samples += c.samples
	l.secrets, l.forms = l.secrets+len(c.known), l.forms+n
	return found
}

// learn takes what a file holds as secret: a password as it is, of a PEM file a
// line that is of the private half alone, or mostly.
func (c *secretCase) learn(file string) {
	text := string(readFile(filepath.Join(c.dir, file)))
	if _, after, ok := strings.Cut(text, "PRIVATE KEY-----\n"); ok {
		lines := strings.Split(after, "\n")
		n := 1
		if strings.Contains(text, "OPENSSH") { // the public half comes twice before it
			n = 3
		}
		c.known = append(c.known, lines[n])
		return
	}
	if text = strings.Trim(strings.TrimSpace(strings.TrimPrefix(text, c.prefix)), `"'`); len(text) > 5 && !strings.Contains(text, "CERTIFICATE") {
		c.known = append(c.known, text)
	}
}

// failure is a way in which a run goes wrong, and where.
type failure struct {
	name string
	env  func(ops []string) []string
}

// at breaks the first operation whose name begins so, in a way.
func at(way, prefix string) func([]string) []string {
	return func(ops []string) []string {
		for _, op := range ops {
			if strings.HasPrefix(op, prefix) {
				return []string{"REMINT_TEST_BREAK=" + way + " " + op, "REMINT_TEST_HOOK=kill -QUIT $PPID; sleep 5"}
			}
		}
		return nil
	}
}

func failures() []failure {
	list := []failure{{"none", func([]string) []string { return []string{} }}}
	for _, p := range []string{"provider.Probe", "provider.Set", "provider.Mint", "provider.Revoke", "store.Put", "store.Empty", "journal.Append[seal", "notifier.Send"} {
		list = append(list, failure{"SIGQUIT at " + p, at(hooked, p)}, failure{"panic at " + p, at(panics, p)},
			failure{"failure of " + p, at(permanent, p)}, failure{"lost reply of " + p, at(lostReply, p)})
	}
	return list
}

func secretWorlds(t *testing.T, hook string) []world {
	t.Helper()
	s := pgtest.New(t, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s", "log_statement": "none"}})
	worlds := []world{postgresqlWorld(t, s), x509World(), htpasswdWorld(), sshWorld()}
	for i := range worlds {
		worlds[i].hcl += `notifier "webhook" "w" {
  url      = "` + hook + `"
  secret   = "canary-hmac-4712"
  attempts = 1
}
`
	}
	return worlds
}

// canaryPassword needs escaping everywhere; bcrypt and dotenv take it.
const canaryPassword = `canary/+&4711=%>old`

// TestSecrets sends canaries through every mode of every type, and through
// failures at each kind of operation; a webhook answers 500 with the body that it
// got. Everything written and said is searched.
func TestSecrets(t *testing.T) {
	total := &leaks{}
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		fmt.Fprintf(w, "%v ", r.Header)
		_, _ = io.Copy(w, r.Body)
	}))
	t.Cleanup(echo.Close)
	t.Run("all", func(t *testing.T) {
		for _, w := range secretWorlds(t, echo.URL+"/?token=canary-token-4713") {
			template := canaryTemplate(t, w)
			for i, reason := range reasons {
				t.Run(w.name+"/"+reason, func(t *testing.T) {
					t.Parallel()
					plain := newSecretCase(t, w, template, reason)
					plain.through(t, total, nil)
					ops := operations(read(plain.log))
					var cases abreast
					for j, f := range failures() {
						env := f.env(ops)
						if env == nil || os.Getenv("REMINT_TORTURE") == "" && (i+j+len(w.name))%6 != 0 {
							continue
						}
						cases.add(f.name, func(t *testing.T) { newSecretCase(t, w, template, reason).through(t, total, env) })
					}
					cases.run(t)
				})
			}
		}
	})
	total.report("in every mode and failure")
}

// canaryTemplate is prepared with the old password a canary.
func canaryTemplate(t *testing.T, w world) string {
	t.Helper()
	if w.name == "htpasswd_user" || w.name == "postgresql_role" {
		setup := w.setup
		w.setup = func(t *testing.T, dir string) {
			setup(t, dir)
			text := canaryPassword
			if w.name == "htpasswd_user" {
				run(t, dir, "htpasswd", "-bB", "site", "u", canaryPassword)
			} else {
				text = w.prefix + "'" + text + "'\n"
			}
			write(t, dir, map[string]string{"store": text, "old/secret": text})
		}
	}
	dir := prepared(t, w)
	run(t, dir, "openssl", "genpkey", "-algorithm", "ed25519", "-out", "keys/alice.pem")
	return dir
}

func newSecretCase(t *testing.T, w world, template, reason string) *secretCase {
	t.Helper()
	if each := w.each; each != nil {
		w.each = func(t *testing.T, dir string) {
			each(t, dir)
			u := regexp.MustCompile(`postgres://[^"]*`).FindString(w.hcl)
			run(t, dir, "psql", "-qXc", "ALTER ROLE "+roleOf(dir)+" PASSWORD '"+canaryPassword+"'", u)
		}
	}
	c := &secretCase{crash: newCase(t, w, template, reason), proc: map[string]bool{}}
	c.holders = []string{"main.remint.hcl", "ca.key"}
	for f := range c.stores {
		c.holders = append(c.holders, f)
		c.learn(f)
	}
	c.learn("ca.key")
	c.known = append(c.known, "canary-hmac-4712", "canary-token-4713")
	if m := regexp.MustCompile(`postgres://postgres:([^@]*)@`).FindStringSubmatch(w.hcl); m != nil {
		c.known = append(c.known, m[1])
	}
	return c
}

// through plans, approves, applies with a failure, finishes, asks everything that
// can be asked, and searches: right after the failure, and at the end.
func (c *secretCase) through(t *testing.T, l *leaks, env []string) {
	t.Helper()
	c.remint(t, nil, "plan", "-all", "-reason="+c.reason, "-out=a.plan")
	c.remint(t, nil, "approve", "-key=keys/alice.pem", "a.plan")
	c.remint(t, env, "apply", "-json", "-auto-approve", "a.plan")
	// The new secret is learnt at the end, and searched for in what there was.
	halfway := &secretCase{crash: &crash{dir: t.TempDir()}, holders: c.holders, said: slices.Clone(c.said)}
	run(t, c.dir, "cp", "-a", ".", halfway.dir)
	for range 2 {
		c.remint(t, nil, "resume", "-json")
	}
	for _, args := range [][]string{{"show", "-json", "a.plan"}, {"status", "-json"}, {"runs"}, {"evidence", "verify"}, {"evidence", "list"}, {"evidence", "export", "-out=exported"}, {"resume"}} {
		c.remint(t, nil, args...)
	}
	for f := range c.stores {
		c.learn(f)
	}
	halfway.known = c.known
	found := append(halfway.search(t, l), c.search(t, l)...)
	cores, _ := filepath.Glob(filepath.Join(c.dir, "core*"))
	for _, f := range cores {
		found = append(found, "a core file was written: "+f)
	}
	l.mu.Lock()
	l.cases++
	l.hits += len(found)
	l.mu.Unlock()
	if len(found) > 0 {
		t.Errorf("%s\n%s", strings.Join(found, "\n"), c.trail.String())
	}
}

// TestSecretsOfTheProcess looks at the program from inside a call that it makes,
// run by an ordinary user: its memory is nobody's but root's, and it leaves no core.
func TestSecretsOfTheProcess(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test needs root, to be somebody else")
	}
	w := htpasswdWorld()
	template := prepared(t, w)
	c := newCase(t, w, template, "scheduled")
	const nobody = 65534
	for dir := c.dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run(t, c.dir, "chown", "-R", fmt.Sprintf("%d:%d", nobody, nobody), c.dir)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(c.dir, "remint")
	run(t, c.dir, "install", "-m", "755", exe, program)
	hook := `stat -c %u /proc/$PPID/mem /proc/$PPID/environ /proc/$PPID/maps > seen; grep "core file" /proc/$PPID/limits >> seen`
	cmd := exec.Command(program, "apply", "-all", "-auto-approve")
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "REMINT_TEST_CHILD=1", "REMINT_TEST_BREAK=" + hooked + " provider.Set#1", "REMINT_TEST_HOOK=" + hook}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	seen := strings.Fields(string(readFile(filepath.Join(c.dir, "seen"))))
	if got := strings.Join(seen, " "); got != "0 0 0 Max core file size 0 0 bytes" {
		t.Errorf("owners of mem, environ and maps, and the limit of core files: %s", got)
	}
}
