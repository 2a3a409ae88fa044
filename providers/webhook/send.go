package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

const (
	firstPause   = 500 * time.Millisecond
	longestPause = 30 * time.Second
	// drained is how much of an answer is read, to use the connection again.
	drained = 64 << 10
)

type notifier struct {
	url, host string
	key       secret.Value
	attempts  int
	client    *http.Client
	now       func() time.Time
	wait      func(context.Context, time.Duration) error
}

// Send posts n until it is answered with 2xx, the answer is final (Permanent),
// or the attempts are used up (Transient).
func (s *notifier) Send(ctx context.Context, n provider.Notice) error {
	body, err := json.Marshal(n)
	if err != nil {
		return provider.Errorf(provider.Permanent, "the notice cannot be written as JSON: its time is out of range")
	}
	pause := firstPause
	for i := 1; ; i++ {
		after, err := s.post(ctx, messageID(n.ID), body)
		if provider.ClassOf(err, provider.Permanent) != provider.Transient || i == s.attempts {
			return err
		}
		d := pause/2 + rand.N(pause/2)
		if s.wait(ctx, min(max(d, after), longestPause)) != nil {
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

// post makes one attempt; after is the pause that the server asks for.
func (s *notifier) post(ctx context.Context, id string, body []byte) (after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, provider.Errorf(provider.Permanent, "the webhook's url is unusable")
	}
	stamp := strconv.FormatInt(s.now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "remint")
	req.Header.Set("webhook-id", id)
	req.Header.Set("webhook-timestamp", stamp)
	if !s.key.IsZero() {
		req.Header.Set("webhook-signature", "v1,"+sign(s.key, id, stamp, body))
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, s.unreachable(ctx, err)
	}
	_, _ = io.CopyN(io.Discard, resp.Body, drained)
	_ = resp.Body.Close()
	switch code := resp.StatusCode; {
	case code >= 200 && code <= 299:
		return 0, nil
	case code == http.StatusTooManyRequests, code >= 500:
		return s.retryAfter(resp.Header.Get("Retry-After")), provider.Errorf(provider.Transient, "the webhook at %s answered %d: it is overloaded or out of order", s.host, code)
	case code >= 300 && code <= 399:
		return 0, provider.Errorf(provider.Permanent, "the webhook at %s answered %d, a redirect, which is not followed: set url to where it leads", s.host, code)
	default:
		return 0, provider.Errorf(provider.Permanent, "the webhook at %s answered %d: it will not take this notice; check url and secret", s.host, code)
	}
}

// sign is the signature of Standard Webhooks, version 1.
func sign(key secret.Value, id, stamp string, body []byte) string {
	h := hmac.New(sha256.New, key.Reveal())
	h.Write([]byte(id + "." + stamp + "."))
	h.Write(body)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// plainID reports whether id has 1 to 128 characters, none of which means anything in
// a header or in the signed text. (A counted repetition is compiled into as many copies,
// at every start of the program.)
func plainID(id string) bool {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
	}
	return id != "" && len(id) <= 128 && strings.IndexFunc(id, other) < 0
}

// messageID is the notice's ID, or a hash of it where it has characters that
// could be mistaken in a header or in the signed text.
func messageID(id string) string {
	if plainID(id) {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// retryAfter reads seconds or a date.
func (s *notifier) retryAfter(v string) time.Duration {
	if n, err := strconv.ParseUint(v, 10, 32); err == nil {
		return time.Duration(n) * time.Second
	}
	if t, err := http.ParseTime(v); err == nil {
		return t.Sub(s.now())
	}
	return 0
}

// unreachable says why there was no answer, in words of its own: what net/http
// says quotes the URL.
func (s *notifier) unreachable(ctx context.Context, err error) error {
	var dns *net.DNSError
	var timeout net.Error
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var other *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	switch {
	case ctx.Err() != nil:
		return provider.Errorf(provider.Transient, "the webhook at %s was not waited for: the run was cancelled", s.host)
	case errors.As(err, &unknown):
		return provider.Errorf(provider.Permanent, "the webhook at %s shows a certificate of an unknown authority: set ca_file", s.host)
	case errors.As(err, &name):
		return provider.Errorf(provider.Permanent, "the webhook at %s shows a certificate for another name", s.host)
	case errors.As(err, &invalid), errors.As(err, &other):
		return provider.Errorf(provider.Permanent, "the webhook at %s shows a certificate that is expired or otherwise not valid", s.host)
	case errors.As(err, &record):
		return provider.Errorf(provider.Permanent, "the webhook at %s does not speak TLS", s.host)
	case errors.As(err, &dns):
		return provider.Errorf(provider.Transient, "the webhook's host %s cannot be found", s.host)
	case errors.Is(err, syscall.ECONNREFUSED):
		return provider.Errorf(provider.Transient, "the webhook at %s refuses connections", s.host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return provider.Errorf(provider.Transient, "the webhook at %s did not answer in time", s.host)
	}
	return provider.Errorf(provider.Transient, "the connection to the webhook at %s failed", s.host)
}
