package webhook

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/fetch"
)

const canary = "c4nary-Zx9-secret"

func notice() provider.Notice {
	return provider.Notice{ID: "run1_billing", Kind: "finished", Address: "credential.postgresql_role.billing", Owner: "payments@example.com",
		Summary: "done", At: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// request is what the receiver saw.
type request struct {
	header http.Header
	body   []byte
}

// receiver answers with each code in turn, and then with the last.
func receiver(t *testing.T, server func(http.Handler) *httptest.Server, answers ...func(http.ResponseWriter)) (*httptest.Server, func() []request) {
	t.Helper()
	var mu sync.Mutex
	var seen []request
	s := server(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		mu.Lock()
		seen = append(seen, request{r.Header.Clone(), body})
		answer := answers[min(len(seen), len(answers))-1]
		mu.Unlock()
		answer(w)
	}))
	t.Cleanup(s.Close)
	return s, func() []request {
		mu.Lock()
		defer mu.Unlock()
		return seen
	}
}

func code(n int, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(n)
		_, _ = io.WriteString(w, canary)
	}
}

// opened gives a notifier whose pauses are recorded instead of waited for.
func opened(t *testing.T, set map[string]any) (*notifier, *[]time.Duration) {
	t.Helper()
	values := map[string]any{"timeout": 10 * time.Second, "attempts": int64(4)}
	for k, v := range set {
		values[k] = v
	}
	n, err := Notifier().Open(t.Context(), provider.Block{Attrs: provider.NewAttrs(values)})
	if err != nil {
		t.Fatal(err)
	}
	pauses := &[]time.Duration{}
	s := n.(*notifier)
	s.wait = func(_ context.Context, d time.Duration) error {
		*pauses = append(*pauses, d)
		return nil
	}
	s.now = func() time.Time { return time.Unix(1900000000, 0) }
	return s, pauses
}

func TestSignedAsStandardWebhooks(t *testing.T) {
	key := []byte("0123456789abcdef0123456789abcdef")
	for name, c := range map[string]struct {
		secret string
		key    []byte
	}{
		"whsec": {"whsec_" + base64.StdEncoding.EncodeToString(key), key},
		"text":  {canary, []byte(canary)},
		"none":  {"", nil},
	} {
		t.Run(name, func(t *testing.T) {
			server, seen := receiver(t, httptest.NewServer, code(204))
			set := map[string]any{"url": server.URL + "/hook?x=1"}
			if c.secret != "" {
				set["secret"] = secret.FromString(c.secret)
			}
			n, _ := opened(t, set)
			if err := n.Send(t.Context(), notice()); err != nil {
				t.Fatal(err)
			}
			got := seen()
			if len(got) != 1 {
				t.Fatalf("%d requests", len(got))
			}
			h := got[0].header
			want := ""
			if c.key != nil { // computed here as the specification says
				mac := hmac.New(sha256.New, c.key)
				mac.Write([]byte("run1_billing.1900000000." + string(got[0].body)))
				want = "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
			}
			if diff := cmp.Diff([]string{"application/json", "remint", "run1_billing", "1900000000", want},
				[]string{h.Get("Content-Type"), h.Get("User-Agent"), h.Get("Webhook-Id"), h.Get("Webhook-Timestamp"), h.Get("Webhook-Signature")}); diff != "" {
				t.Error(diff)
			}
			var back provider.Notice
			if err := json.Unmarshal(got[0].body, &back); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(notice(), back); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestSignatureVector is the example of the Standard Webhooks libraries.
func TestSignatureVector(t *testing.T) {
	key, err := signingKey(secret.FromString("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
	if err != nil {
		t.Fatal(err)
	}
	got := sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", []byte(`{"test": 2432232314}`))
	if got != "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
		t.Errorf("signature is %s", got)
	}
}

func TestAnswers(t *testing.T) {
	redirect := code(307, "Location", "http://127.0.0.1:1/"+canary)
	for name, c := range map[string]struct {
		answers []func(http.ResponseWriter)
		class   provider.Class // "" for delivery
		asked   int
		pauses  []time.Duration // at least
	}{
		"at once":          {[]func(http.ResponseWriter){code(200)}, "", 1, nil},
		"overload":         {[]func(http.ResponseWriter){code(500), code(503), code(200)}, "", 3, []time.Duration{firstPause / 2, firstPause}},
		"always down":      {[]func(http.ResponseWriter){code(502)}, provider.Transient, 4, []time.Duration{firstPause / 2, firstPause, 2 * firstPause}},
		"asked to wait":    {[]func(http.ResponseWriter){code(429, "Retry-After", "7"), code(200)}, "", 2, []time.Duration{7 * time.Second}},
		"asked to wait on": {[]func(http.ResponseWriter){code(429, "Retry-After", "86400"), code(200)}, "", 2, []time.Duration{longestPause}},
		"a date":           {[]func(http.ResponseWriter){code(503, "Retry-After", time.Unix(1900000011, 0).UTC().Format(http.TimeFormat)), code(200)}, "", 2, []time.Duration{11 * time.Second}},
		"refused":          {[]func(http.ResponseWriter){code(401)}, provider.Permanent, 1, nil},
		"redirect":         {[]func(http.ResponseWriter){redirect}, provider.Permanent, 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			server, seen := receiver(t, httptest.NewServer, c.answers...)
			n, pauses := opened(t, map[string]any{"url": server.URL + "/" + canary, "secret": secret.FromString(canary)})
			err := n.Send(t.Context(), notice())
			if provider.ClassOf(err, "") != c.class || (err == nil) != (c.class == "") {
				t.Errorf("%v", err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error carries the secret: %v", err)
			}
			got := seen()
			if len(got) != c.asked || len(*pauses) != len(c.pauses) {
				t.Fatalf("%d requests, pauses %v", len(got), *pauses)
			}
			for i, d := range *pauses {
				if d < c.pauses[i] || d > longestPause {
					t.Errorf("pause %d is %v, want %v or more", i, d, c.pauses[i])
				}
			}
			for _, r := range got {
				if r.header.Get("Webhook-Id") != "run1_billing" {
					t.Error("the ID is not the same over retries")
				}
			}
		})
	}
}

func TestTLS(t *testing.T) {
	server, seen := receiver(t, httptest.NewTLSServer, code(200))
	n, _ := opened(t, map[string]any{"url": server.URL, "attempts": int64(1)})
	if err := n.Send(t.Context(), notice()); provider.ClassOf(err, "") != provider.Permanent || !strings.Contains(err.Error(), "set ca_file") {
		t.Errorf("an unknown authority: %v", err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	if err := os.WriteFile(file, cert, 0o600); err != nil {
		t.Fatal(err)
	}
	ca := provider.Path{Written: "ca.pem", Absolute: file}
	n, _ = opened(t, map[string]any{"url": server.URL, "ca_file": ca})
	if err := n.Send(t.Context(), notice()); err != nil || len(seen()) != 1 {
		t.Errorf("with ca_file: %v, %d requests", err, len(seen()))
	}
	n, _ = opened(t, map[string]any{"url": strings.Replace(server.URL, "127.0.0.1", "localhost", 1), "ca_file": ca})
	if err := n.Send(t.Context(), notice()); err == nil || !strings.Contains(err.Error(), "another name") {
		t.Errorf("another name: %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(nil)
	server.Close()
	n, pauses := opened(t, map[string]any{"url": server.URL + "/" + canary})
	err := n.Send(t.Context(), notice())
	if provider.ClassOf(err, "") != provider.Transient || strings.Contains(err.Error(), canary) || len(*pauses) != 3 {
		t.Errorf("%v after %d pauses", err, len(*pauses))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	n.wait = wait
	if err := n.Send(ctx, notice()); provider.ClassOf(err, "") != provider.Transient || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("cancelled: %v", err)
	}
}

func TestMessageID(t *testing.T) {
	for id, want := range map[string]string{
		"abc_1-2":      "abc_1-2",
		"a.b":          "msg_",
		"a\r\nX: y":    "msg_",
		"credential/ü": "msg_",
		"":             "msg_",
	} {
		got := messageID(id)
		if !strings.HasPrefix(got, want) || !plainID(got) || got != messageID(id) {
			t.Errorf("%q: %q", id, got)
		}
	}
}

func TestChecks(t *testing.T) {
	for u, good := range map[string]bool{
		"https://hooks.example.com/x":     true,
		"http://127.0.0.1:8080/x":         true,
		"http://[::1]:8080/x":             true,
		"http://localhost/x":              true,
		"http://hooks.example.com/x":      false,
		"http://localhost.evil.example/x": false,
		"https://u:" + canary + "@h/x":    false,
		"ftp://h/x":                       false,
		"hooks.example.com":               false,
		"https://h/\x7f" + canary:         false,
		"":                                false,
	} {
		err := fetch.CheckURL(u)
		if (err == nil) != good || err != nil && strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", u, err)
		}
	}
	for name, set := range map[string]map[string]any{
		"secret":      {"url": "https://h", "secret": secret.FromString("whsec_" + canary + "!")},
		"absent file": {"url": "https://h", "ca_file": provider.Path{Written: "x", Absolute: "/absent"}},
		"no PEM":      {"url": "https://h", "ca_file": provider.Path{Written: "x", Absolute: "/etc/hostname"}},
	} {
		_, err := Notifier().Open(t.Context(), provider.Block{Attrs: provider.NewAttrs(set)})
		if provider.ClassOf(err, "") != provider.Permanent || strings.Contains(err.Error(), canary) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
