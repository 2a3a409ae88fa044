package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remint-dev/remint/cmd/remint/internal/command"
	"github.com/remint-dev/remint/internal/flock/flocktest"
	"github.com/remint-dev/remint/internal/pgtest"
	"github.com/remint-dev/remint/schemas/schematest"
)

func TestMain(m *testing.M) {
	flocktest.Main()
	if os.Getenv("REMINT_TEST_CHILD") != "" {
		trapped()
		os.Exit(command.Main(echoing(wrongClock(breakable(parts())))))
	}
	testscript.Main(m, map[string]func(){"remint": main, "sigstore-kms-testkeys": kmsProgram})
}

// The scripts are what users do, with the real programs beside it: htpasswd,
// openssl, ssh-keygen, a PostgreSQL server.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireExplicitExec: true, RequireUniqueNames: true,
		Setup: func(e *testscript.Env) error {
			// sshd-like tools and git want a home; nothing of the caller's CI shows.
			e.Setenv("CI", "")
			e.Setenv("GITHUB_ACTIONS", "")
			return nil
		},
		Cmds: withCmds(map[string]func(*testscript.TestScript, bool, []string){
			"exitcode": exitcode, "pg": pg, "login": login, "session": session, "dotenv": dotenv, "edit": edit,
			"schema": schema, "canary": canary, "clean": clean, "same": same, "serverlog": serverlog,
		}, verifyCmds(), browserCmds()),
	})
}

// withCmds unites commands.
func withCmds(all ...map[string]func(*testscript.TestScript, bool, []string)) map[string]func(*testscript.TestScript, bool, []string) {
	out := map[string]func(*testscript.TestScript, bool, []string){}
	for _, m := range all {
		maps.Copy(out, m)
	}
	return out
}

// exitcode N CMD…: runs a program and holds its exit code against N.
func exitcode(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		got = exit.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// pg: starts a private server, with $PGURL of its superuser; pg SQL: runs SQL there.
func pg(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	if len(args) == 0 {
		s, err := pgtest.Start(ctx, pgtest.Options{Settings: map[string]string{"authentication_timeout": "1s"}})
		ts.Check(err)
		ts.Defer(func() { _ = s.Stop() })
		servers.Store(ts.Getenv("WORK"), s)
		ts.Setenv("PGURL", s.SuperURL())
		ts.Setenv("PGADDR", s.Host+":"+strconv.Itoa(s.Port))
		ts.Setenv("REMINT_VAR_admin_url", s.SuperURL())
		return
	}
	c, err := pgx.Connect(ctx, ts.Getenv("PGURL"))
	ts.Check(err)
	defer c.Close(ctx)
	for _, q := range args {
		_, err := c.Exec(ctx, q)
		ts.Check(err)
	}
}

// serverlog TEXT: stands in the server's log, in which every statement is, or with ! does not.
func serverlog(ts *testscript.TestScript, neg bool, args []string) {
	s, _ := servers.Load(ts.Getenv("WORK"))
	if strings.Contains(s.(*pgtest.Server).Log(), args[0]) == neg {
		ts.Fatalf("the server's log and %q: found is %v", args[0], neg)
	}
}

func roleURL(ts *testscript.TestScript, role, password string) string {
	u, err := url.Parse(ts.Getenv("PGURL"))
	ts.Check(err)
	u.User = url.UserPassword(role, password)
	return u.String()
}

// login ROLE PASSWORD: logs in to PostgreSQL, or with ! is refused.
func login(ts *testscript.TestScript, neg bool, args []string) {
	c, err := pgx.Connect(context.Background(), roleURL(ts, args[0], args[1]))
	if err == nil {
		_ = c.Close(context.Background())
	}
	if (err == nil) == neg {
		ts.Fatalf("login as %s: %v", args[0], err)
	}
}

// session open NAME ROLE PASSWORD [SQL]: opens one; session alive NAME: it still
// answers, or with ! does not.
func session(ts *testscript.TestScript, neg bool, args []string) {
	ctx := context.Background()
	switch args[0] {
	case "open":
		c, err := pgx.Connect(ctx, roleURL(ts, args[2], args[3]))
		ts.Check(err)
		ts.Defer(func() { _ = c.Close(ctx) })
		for _, q := range args[4:] {
			_, err := c.Exec(ctx, q)
			ts.Check(err)
		}
		sessions.Store(ts.Getenv("WORK")+args[1], c)
	case "alive":
		c, _ := sessions.Load(ts.Getenv("WORK") + args[1])
		_, err := c.(*pgx.Conn).Exec(ctx, "SELECT 1")
		if (err == nil) == neg {
			ts.Fatalf("session %s: %v", args[1], err)
		}
	}
}

// dotenv VAR FILE KEY: puts a value of a dotenv file, or with KEY - the whole
// file, into $VAR.
func dotenv(ts *testscript.TestScript, _ bool, args []string) {
	b := ts.ReadFile(args[1])
	if args[2] == "-" {
		ts.Setenv(args[0], b)
		return
	}
	for s := bufio.NewScanner(strings.NewReader(b)); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), args[2]+"="); ok {
			ts.Setenv(args[0], strings.Trim(v, `'"`))
			return
		}
	}
	ts.Fatalf("%s has no %s", args[1], args[2])
}

// edit FILE OLD NEW: replaces the first OLD in a file.
func edit(ts *testscript.TestScript, _ bool, args []string) {
	b := ts.ReadFile(args[0])
	if !strings.Contains(b, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Replace(b, args[1], args[2], 1)), 0o600))
}

// schema NAME FILE: holds a JSON document, or every line of one, against a schema.
func schema(ts *testscript.TestScript, _ bool, args []string) {
	text := ts.ReadFile(args[1])
	documents := []string{text}
	if args[0] == "events" || args[0] == "decision" {
		documents = strings.Split(strings.TrimSpace(text), "\n")
	}
	for _, d := range documents {
		if err := schematest.Check(args[0], []byte(d)); err != nil {
			ts.Fatalf("%s: %v", args[1], err)
		}
	}
}

// canary VALUE…: none of the values is, in any encoding, in any file below the
// working directory but for those whose names begin with allowed- or that hold
// it by right.
func canary(ts *testscript.TestScript, _ bool, args []string) {
	holders := strings.Fields(ts.Getenv("HOLDERS"))
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		rel, err := filepath.Rel(ts.MkAbs("."), path)
		if err != nil || slices.Contains(holders, rel) {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, v := range args {
			quoted := strconv.Quote(v)
			forms := append(base64Forms(v), v, hex.EncodeToString([]byte(v)), url.QueryEscape(v), url.PathEscape(v), quoted[1:len(quoted)-1])
			for _, form := range forms {
				if bytes.Contains(b, []byte(form)) {
					ts.Fatalf("%s holds a secret, as %q", rel, form)
				}
			}
		}
		return nil
	}))
}

// base64Forms are what v looks like inside something longer in base64, at each
// of the three ways in which it can be aligned, in both alphabets.
func base64Forms(v string) []string {
	var out []string
	for pad, cut := range []int{0, 2, 3} {
		for _, e := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			form := e.EncodeToString(append(make([]byte, pad), v...))
			whole := (pad + len(v)) / 3 * 4 // characters that depend on v alone
			out = append(out, form[cut:whole])
		}
	}
	return out
}

// clean FILE…: no control, bidi or zero-width character stands in a file raw.
func clean(ts *testscript.TestScript, _ bool, args []string) {
	for _, f := range args {
		for _, r := range ts.ReadFile(f) {
			if unicode.IsControl(r) && r != '\n' || unicode.Is(unicode.Cf, r) {
				ts.Fatalf("%s holds a raw %U", f, r)
			}
		}
	}
}

// same A B: two files have the same member digest.
func same(ts *testscript.TestScript, neg bool, args []string) {
	digest := func(f string) string {
		_, after, _ := strings.Cut(ts.ReadFile(f), `"digest":"`)
		return after[:min(len(after), 71)]
	}
	if (digest(args[0]) == digest(args[1])) == neg {
		ts.Fatalf("digests are %s and %s", digest(args[0]), digest(args[1]))
	}
}

// servers are the PostgreSQL servers of scripts, by work folder.
var servers sync.Map

// sessions are the connections that scripts hold open, by work folder and name.
var sessions sync.Map
