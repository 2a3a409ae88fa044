package webauthn

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/softkey"
)

// The page runs its own script and nothing else, loads nothing, and has no text made
// into a part of it.
func TestThePageIsWhole(t *testing.T) {
	for _, served := range []bool{false, true} {
		page := string(Page(served))
		policy := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
		script := regexp.MustCompile(`(?s)<script>(.*)</script>`).FindStringSubmatch(page)
		style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page)
		if policy == nil || script == nil || style == nil || strings.Contains(page, "{{") {
			t.Fatalf("a part is missing: %s", page)
		}
		hash := func(s string) string {
			sum := sha256.Sum256([]byte(s))
			return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		connect := map[bool]string{false: "'none'", true: "'self'"}[served]
		want := []string{"default-src 'none'", "script-src " + hash(script[1]), "style-src " + hash(style[1]), "connect-src " + connect,
			"base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'"}
		if d := cmp.Diff(want, strings.Split(policy[1], "; ")); d != "" {
			t.Errorf("served %v: %s", served, d)
		}
		for _, bad := range []string{"http://", "https://", " src=", "url(", "@import", "innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("} {
			if strings.Contains(page, bad) {
				t.Errorf("the page has %s", bad)
			}
		}
		if found := regexp.MustCompile(`<[^>]*\son[a-z]+=`).FindString(strings.Replace(page, script[1], "", 1)); found != "" {
			t.Errorf("the page has a handler: %s", found)
		}
	}
}

func TestWhatThePageIsAsked(t *testing.T) {
	_, v := open1(t, false)
	id := base64.RawURLEncoding.EncodeToString(v.credentials[0].id)
	q := asked("p", nil)
	for name, tc := range map[string]struct {
		change func(q *provider.Asked)
		want   string
	}{
		"the requester": {func(*provider.Asked) {}, "remint1=confirm&rp=login.example.com&plan=p&digest=sha256%3Ax&subject=&user=preferred&keys=" + id},
		"a subject": {func(q *provider.Asked) { q.Address = `credential.a.b["x y&#"]` },
			"remint1=confirm&rp=login.example.com&plan=p&digest=sha256%3Ax&subject=credential.a.b%5B%22x%20y%26%23%22%5D&user=preferred&keys=" + id},
		"at aal1": {func(q *provider.Asked) { q.Strength = lifecycle.AAL1 }, "remint1=confirm&rp=login.example.com&plan=p&digest=sha256%3Ax&subject=&user=preferred&keys=" + id},
		"at aal2": {func(q *provider.Asked) { q.Strength = lifecycle.AAL2 }, "remint1=confirm&rp=login.example.com&plan=p&digest=sha256%3Ax&subject=&user=required&keys=" + id},
		"at aal3": {func(q *provider.Asked) { q.Strength = lifecycle.AAL3 }, "remint1=confirm&rp=login.example.com&plan=p&digest=sha256%3Ax&subject=&user=required&keys=" + id},
	} {
		t.Run(name, func(t *testing.T) {
			q := q
			tc.change(&q)
			got, err := v.Question(q)
			if d := cmp.Diff(tc.want, got); d != "" || err != nil {
				t.Error(d, err)
			}
			if got := v.Challenge(q)["userVerification"]; got != regexp.MustCompile(`user=(\w+)`).FindStringSubmatch(tc.want)[1] {
				t.Errorf("options of one's own say %v", got)
			}
		})
	}
	// Others' keys are left out where the person is known by name.
	other, err := softkey.New(rp, origin)
	if err != nil {
		t.Fatal(err)
	}
	d, err := other.Declaration("bob@example.com", false)
	if err != nil {
		t.Fatal(err)
	}
	v.credentials = append(v.credentials, declared(t, d)...)
	q.Identity = "alice@example.com"
	if got, err := v.Question(q); err != nil || !strings.HasSuffix(got, "&keys="+id) {
		t.Errorf("alice is asked for %s", got)
	}
	q.Identity = "zoe"
	if got, err := v.Question(q); err != nil || !strings.HasSuffix(got, "&keys="+id+"."+v.credentials[1].ID) {
		t.Errorf("somebody unknown is asked for %s", got)
	}
}

func declared(t *testing.T, entries ...map[string]any) []credential {
	t.Helper()
	b, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	list, err := parseCredentials(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestRegistration(t *testing.T) {
	_, v := open1(t, false)
	id := v.credentials[0].ID
	for who, want := range map[string]string{
		"alice@example.com": "remint1=register&rp=login.example.com&who=alice%40example.com&name=w&keys=" + id,
		"Zoë & bob":         "remint1=register&rp=login.example.com&who=Zo%C3%AB%20%26%20bob&name=w&keys=",
	} {
		if got, err := v.Registration("w", who); got != want || err != nil {
			t.Errorf("%s: %s, %v", who, got, err)
		}
	}
	for _, who := range []string{"", "a\nb", "a\u202eb", "${a}", `a"b`, `a\b`, strings.Repeat("a", 321)} {
		if got, err := v.Registration("w", who); err == nil {
			t.Errorf("%q is registered: %s", who, got)
		}
	}
	fresh, err := softkey.New(rp, origin)
	if err != nil {
		t.Fatal(err)
	}
	entry := func(k *softkey.Key, who string, hardware bool) []byte {
		d, err := k.Declaration(who, hardware)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	line, err := v.Registered("bob", entry(fresh, "bob", false))
	if err != nil {
		t.Fatal(err)
	}
	if list, err := parseCredentials("[" + line + "]"); err != nil || list[0].Identity != "bob" || strings.Contains(line, "\n") {
		t.Errorf("it cannot be declared: %s, %v", line, err)
	}
	old, err := json.Marshal(v.credentials[0])
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{
		"another's":        entry(fresh, "eve", false),
		"hardware":         entry(fresh, "bob", true),
		"two":              append(append(entry(fresh, "bob", false), ','), old...),
		"none":             {},
		"no key":           []byte(`{"identity":"bob","id":"AA","public_key":"AA"}`),
		"another member":   []byte(`{"identity":"bob","x":1}`),
		"one that is here": []byte(strings.Replace(string(old), "alice@example.com", "bob", 1)),
	} {
		if got, err := v.Registered("bob", b); err == nil {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestWhereThePageIs(t *testing.T) {
	at := func(origins []string, page string) (string, error) {
		v, err := Verifier().Open(t.Context(), provider.Block{Name: "w", Attrs: provider.NewAttrs(map[string]any{"rp_id": rp, "origins": origins, "credentials": "[]", "page": page})})
		if err != nil {
			return "", err
		}
		return v.(*verifier).PageURL(), nil
	}
	two := []string{origin, "https://id.login.example.com"}
	for page, want := range map[string]string{"": origin + "/remint.html", "https://id.login.example.com/keys/": "https://id.login.example.com/keys/"} {
		if got, err := at(two, page); got != want || err != nil {
			t.Errorf("%s: %s, %v", page, got, err)
		}
	}
	for _, page := range []string{"https://evil.test/remint.html", "https://login.example.com.evil.test/", "http://login.example.com/remint.html"} {
		if got, err := at(two, page); err == nil {
			t.Errorf("%s: %s", page, got)
		}
	}
	for _, page := range []string{"", "x", "https://a/#x", "https://a/#", "https://u@a/", "javascript:1"} {
		if checkPage(page) == nil {
			t.Errorf("%q is a page", page)
		}
	}
}

// A verifier that declares no key yet says so.
func TestNoKeyYet(t *testing.T) {
	k, v := open1(t, false)
	v.credentials = nil
	q := asked("p", memory{})
	_, err := v.Verify(t.Context(), q, answer(t, k, v.Challenge(q)["challenge"].(string)))
	if err == nil || !strings.Contains(err.Error(), "-new-key=WHO") {
		t.Errorf("%v", err)
	}
	if got, err := v.Question(q); err == nil {
		t.Errorf("there is a link all the same: %s", got)
	}
}
