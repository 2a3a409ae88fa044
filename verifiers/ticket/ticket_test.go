package ticket

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

func TestWhatATicketMustSay(t *testing.T) {
	const a, b = "credential.htpasswd_user.ann", `credential.htpasswd_user.team["b en"]`
	good := `{"key":"SEC-1","fields":{"status":{"name":"Open"},"labels":["` + a + `","credential.htpasswd_user.team[\"b en\"]"],"reporter":[{"mail":"carol@example.com"}]}}`
	for name, tc := range map[string]struct {
		ticket string
		status int
		body   string
		want   string
	}{
		"it does":                    {"SEC-1", 200, good, ""},
		"a text of addresses":        {"SEC-1", 200, strings.Replace(good, `["`+a+`","credential.htpasswd_user.team[\"b en\"]"]`, `"please: `+a+`"`, 1), `does not name credential.htpasswd_user.team["b en"] (1 of 2)`},
		"closed":                     {"SEC-1", 200, strings.Replace(good, "Open", "Done", 1), "is Done, and must be Open or Reopened"},
		"no state":                   {"SEC-1", 200, `{}`, "in a state that state_path does not find"},
		"another credential":         {"SEC-1", 200, strings.Replace(good, "ann", "anna", 1), "does not name " + a},
		"nobody":                     {"SEC-1", 200, strings.Replace(good, "mail", "phone", 1), "does not say who asks"},
		"not there":                  {"SEC-9", 404, ``, "there is no ticket SEC-9"},
		"no right":                   {"SEC-1", 403, ``, "check the verifier's token"},
		"elsewhere":                  {"SEC-1", 302, ``, "a redirect, which is not followed"},
		"broken":                     {"SEC-1", 500, ``, "answers 500"},
		"no JSON":                    {"SEC-1", 200, `<html>`, "not the JSON"},
		"endless":                    {"SEC-1", 200, `"` + strings.Repeat("x", 2<<20) + `"`, "answers with more than"},
		"a ticket that leads astray": {"../admin?x#", 200, good, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []string
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked = append(asked, r.URL.EscapedPath()+" "+r.Header.Get("Authorization"))
				if tc.status == 302 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(tc.status)
				_, _ = fmt.Fprint(w, tc.body)
			}))
			defer s.Close()
			ca := pemOf(s)
			v, err := Verifier().Open(t.Context(), provider.Block{Name: "t", Attrs: provider.NewAttrs(map[string]any{
				"url": s.URL + "/issue/{ticket}/x", "token": secret.FromString("sesame"), "ca": ca, "state_path": "fields.status.name",
				"open_states": []string{"Open", "Reopened"}, "credentials_path": "fields.labels", "identity_path": "fields.reporter.0.mail", "strength": "none",
			})})
			if err != nil {
				t.Fatal(err)
			}
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			got, err := v.Verify(t.Context(), provider.Asked{Ticket: tc.ticket, Addresses: []string{a, b}, Now: now}, provider.Brought{})
			if tc.want != "" {
				if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "sesame") {
					t.Errorf("got %v, want %q", err, tc.want)
				}
			} else if diff := cmp.Diff(provider.Verified{
				Identity: "carol@example.com", Strength: lifecycle.None, Factor: provider.Hearsay, Until: now.Add(time.Hour),
				Claims: map[string]string{"ticket": tc.ticket, "state": "Open"},
			}, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
			if len(asked) != 1 || !strings.HasPrefix(asked[0], "/issue/") || !strings.HasSuffix(asked[0], "/x Bearer sesame") || strings.Count(asked[0], "/") != 3 {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestURLsThatCannotBe(t *testing.T) {
	for _, u := range []string{"", "https://t.example.com/", "https://{ticket}.example.com/", "https://t.example.com{ticket}", "http://t.example.com/{ticket}",
		"https://u:p@t.example.com/{ticket}", "https://t.example.com/{ticket}/{ticket}", "ftp://t/{ticket}"} {
		if checkURL(u) == nil {
			t.Errorf("%q was taken", u)
		}
	}
	if err := checkURL("https://t.example.com/rest/{ticket}?x=1"); err != nil {
		t.Error(err)
	}
}

func TestNothingToAsk(t *testing.T) {
	v := &verifier{}
	for _, asked := range []provider.Asked{{}, {Ticket: "T", Address: "credential.x.y"}} {
		if _, err := v.Verify(t.Context(), asked, provider.Brought{}); !errors.Is(err, provider.ErrNothing) {
			t.Errorf("%+v gives %v", asked, err)
		}
	}
}
