package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// state is a memory in a map.
type state map[string][]byte

// Recall reads the map.
func (m state) Recall(_ context.Context, key string) ([]byte, error) { return m[key], nil }

// Remember compares and writes.
func (m state) Remember(_ context.Context, key string, old, next []byte) error {
	if !bytes.Equal(m[key], old) {
		return provider.ErrConflict
	}
	m[key] = next
	return nil
}

// fake says yes to "good", as whom and how it was told to.
type fake struct {
	answer provider.Verified
	takes  provider.Takes
}

// Verify compares.
func (f fake) Verify(_ context.Context, asked provider.Asked, brought provider.Brought) (provider.Verified, error) {
	text := brought.Code.RevealString() + brought.Token.RevealString() + string(brought.Document)
	switch {
	case text == "":
		return provider.Verified{}, provider.ErrNothing
	case !strings.HasPrefix(text, "good"):
		return provider.Verified{}, errors.New("it is wrong")
	}
	out := f.answer
	if out.Identity == "" {
		out.Identity = asked.Identity
	}
	if out.Until.IsZero() {
		out.Until = asked.Now.Add(time.Hour)
	}
	return out, nil
}

// checker has a verifier "kind" "one" of each kind.
func checker(m provider.Memory, kinds map[string]fake) *Checker {
	r := provider.NewRegistry()
	c := &Checker{Registry: r, Memory: m, Now: func() time.Time { return now }}
	for name, f := range kinds {
		r.AddVerifier(provider.VerifierDefinition{Name: name, Takes: f.takes, Once: f.takes == provider.TakesCode,
			Open: func(context.Context, provider.Block) (provider.Verifier, error) { return f, nil }})
		c.Verifiers = append(c.Verifiers, &config.Block{Type: name, Name: "one", Attrs: provider.NewAttrs(nil)})
	}
	return c
}

func file() *plan.File {
	return &plan.File{ID: "id", Digest: "sha256:d", Plan: plan.Plan{Requester: "carol", Resets: []plan.Reset{{Address: "a", Subject: "ann"}, {Address: "b"}}}}
}

func accepted(method, who string, s lifecycle.Strength, f provider.Factor, bound bool, address string) Accepted {
	return Accepted{Verifier: method + ".one", Method: method, Address: address, Verified: provider.Verified{Identity: who, Strength: s, Factor: f, Bound: bound}}
}

func TestWhatAddsUp(t *testing.T) {
	saved := accepted("recovery", "carol", lifecycle.AAL1, provider.SavedRecoveryCode, false, "")
	app := accepted("totp", "carol", lifecycle.AAL1, provider.SingleFactor, false, "")
	key := accepted("key", "carol", lifecycle.AAL1, provider.SingleFactor, true, "")
	login := accepted("oidc", "carol", lifecycle.AAL1, provider.Federated, false, "")
	ticket := accepted("ticket", "carol", lifecycle.None, provider.Hearsay, false, "")
	other := accepted("totp", "dave", lifecycle.AAL1, provider.SingleFactor, false, "")
	subject := accepted("totp", "carol", lifecycle.AAL1, provider.SingleFactor, false, "a")
	strong := accepted("webauthn", "dave", lifecycle.AAL3, provider.MultiFactor, true, "")
	for name, tc := range map[string]struct {
		have  []Accepted
		who   string
		level lifecycle.Strength
		bound bool
	}{
		"nothing":                         {nil, "", lifecycle.None, false},
		"a ticket alone":                  {[]Accepted{ticket}, "", lifecycle.None, false},
		"a saved code":                    {[]Accepted{saved}, "carol", lifecycle.AAL1, false},
		"a saved code and an app":         {[]Accepted{saved, app}, "carol", lifecycle.AAL2, false},
		"a saved code and a key":          {[]Accepted{saved, key}, "carol", lifecycle.AAL2, false},
		"two saved codes":                 {[]Accepted{saved, saved}, "carol", lifecycle.AAL1, false},
		"an app and a key":                {[]Accepted{app, key}, "carol", lifecycle.AAL1, true},
		"a saved code and a login":        {[]Accepted{saved, login}, "carol", lifecycle.AAL1, false},
		"a saved code and a ticket":       {[]Accepted{saved, ticket}, "carol", lifecycle.AAL1, false},
		"a saved code and another's app":  {[]Accepted{other, saved}, "carol", lifecycle.AAL1, false},
		"an app of the subject":           {[]Accepted{saved, subject}, "carol", lifecycle.AAL1, false},
		"the surer of two people":         {[]Accepted{app, strong}, "dave", lifecycle.AAL3, true},
		"of equals the one who is named":  {[]Accepted{other, app}, "carol", lifecycle.AAL1, false},
		"the subject is not who asks yet": {[]Accepted{subject}, "", lifecycle.None, false},
	} {
		t.Run(name, func(t *testing.T) {
			o := outcome(file(), tc.have)
			if !strings.EqualFold(o.Identity, tc.who) || o.Level() != tc.level || o.Bound != tc.bound {
				t.Errorf("got %q at %s, bound %v; want %q at %s, bound %v", o.Identity, o.Level(), o.Bound, tc.who, tc.level, tc.bound)
			}
		})
	}
	o := outcome(file(), []Accepted{accepted("key", "ann", lifecycle.AAL1, provider.SingleFactor, true, "a"), app})
	if o.Subject("a", "ann") != lifecycle.AAL1 || o.Subject("b", "ann") != lifecycle.None || o.Subject("b", "carol") != lifecycle.AAL1 {
		t.Errorf("subjects: %s, %s, %s", o.Subject("a", "ann"), o.Subject("b", "ann"), o.Subject("b", "carol"))
	}
	for _, tc := range []struct {
		a, b string
		want bool
	}{{"a", "a", true}, {"a", "A", false}, {"a@x", "A@X", true}, {"github:Alice", "GitHub:alice", true}, {"kate@x", "\u212aate@x", false}, {"ses:a", "\u017fes:a", false}, {"a@x", "b@x", false}} {
		if Same(tc.a, tc.b) != tc.want || Same(tc.b, tc.a) != tc.want {
			t.Errorf("%q and %q: want %v", tc.a, tc.b, tc.want)
		}
	}
	if (Outcome{}).Level() != lifecycle.None {
		t.Error("the zero outcome knows somebody")
	}
}

func TestWhatIsUnboundIsCapped(t *testing.T) {
	for name, tc := range map[string]struct {
		in   provider.Verified
		want lifecycle.Strength
	}{
		"an unbound login": {provider.Verified{Strength: lifecycle.AAL3, Factor: provider.Federated}, lifecycle.AAL1},
		"a bound one":      {provider.Verified{Strength: lifecycle.AAL3, Factor: provider.Federated, Bound: true}, lifecycle.AAL3},
		"hearsay":          {provider.Verified{Strength: lifecycle.AAL3, Factor: provider.Hearsay, Bound: true}, lifecycle.AAL1},
		"weak hearsay":     {provider.Verified{Strength: lifecycle.None, Factor: provider.Hearsay}, lifecycle.None},
	} {
		if got := capped(tc.in).Strength; got != tc.want {
			t.Errorf("%s is worth %s, want %s", name, got, tc.want)
		}
	}
}

func TestADocumentIsJudgedAgain(t *testing.T) {
	c := checker(state{}, map[string]fake{
		"token": {provider.Verified{Identity: "carol", Strength: lifecycle.AAL2, Factor: provider.Federated, Bound: true}, provider.TakesToken},
	})
	f := file()
	token := provider.Brought{Token: secret.FromString("good")}
	a, refused := c.Present(t.Context(), f, Presented{Takes: provider.TakesToken, Brought: token})
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	var d *Document
	d = d.With(f, a, token, now).With(f, a, token, now) // twice is once
	read, err := Read(d.Encode(), f)
	if diff := cmp.Diff(d, read); diff != "" || err != nil || len(read.Verifications) != 1 {
		t.Fatal(err, diff)
	}
	if o, refused := c.Check(t.Context(), f, []*Document{read}, nil); o.Level() != lifecycle.AAL2 || len(refused) > 0 {
		t.Errorf("got %s, %v", o.Level(), refused)
	}
	read.Verifications[0].Evidence, read.Verifications[0].Strength = "bad", lifecycle.AAL3
	o, refused := c.Check(t.Context(), f, []*Document{read}, nil)
	if o.Level() != lifecycle.None || len(refused) != 1 || refused[0].Presented || refused[0].String() != "token.one: it is wrong." {
		t.Errorf("got %s, %v", o.Level(), refused)
	}
	read.Verifications[0].Verifier = "gone.one"
	if _, refused := c.Check(t.Context(), f, []*Document{read}, nil); len(refused) != 1 || !strings.Contains(refused[0].String(), "gone.one, which is not declared") {
		t.Errorf("got %v", refused)
	}
	a.Bound = false
	if e := (*Document)(nil).With(f, a, token, now).Verifications[0]; e.Evidence != "" {
		t.Error("an unbound token was kept")
	}
	for name, b := range map[string]string{
		"nothing": "", "another plan": strings.Replace(string(d.Encode()), `"id"`, `"other"`, 1), "something after it": string(d.Encode()) + "{}",
		"a member too many": strings.Replace(string(d.Encode()), `"plan_id"`, `"x": 1, "plan_id"`, 1), "a newer one": strings.Replace(string(d.Encode()), `"1.0"`, `"2.0"`, 1),
		"too much": strings.Repeat(" ", MaxDocument+1),
	} {
		if _, err := Read([]byte(b), f); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// A document of many verifications is refused, and one of as many as may be opens each
// verifier once.
func TestADocumentIsBounded(t *testing.T) {
	opened := 0
	r := provider.NewRegistry()
	r.AddVerifier(provider.VerifierDefinition{Name: "token", Takes: provider.TakesToken, Open: func(context.Context, provider.Block) (provider.Verifier, error) {
		opened++
		return fake{takes: provider.TakesToken}, nil
	}})
	c := &Checker{Registry: r, Memory: state{}, Now: func() time.Time { return now }, Verifiers: []*config.Block{{Type: "token", Name: "one", Attrs: provider.NewAttrs(nil)}}}
	f := file()
	d := &Document{FormatVersion: FormatVersion, PlanID: f.ID, PlanDigest: f.Digest}
	for i := range MaxVerifications {
		d.Verifications = append(d.Verifications, Entry{Verifier: "token.one", Identity: fmt.Sprint(i), Evidence: "forged"})
	}
	read, err := Read(d.Encode(), f)
	if err != nil {
		t.Fatal(err)
	}
	if _, refused := c.Check(t.Context(), f, []*Document{read, read}, nil); len(refused) != 2*MaxVerifications || opened != 1 {
		t.Errorf("%d were refused, and the verifier was opened %d times", len(refused), opened)
	}
	d.Verifications = append(d.Verifications, Entry{Verifier: "token.one"})
	if _, err := Read(d.Encode(), f); err == nil || !strings.Contains(err.Error(), "more than 1000 verifications") {
		t.Errorf("got %v", err)
	}
	head, tail, _ := strings.Cut(string((*Document)(nil).With(f, Accepted{}, provider.Brought{}, now).Encode()), `"verifications": [`)
	many := head + `"verifications": [` + strings.Repeat(`{},`, (MaxDocument-len(head)-len(tail))/3-10) + strings.TrimLeft(tail, " \n")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = Read([]byte(many), f)
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; err == nil || got > 8<<20 {
		t.Errorf("%v; %d bytes were allocated for %d", err, got, len(many))
	}
}

func TestCodesAreRememberedForTheirPlan(t *testing.T) {
	m := state{}
	c := checker(m, map[string]fake{"code": {provider.Verified{Strength: lifecycle.AAL1, Factor: provider.SingleFactor}, provider.TakesCode}})
	f := file()
	if _, refused := c.Present(t.Context(), f, Presented{Takes: provider.TakesCode, Brought: provider.Brought{Code: secret.FromString("good")}}); len(refused) > 0 {
		t.Fatal(refused)
	}
	if o, _ := c.Check(t.Context(), f, nil, nil); o.Identity != "carol" || o.Level() != lifecycle.AAL1 || o.Bound {
		t.Errorf("got %+v", o)
	}
	other := file()
	other.Digest = "sha256:e"
	if o, _ := c.Check(t.Context(), other, nil, nil); o.Level() != lifecycle.None {
		t.Error("it counts for a plan of another digest")
	}
	c.Now = func() time.Time { return now.Add(2 * time.Hour) }
	if o, refused := c.Check(t.Context(), f, nil, nil); o.Level() != lifecycle.None || len(refused) != 1 || !strings.Contains(refused[0].Why, "ceased to count") {
		t.Errorf("it counts for ever: %v, %v", o.Level(), refused)
	}
	for key := range m {
		m[key] = []byte("damaged")
	}
	if _, refused := c.Check(t.Context(), f, nil, nil); len(refused) != 1 || !strings.Contains(refused[0].Why, "damaged") {
		t.Errorf("got %v", refused)
	}
}

// Two people may be asked about one credential: the answer of one does not undo the other's.
func TestTwoPeopleByCodes(t *testing.T) {
	m := state{}
	c := checker(m, map[string]fake{"code": {provider.Verified{Strength: lifecycle.AAL1, Factor: provider.SingleFactor}, provider.TakesCode}})
	f := file()
	show := func(address, who string) {
		t.Helper()
		if _, refused := c.Present(t.Context(), f, Presented{Takes: provider.TakesCode, Address: address, Identity: who, Brought: provider.Brought{Code: secret.FromString("good")}}); len(refused) > 0 {
			t.Fatal(refused)
		}
	}
	show("a", "ann@example.com")
	show("a", "ben@example.com")
	show("a", "ANN@example.com") // once more
	show("", "carol")
	show("", "mallory")
	o, refused := c.Check(t.Context(), f, nil, nil)
	if len(refused) > 0 || len(o.Accepted) != 4 {
		t.Errorf("%d count, %v", len(o.Accepted), refused)
	}
	for _, who := range []string{"ann@example.com", "ben@example.com"} {
		if o.Subject("a", who) != lifecycle.AAL1 || o.Subject("b", who) != lifecycle.None {
			t.Errorf("%s counts %s for a, %s for b", who, o.Subject("a", who), o.Subject("b", who))
		}
	}
	if diff := cmp.Diff([]string{"carol", "mallory"}, o.Requesters()); diff != "" || o.Identity != "carol" {
		t.Error(o.Identity, diff)
	}
	// What is damaged is replaced by the next answer.
	for key := range m {
		m[key] = []byte("damaged")
	}
	delete(m, "guesses/code.one/carol")
	show("", "carol")
	if o, _ := c.Check(t.Context(), f, nil, nil); o.Level() != lifecycle.AAL1 {
		t.Error("it does not count")
	}
}

func TestGuessingIsThrottled(t *testing.T) {
	m, at := state{}, now
	c := checker(m, map[string]fake{"code": {provider.Verified{Strength: lifecycle.AAL1}, provider.TakesCode}})
	c.Now = func() time.Time { return at }
	try := func(code, who string) string {
		_, refused := c.Present(t.Context(), file(), Presented{Takes: provider.TakesCode, Identity: who, Brought: provider.Brought{Code: secret.FromString(code)}})
		if len(refused) == 0 {
			return ""
		}
		return refused[0].Why
	}
	for i := range freeFailures {
		if why := try("bad", ""); why != "it is wrong" {
			t.Fatalf("failure %d: %s", i, why)
		}
	}
	if why := try("good", ""); !strings.Contains(why, "5 codes for carol failed: the next one is taken from 2026-01-02T03:04:35Z on") {
		t.Errorf("got %q", why)
	}
	if why := try("good", "CaRoL"); !strings.Contains(why, "5 codes for CaRoL failed") {
		t.Errorf("spelt otherwise: %q", why)
	}
	if why := try("good", "dave"); why != "" {
		t.Errorf("somebody else: %q", why)
	}
	at = at.Add(firstWait)
	if why := try("bad", ""); why != "it is wrong" {
		t.Errorf("got %q", why)
	}
	at = at.Add(firstWait)
	if why := try("good", ""); !strings.Contains(why, "6 codes") {
		t.Errorf("the wait does not grow: %q", why)
	}
	at = at.Add(firstWait)
	if why := try("good", ""); why != "" {
		t.Errorf("after the wait: %q", why)
	}
	for range freeFailures { // a success forgives
		if why := try("bad", ""); why != "it is wrong" {
			t.Errorf("got %q", why)
		}
	}
	for range maxFailures {
		at = at.Add(longestWait)
		_ = try("bad", "")
	}
	at = at.Add(100 * longestWait)
	if why := try("good", ""); !strings.Contains(why, "locked for carol after 100 failures") {
		t.Errorf("got %q", why)
	}
}

func TestWhichVerifierIsMeant(t *testing.T) {
	token := fake{takes: provider.TakesToken}
	two := checker(state{}, map[string]fake{"a": token, "b": token, "code": {takes: provider.TakesCode}, "code2": {takes: provider.TakesCode}})
	for name, tc := range map[string]struct {
		c    *Checker
		p    Presented
		want string
	}{
		"none is declared":  {checker(state{}, nil), Presented{Takes: provider.TakesToken}, "This workspace declares no verifier"},
		"no such":           {two, Presented{Verifier: "x"}, "No verifier is called x. There are"},
		"none takes it":     {two, Presented{Takes: provider.TakesAssertion}, "takes what was brought"},
		"two codes":         {two, Presented{Takes: provider.TakesCode}, "name one with -verifier"},
		"two of one name":   {two, Presented{Verifier: "one", Takes: provider.TakesToken}, "name one with -verifier"},
		"one of other kind": {two, Presented{Verifier: "a.one", Takes: provider.TakesCode}, "verifier a.one does not take this: give it an ID token"},
	} {
		t.Run(name, func(t *testing.T) {
			_, refused := tc.c.Present(t.Context(), file(), tc.p)
			if len(refused) != 1 || !strings.Contains(refused[0].String(), tc.want) {
				t.Errorf("got %v, want %q", refused, tc.want)
			}
		})
	}
	// Tokens are shown to all that take one; one that holds is enough.
	c := checker(state{}, map[string]fake{"a": token, "b": {provider.Verified{Identity: "carol", Strength: lifecycle.AAL1}, provider.TakesToken}})
	if a, refused := c.Present(t.Context(), file(), Presented{Verifier: "b.one", Takes: provider.TakesToken, Brought: provider.Brought{Token: secret.FromString("good")}}); len(refused) > 0 || a.Verifier != "b.one" {
		t.Errorf("got %+v, %v", a, refused)
	}
}

// Whatever bytes lie beside a plan, reading them ends, and what is taken is written as it was read.
func FuzzRead(f *testing.F) {
	good := (*Document)(nil).With(file(), accepted("key", "carol", lifecycle.AAL1, provider.SingleFactor, true, ""), provider.Brought{Document: []byte("x")}, now)
	f.Add(good.Encode())
	f.Add([]byte(`{"format_version":"1.0","plan_id":"id","plan_digest":"sha256:d","verifications":null}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := Read(b, file())
		if err != nil {
			return
		}
		again, err := Read(d.Encode(), file())
		if err != nil || !bytes.Equal(again.Encode(), d.Encode()) {
			t.Errorf("%v: %s", err, d.Encode())
		}
	})
}
