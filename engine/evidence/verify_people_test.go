package evidence

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/journal"
)

// Whoever took part does not review: by key or certificate, and under any name that she
// is known by. A name that nobody declared is a name as well.
func TestTookPart(t *testing.T) {
	alice, bob := testSigner(t, Ed25519), testSigner(t, Ed25519)
	desk := Identity{"alice@example.com", "https://issuer"}
	people := []Person{
		{Names: []string{"alice", "alice@example.com", "alice-desk"}, Key: alice.Public()},
		{Names: []string{"alice-desk", "alice@example.com", "alice"}, Identity: desk},
		{Names: []string{"bob"}, Key: bob.Public()},
	}
	key := func(s *Signer) Signatory { return Signatory{KeyID: s.KeyID()} }
	byDesk := Signatory{Identity: desk}
	for name, tc := range map[string]struct {
		took  glassRun
		by    Signatory
		calls string
		want  bool
	}{
		"somebody else":                {glassRun{names: []string{"alice"}, by: []Signatory{key(alice)}}, key(bob), "bob", false},
		"the same key":                 {glassRun{by: []Signatory{key(alice)}}, key(alice), "x", true},
		"the same, that nobody knows":  {glassRun{by: []Signatory{{KeyID: "k"}}}, Signatory{KeyID: "k"}, "x", true},
		"her certificate, then key":    {glassRun{by: []Signatory{byDesk}}, key(alice), "x", true},
		"her key, then certificate":    {glassRun{by: []Signatory{key(alice)}}, byDesk, "x", true},
		"she ran it, by a name":        {glassRun{names: []string{"ALICE@example.com"}}, key(alice), "x", true},
		"she ran it, then certificate": {glassRun{names: []string{"alice"}}, byDesk, "x", true},
		"the name that she claims":     {glassRun{names: []string{"bob"}}, key(alice), "Bob", true},
		"another issuer's word":        {glassRun{by: []Signatory{{Identity: Identity{"zoe@example.com", "https://evil"}}}}, key(bob), "bob", false},
		"nobody is named":              {glassRun{names: []string{""}}, Signatory{}, "", false},
	} {
		v := &verification{VerifyOptions: VerifyOptions{People: people}}
		if got := v.tookPart(&tc.took, reviewed{said: &Review{Reviewer: tc.calls, CreatedAt: time.Now()}, by: tc.by}); got != tc.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// Whoever answered a question of a run that broke the glass took part in it.
func TestAnsweringIsTakingPart(t *testing.T) {
	alice := testSigner(t, Ed25519)
	c := testCommon("r1"+Glass, 1)
	res := testResolution()
	res.Run, res.PlanID, res.PlanDigest, res.Approver = c.Run, c.PlanID, c.PlanDigest, "alice"
	doc, err := SignResolution(alice, res)
	must(t, err)
	v := &verification{VerifyOptions: VerifyOptions{People: []Person{{Names: []string{"alice"}, Key: alice.Public()}}}, glass: map[string]*glassRun{}, report: &Report{}}
	v.answer(&recordFile{run: c.Run}, doc, c, res.Address, asked{})
	g := v.glass[c.Run]
	if g == nil || !v.tookPart(g, reviewed{said: &Review{Reviewer: "x"}, by: Signatory{KeyID: alice.KeyID()}}) {
		t.Errorf("she may review it: %+v", g)
	}
}

// Whoever ran it by any name, and whoever wrote its change, took part in it: the run's
// records say so by themselves.
func TestRunningAndWritingIsTakingPart(t *testing.T) {
	bob, eve, zoe := testSigner(t, Ed25519), testSigner(t, Ed25519), testSigner(t, Ed25519)
	people := []Person{
		{Names: []string{"bob", "github:bob"}, Key: bob.Public()},
		{Names: []string{"eve", "eve@example.com"}, Key: eve.Public()},
		{Names: []string{"zoe", "zoe@example.com"}, Key: zoe.Public()},
	}
	run := "r1" + Glass
	opened := Run{Common: testCommon(run, 1), Event: "opened", Operator: "github:nobody", OperatorNames: []string{"runner", "github:Bob"}, Authors: []string{"Eve@example.com"}, Requester: "op"}
	v := &verification{VerifyOptions: VerifyOptions{People: people}, glass: map[string]*glassRun{}, report: &Report{}}
	v.glassRecord(&recordFile{run: run}, &opened)
	for name, s := range map[string]*Signer{"bob": bob, "eve": eve, "zoe": zoe} {
		if took := v.tookPart(v.glass[run], reviewed{said: &Review{Reviewer: "x"}, by: Signatory{KeyID: s.KeyID()}}); took != (name != "zoe") {
			t.Errorf("%s: took part is %v", name, took)
		}
	}
	dir := filepath.Join(t.TempDir(), "evidence")
	key, _ := testLedgerKey(t)
	a, err := OpenArchive(dir, key)
	must(t, err)
	line, err := bob.Sign(opened)
	must(t, err)
	must(t, a.File(t.Context(), []journal.Bundle{{ID: ID(opened), Run: run, File: run + "/" + RunFile, Line: line}}))
	got, err := Participants(dir, run)
	must(t, err)
	if diff := cmp.Diff([]string{"github:nobody", "op", "runner", "github:Bob", "Eve@example.com"}, got); diff != "" {
		t.Error(diff)
	}
}
