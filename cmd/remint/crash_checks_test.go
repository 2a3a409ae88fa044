//go:build !race

package main

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// logged is one line of the operations' log: begin, broke, effect or perhaps (its
// effect, which nobody has seen), and which.
type logged struct{ word, op string }

func read(log string) []logged {
	var out []logged
	for l := range strings.Lines(string(readFile(log))) {
		word, op, _ := strings.Cut(strings.TrimSpace(l), " ")
		out = append(out, logged{word, op})
	}
	return out
}

func operations(log []logged) []string {
	var out []string
	for _, l := range log {
		if l.word == "begin" {
			out = append(out, l.op)
		}
	}
	return out
}

// stopped checks what holds whenever a process has ended, however it did.
func (c *crash) stopped(t *testing.T, code int, at string) error {
	t.Helper()
	killed := strings.HasPrefix(at, "kill-") && code == -1
	// A plan is stale where somebody else was at work, or where a store could be read
	// once only: what it held is part of the plan where nothing else leads to it.
	stale := code == 5 && (c.others > 0 || strings.Contains(at, " store.Get#"))
	if code != 0 && code != 1 && code != 6 && !killed && !stale {
		return fmt.Errorf("exit %d is not what a run may end with", code)
	}
	for _, log := range c.logs() {
		if err := announced(read(log)); err != nil {
			return err
		}
	}
	if err := c.intended(t); err != nil {
		return err
	}
	if killed && !slices.ContainsFunc(read(c.log), func(l logged) bool { return l.word == "begin" && kind(l.op) == "journal.Append" }) {
		_, err := os.Stat(filepath.Join(c.dir, "evidence"))
		if out, code := child(c.dir, nil, "evidence", "verify"); code != 0 && err == nil {
			return fmt.Errorf("no run was opened, and evidence verify exits %d: %s", code, out)
		}
	}
	if (code == 1 || code == 5) && c.outside(t) != c.before {
		return fmt.Errorf("exit %d promises that nothing changed, but something did", code)
	}
	if c.reason == "offboarding" || c.reason == "compromised" && !c.newMade(t) {
		return nil
	}
	return c.recoverable(t)
}

// logs are those of the operations of all runners.
func (c *crash) logs() []string { return []string{c.log, c.log + otherLog} }

// otherLog is added to the log's name for what a second runner does.
const otherLog = ".other"

// partOf gives the phases that an operation with an effect outside may be part of, none
// for one without. Of notices only those of a notify step are: that a reset halted is told
// because the journal says so already.
func partOf(op string) []string {
	if kind(op) == "notifier.Send" {
		if strings.HasPrefix(op, "notifier.Send[finished]") {
			return []string{"notify"}
		}
		return nil
	}
	return phases[kind(op)]
}

var phases = map[string][]string{
	"provider.Set": {"install"}, "provider.Mint": {"issue"}, "provider.Revoke": {"revoke", "issue"}, "provider.Retire": {"revoke"},
	"provider.EndSessions": {"terminate"}, "store.Put": {"distribute"}, "store.Empty": {"distribute"}, "consumer.Reload": {"reload"},
}

// announced checks that a durable record said of each effect that it was about
// to be: promise 2.
func announced(log []logged) error {
	open := map[string]int{}
	for _, l := range log {
		k := kind(l.op)
		if k == "journal.Append" && (l.word == "effect" || l.word == "perhaps") {
			_, list, _ := strings.Cut(l.op, "[")
			list = list[:strings.LastIndex(list, "]")]
			for r := range strings.SplitSeq(list, ",") {
				what, step, _ := strings.Cut(r, ":")
				phase, _, _ := strings.Cut(step, ".")
				switch what {
				case "intend":
					open[phase]++
				case "done":
					if l.word == "effect" {
						open[phase] = 0
					}
				}
			}
		}
		if want := partOf(l.op); want != nil && l.word == "effect" && !slices.ContainsFunc(want, func(p string) bool { return open[p] > 0 }) {
			return fmt.Errorf("%s had its effect although no record had said that it was about to", l.op)
		}
	}
	return nil
}

// recoverable checks that some secret that works is in the stores or can be
// taken out of the sealed state: promise 1.
func (c *crash) recoverable(t *testing.T) error {
	t.Helper()
	if old, stored := c.works(t, c.dir); old || stored {
		return nil
	}
	for file, field := range c.stores {
		path := filepath.Join(c.dir, file)
		saved := readFile(path)
		defer func() { _ = os.WriteFile(path, saved, 0o600) }()
		out, code := child(c.dir, nil, "recover", "-field="+field, "-out="+path+".recovered", "credential."+c.name+".x")
		if code != 0 {
			return fmt.Errorf("no secret that works is anywhere: %s", out)
		}
		if err := os.WriteFile(path, append([]byte(c.prefix), readFile(path+".recovered")...), 0o600); err != nil {
			return err
		}
		if err := os.Remove(path + ".recovered"); err != nil {
			return err
		}
	}
	if _, stored := c.works(t, c.dir); !stored {
		return errors.New("what is sealed does not work, nor does anything else")
	}
	return nil
}

// finished checks what must be true once a reset is done.
func (c *crash) finished(t *testing.T) error {
	t.Helper()
	if err := c.replaced(t); err != nil {
		return err
	}
	if c.reason == "offboarding" {
		for f := range c.stores {
			if b := bytes.TrimPrefix(readFile(filepath.Join(c.dir, f)), []byte(c.prefix)); len(bytes.TrimSpace(b)) > 0 {
				return fmt.Errorf("store %s is not empty", f)
			}
		}
	}
	out, code := child(c.dir, nil, "evidence", "verify")
	if code != 0 {
		return fmt.Errorf("evidence verify exits %d: %s", code, out)
	}
	return errors.Join(c.intact(t, c.dir, c.reason), c.once(), c.evidenced(), c.told(), c.forgotten())
}

// replaced checks that the old secret is dead, and that the new one works from where it
// is needed, or that there is none.
func (c *crash) replaced(t *testing.T) error {
	t.Helper()
	old, stored := c.works(t, c.dir)
	switch {
	case old:
		return errors.New("the old secret still works")
	case c.reason == "offboarding" && stored:
		return errors.New("a store still holds a secret that works")
	case c.reason != "offboarding" && !stored:
		return errors.New("what the store holds does not work")
	}
	return nil
}

// once checks that changes at the target had one effect in each run: promise 5. A mint
// whose reply was lost is made again, after the orphan was revoked. What the target took
// counts too, since who dies within a change tells nobody of it.
func (c *crash) once() error {
	for i, log := range c.logs() {
		n := map[string]int{}
		for _, l := range read(log) {
			switch l.word {
			case "effect":
				n[kind(l.op)]++
			case "broke":
				n["broken"]++
			}
		}
		runs := 1
		if i > 0 {
			runs = c.others
		}
		if n["provider.Set"] > runs || n["provider.Mint"] > runs+n["broken"] {
			return fmt.Errorf("changes had more than one effect: %v in %s", n, filepath.Base(log))
		}
	}
	if len(c.made) > 1+c.others {
		return fmt.Errorf("the target took %d new secrets, one after the other", len(c.made))
	}
	return nil
}

// evidenced checks that evidence has a record of every effect: promise 9.
func (c *crash) evidenced() error {
	recorded := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(c.dir, "evidence/*/credential.*"))
	if err != nil {
		return err
	}
	if len(files) == 0 {
		files, _ = filepath.Glob(filepath.Join(c.dir, "evidence/*/*.sigstore.jsonl"))
	}
	for _, f := range files {
		for l := range bytes.Lines(readFile(f)) {
			var bundle struct {
				Envelope struct{ Payload string } `json:"dsseEnvelope"`
			}
			var statement struct {
				Predicate struct{ Phase, Outcome string }
			}
			if err := json.Unmarshal(l, &bundle); err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
			payload, err := base64.StdEncoding.DecodeString(bundle.Envelope.Payload)
			if err == nil {
				err = json.Unmarshal(payload, &statement)
			}
			if err != nil {
				return fmt.Errorf("%s: %w", f, err)
			}
			recorded[statement.Predicate.Phase] = true
		}
	}
	for _, log := range c.logs() {
		for _, l := range read(log) {
			if want := partOf(l.op); want != nil && l.word == "effect" && !slices.ContainsFunc(want, func(p string) bool { return recorded[p] }) {
				return fmt.Errorf("%s is not in evidence, which has %v", l.op, slices.Sorted(maps.Keys(recorded)))
			}
		}
	}
	return nil
}

// told checks that the owner heard of the end, under one id for each run.
func (c *crash) told() error {
	ids := map[string]bool{}
	for l := range bytes.Lines(readFile(filepath.Join(c.dir, "notices.jsonl"))) {
		var n struct{ ID, Kind, Run string }
		if err := json.Unmarshal(l, &n); err != nil {
			return fmt.Errorf("notices.jsonl: %w", err)
		}
		if n.Kind == "finished" {
			ids[n.ID] = true
		}
	}
	if len(ids) < 1 || len(ids) > 1+c.others {
		return fmt.Errorf("the owner was told of the end under %d ids", len(ids))
	}
	return nil
}

// forgotten checks that the state keeps nothing sealed: promise 8. What a run made that
// another one superseded stays, as the run says.
func (c *crash) forgotten() error {
	if c.others > 0 && strings.Contains(c.trail.String(), "superseded") {
		return nil
	}
	if c.state != nil {
		n, err := c.state.sealed(c.dir)
		if err == nil && n > 0 {
			err = fmt.Errorf("%d secrets stayed sealed, although the stores have them", n)
		}
		return err
	}
	names, readable, err := sealedIn(c.dir)
	if err == nil && (names > c.kept || readable > c.kept) {
		err = fmt.Errorf("%d secrets stayed sealed, %d of them readable, although the stores have them", names, readable)
	}
	return err
}

// sealedIn counts the secrets in the state of a workspace, in a file, and those of
// which the ciphertext is there.
func sealedIn(dir string) (names, readable int, err error) {
	state := url.URL{Scheme: "file", Path: filepath.Join(dir, ".remint/state.db"), RawQuery: "mode=ro"}
	db, err := sql.Open("sqlite", state.String())
	if err != nil {
		return 0, 0, err
	}
	defer db.Close()
	err = db.QueryRow("SELECT (SELECT count(*) FROM sealed_name), (SELECT count(*) FROM sealed WHERE ciphertext <> zeroblob(length(ciphertext)))").Scan(&names, &readable)
	return names, readable, err
}
