//go:build !race

package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// approverHCL declares who answers.
const approverHCL = `
approver "alice" { public_key = file("answers/alice.pub") }
`

func approverKeys(t *testing.T, dir string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(dir, "answers"), 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, dir, map[string]string{
		"answers/alice.pub": string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: pub})),
		"answers/alice.pem": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})),
	})
}

// stepQuestion is a question about a step of a run.
type stepQuestion struct{ run, subject, phase string }

// questions are asked in the words of view.question, and answered by this command.
var questions = regexp.MustCompile(`remint resolve (\S+) '?([^' ]+)/([a-z_]+)(\.[^' ]+)'? -as=done`)

// question finds the one about a step that a resume ended with.
func question(out string) *stepQuestion {
	m := questions.FindStringSubmatch(out)
	if m == nil {
		return nil
	}
	return &stepQuestion{run: m[1], subject: m[2] + "/" + m[3] + m[4], phase: m[3]}
}

// answered answers a question. Where the target is a file, both answers are given,
// each to the same state of everything; elsewhere the one that is true.
func (c *faultCase) answered(t *testing.T, f *faults, q *stepQuestion) error {
	t.Helper()
	f.count(&f.questions, 0)
	truth := c.happened(t, q)
	if c.onServer() {
		f.count(&f.one, 0)
		return c.says(t, q, truth, true)
	}
	f.count(&f.both, 0)
	kept := t.TempDir()
	run(t, kept, "cp", "-a", c.dir+"/.", kept)
	if err := c.says(t, q, truth, true); err != nil {
		return err
	}
	run(t, c.dir, "find", ".", "-mindepth", "1", "!", "-type", "d", "-delete")
	run(t, kept, "cp", "-a", kept+"/.", c.dir)
	return c.says(t, q, !truth, false)
}

// wholes are the answers that give a reset up, whatever it is asked about.
var wholes = regexp.MustCompile(`remint resolve (\S+) '?(credential\.[a-z0-9_]+\.[a-z]+)[^ ]* -as=not-done`)

// refused reports whether resuming ended, with a question or without, for a reason
// that mending is to take away.
func (c *faultCase) refused(end ending, err error) bool {
	if c.mend == nil || err == nil && end.asks == nil {
		return false
	}
	trail := c.trail.String()
	last := trail[strings.LastIndex(trail, "$ remint "):]
	return slices.ContainsFunc(c.refuses, func(words string) bool { return strings.Contains(last, words) })
}

// anew gives a reset up by an answer, which closes its run and calls nothing dead,
// and does another one.
func (c *faultCase) anew(t *testing.T) error {
	t.Helper()
	trail := c.trail.String()
	m := wholes.FindStringSubmatch(trail[strings.LastIndex(trail, "$ remint "):])
	if m == nil {
		return errors.New("it asks nothing by which it could be given up")
	}
	if _, code := c.remint("resolve", m[1], m[2], "-as=not-done", "-key=answers/alice.pem"); code != 0 {
		return fmt.Errorf("that it is given up is not taken: exit %d", code)
	}
	out, code := c.remint("resume")
	if code != 6 || !strings.Contains(out, "abandoned") {
		return fmt.Errorf("given up, it ends with exit %d", code)
	}
	if err := c.stood(t, code); err != nil {
		return fmt.Errorf("given up: %w", err)
	}
	if err := os.Truncate(c.log, 0); err != nil { // what follows is another reset
		return err
	}
	kept, _, err := sealedIn(c.dir)
	if err != nil {
		return err
	}
	c.kept = kept // as the answer says
	if _, code := c.apply(); code != 0 {
		return fmt.Errorf("done anew, after it was given up: exit %d", code)
	}
	return c.over(t)
}

// onServer reports whether the target or the state is more than files of the workspace.
func (c *faultCase) onServer() bool { return c.name == "postgresql_role" || c.state != nil }

// happened looks from outside at whether a step that is asked about happened.
func (c *faultCase) happened(t *testing.T, q *stepQuestion) bool {
	t.Helper()
	old, stored := c.works(t, c.dir)
	switch q.phase {
	case "issue", "install":
		return c.target(t, c.dir) != c.targetBefore
	case "revoke":
		return !old
	case "distribute":
		return stored != (c.reason == "offboarding")
	case "confirm":
		return true // it is accepted, or the next look shows that it is not
	}
	return false // once more is allowed
}

// says answers, resumes, and requires what the answer promises. After a true one
// the reset ends well; or closed without that, where an answer says so. After a false
// one it may ask, and never says what is not so.
func (c *faultCase) says(t *testing.T, q *stepQuestion, happened, truly bool) error {
	t.Helper()
	answer := map[bool]string{true: "done", false: "not-done"}[happened]
	if _, code := c.remint("resolve", q.run, q.subject, "-as="+answer, "-key=answers/alice.pem"); code != 0 {
		return fmt.Errorf("the answer %s is not taken: exit %d", answer, code)
	}
	end, err := c.resumed(t)
	what := fmt.Sprintf("after the answer %s to %s", answer, q.subject)
	switch {
	case err != nil && !truly && strings.Contains(err.Error(), "never finishes"):
		return nil // it promises nothing that is not so
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	case end.asks != nil && truly:
		return fmt.Errorf("%s, it asks about %s", what, end.asks.subject)
	case end.asks != nil:
		return nil
	case end.nothing:
		if q.phase != "issue" || !happened {
			return fmt.Errorf("%s, the reset was given up", what)
		}
		return nil
	}
	if err := c.over(t); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
