// Package oidctest runs a real OpenID Connect provider, the npm package
// oidc-provider, on 127.0.0.1 for tests, and logs people in there as a browser
// would.
package oidctest

import (
	"bufio"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Version is the provider's; scripts/deps installs it.
const Version = "8.8.1"

//go:embed provider.mjs
var program []byte

// Server is a running provider.
type Server struct {
	// Issuer is its URL.
	Issuer string
	cmd    *exec.Cmd
	dir    string
}

// Start runs a provider on a free port, and returns when it answers.
func Start() (*Server, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	library := filepath.Join(cache, "remint-tools", "oidc-provider-"+Version, "node_modules", "oidc-provider", "lib", "index.js")
	if _, err := os.Stat(library); err != nil {
		return nil, fmt.Errorf("the test needs %s: make deps installs it", library)
	}
	dir, err := os.MkdirTemp("", "oidctest")
	if err != nil {
		return nil, err
	}
	script := filepath.Join(dir, "provider.mjs")
	if err := os.WriteFile(script, program, 0o600); err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	port := strconv.Itoa(l.Addr().(*net.TCPAddr).Port)
	if err := l.Close(); err != nil {
		return nil, err
	}
	s := &Server{Issuer: "http://127.0.0.1:" + port, cmd: exec.Command("node", script, library, port), dir: dir}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan bool, 1)
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if lines.Text() == "ready" {
				ready <- true
			}
		}
		close(ready)
	}()
	select {
	case ok := <-ready:
		if ok {
			return s, nil
		}
		err = errors.New("the OpenID Connect provider ended at once")
	case <-time.After(30 * time.Second):
		err = errors.New("the OpenID Connect provider does not start")
	}
	return nil, errors.Join(err, s.Stop())
}

// Stop ends the provider.
func (s *Server) Stop() error {
	err := s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	return errors.Join(err, os.RemoveAll(s.dir))
}

// Login is a person at a client.
type Login struct {
	// Client is remint or other.
	Client string
	User   string
	Nonce  string
	// ACR is asked for, when set: urn:example:mfa or urn:example:pwd.
	ACR string
}

// Token logs somebody in with the authorization code flow and PKCE, and gives the
// ID token.
func (s *Server) Token(l Login) (string, error) {
	verifier := rand.Text() + rand.Text()
	sum := sha256.Sum256([]byte(verifier))
	q := url.Values{
		"client_id": {l.Client}, "response_type": {"code"}, "scope": {"openid email"}, "redirect_uri": {s.Issuer + "/back"},
		"login_hint": {l.User}, "state": {"x"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
		"claims": {`{"id_token":{"acr":null,"amr":null,"auth_time":null}}`},
	}
	if l.Nonce != "" {
		q.Set("nonce", l.Nonce)
	}
	if l.ACR != "" {
		q.Set("acr_values", l.ACR)
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	code := ""
	browser := &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if strings.HasPrefix(r.URL.Path, "/back") {
			code = r.URL.Query().Get("code")
			return http.ErrUseLastResponse
		}
		if len(via) > 10 {
			return errors.New("it redirects without end")
		}
		return nil
	}}
	resp, err := browser.Get(s.Issuer + "/auth?" + q.Encode())
	if err != nil {
		return "", err
	}
	page, _ := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if code == "" {
		return "", fmt.Errorf("no code: %s at %s: %.500s", resp.Status, resp.Header.Get("Location"), page)
	}
	resp, err = browser.PostForm(s.Issuer+"/token", url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {s.Issuer + "/back"}, "client_id": {l.Client}, "code_verifier": {verifier},
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	var answer struct {
		Token string `json:"id_token"`
		Error string `json:"error_description"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		return "", fmt.Errorf("no token: %s: %w", resp.Status, err)
	}
	if answer.Token == "" {
		return "", fmt.Errorf("no token: %s %s", resp.Status, answer.Error)
	}
	return answer.Token, nil
}
