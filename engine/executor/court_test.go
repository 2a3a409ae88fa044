package executor_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"

	"github.com/remint-dev/remint/engine/evidence"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/journal"
)

// court is evidence that is really signed, and people who really sign.
type court struct {
	e       *env
	dir     string
	signer  *evidence.Signer
	ledger  note.Signer
	shelf   *shelf
	people  map[string]*evidence.Signer
	options evidence.VerifyOptions
}

func newCourt(e *env) *court {
	e.t.Helper()
	must := func(err error) {
		e.t.Helper()
		if err != nil {
			e.t.Fatal(err)
		}
	}
	c := &court{e: e, dir: e.t.TempDir(), shelf: &shelf{}, people: map[string]*evidence.Signer{}}
	c.options.Dir = filepath.Join(c.dir, "evidence")
	load := func(name string) *evidence.Signer {
		path := filepath.Join(c.dir, name+".pem")
		must(evidence.GenerateSigner(path, evidence.Ed25519))
		s, err := evidence.LoadSigner(path)
		must(err)
		return s
	}
	c.signer = load("evidence")
	c.options.PublicKeys = append(c.options.PublicKeys, c.signer.Public())
	for _, name := range []string{"alice", "bob"} {
		c.people[name] = load(name)
		c.options.People = append(c.options.People, evidence.Person{Names: []string{name}, Key: c.people[name].Public()})
	}
	ledger := filepath.Join(c.dir, "ledger.key")
	must(evidence.GenerateLedgerKey(ledger))
	var err error
	c.ledger, err = evidence.LoadLedgerKey(ledger)
	must(err)
	c.options.LedgerKey, err = evidence.LedgerPublicKeyOf(ledger)
	must(err)
	return c
}

// shelf keeps what is to be filed, all of it at once in the end.
type shelf struct {
	mu      sync.Mutex
	bundles []journal.Bundle
	ids     map[string]bool
}

// File keeps each bundle once.
func (s *shelf) File(_ context.Context, list []journal.Bundle) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids = map[string]bool{}
	}
	for _, b := range list {
		if !s.ids[b.ID] {
			s.ids[b.ID] = true
			s.bundles = append(s.bundles, b)
		}
	}
	return nil
}

// real has a process sign in earnest, and hear what people answered.
func (c *court) real(p *process, j *executor.Job) {
	p.x.Signer, p.x.Archive = c.signer, c.shelf
	documents, err := executor.Resolutions(p.ctx, p.journal, c.e.run)
	if err != nil {
		c.e.t.Fatal(err)
	}
	for _, d := range documents {
		for name, key := range c.people {
			if r, err := evidence.VerifyResolution(d.Content, key.Public()); err == nil {
				j.Answers = append(j.Answers, executor.Answer{Resolution: *r, By: name, Document: d})
			}
		}
	}
}

// asked is the open question, which there must be.
func (c *court) asked() executor.Asked {
	c.e.t.Helper()
	return look(c.e, func(j journal.Journal) executor.Asked {
		all, _, err := executor.Questions(context.Background(), j, c.e.run)
		if err != nil || len(all) != 1 {
			c.e.t.Fatalf("questions %v, %v", all, err)
		}
		for _, q := range all {
			return q
		}
		panic("unreachable")
	})
}

// answer signs an answer to the open question; whole is one about the reset.
func (c *court) answer(by, answer string, whole bool) {
	c.e.t.Helper()
	q := c.asked()
	if whole {
		q.Question = *executor.Whole(c.e.run, q.Address)
	}
	doc, err := evidence.SignResolution(c.people[by], evidence.Resolution{
		Run: c.e.run, PlanID: c.e.file.ID, PlanDigest: c.e.file.Digest, Address: q.Address, Step: q.Step, Question: q.Asks, Record: q.Record,
		Answer: answer, Approver: by, CreatedAt: c.e.w.now(),
	})
	if err != nil {
		c.e.t.Fatal(err)
	}
	err = look(c.e, func(j journal.Journal) error {
		return executor.KeepResolution(context.Background(), j, c.e.run, c.e.w.now(), []byte(strings.TrimSpace(string(doc))))
	})
	if err != nil {
		c.e.t.Fatal(err)
	}
}

// sound has the evidence of the closed run verified by the real verifier.
func (c *court) sound(asserted int) {
	c.e.t.Helper()
	p := c.e.process() // what a crash left unfiled
	c.real(p, &executor.Job{})
	if err := p.x.FileEvidence(p.ctx); err != nil {
		c.e.t.Fatal(err)
	}
	p.close()
	archive, err := evidence.OpenArchive(c.options.Dir, c.ledger)
	if err == nil {
		err = archive.File(context.Background(), c.shelf.bundles)
	}
	if err != nil {
		c.e.t.Fatal(err)
	}
	report, err := evidence.Verify(context.Background(), c.options)
	if err != nil {
		c.e.t.Fatal(err)
	}
	for _, f := range report.Findings {
		c.e.t.Errorf("finding: %s", f)
	}
	if report.Asserted != asserted {
		c.e.t.Errorf("%d records are asserted, want %d", report.Asserted, asserted)
	}
	// Without the people's keys nothing that is asserted is believed.
	o := c.options
	o.People = nil
	if report, err = evidence.Verify(context.Background(), o); err != nil || asserted > 0 && report.Sound() {
		c.e.t.Errorf("sound without anybody's key: %v", err)
	}
}
