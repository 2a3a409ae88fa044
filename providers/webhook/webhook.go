// Package webhook tells people by posting notices to a URL, signed as
// Standard Webhooks (standardwebhooks.com) wants it, so that stock verifiers work.
package webhook

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/boundedfile"
	"github.com/remint-dev/remint/internal/fetch"
)

// Notifier declares the notifier `webhook`.
func Notifier() provider.NotifierDefinition {
	return provider.NotifierDefinition{
		Name: "webhook",
		Description: "Posts each notice as JSON to a URL, with the headers `webhook-id` (the same over retries), `webhook-timestamp` and, with a secret, `webhook-signature`, as Standard Webhooks defines them. " +
			"Any 2xx answer is delivery. Network errors, 429 and 5xx are tried again; redirects are not followed.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "url", Type: provider.String, Required: true, Check: fetch.CheckURL,
				Description: "Where to post: https, or http to this machine. It is public: policies see it, `trust show` prints it and the state keeps it, so it must not carry a password or token; messages name only its host."},
			{Name: "secret", Type: provider.String, Sensitive: true,
				Description: "The key of the HMAC-SHA256 signature: `whsec_` and base64 as Standard Webhooks writes it, or any other text, taken as it is. Without it, requests are not signed."},
			{Name: "ca_file", Type: provider.PathType,
				Description: "PEM certificates of the authorities to trust for this URL, instead of the system's."},
			{Name: "timeout", Type: provider.Duration, Default: 10 * time.Second, Min: int64(100 * time.Millisecond), Max: int64(10 * time.Minute),
				Description: "How long one attempt may take."},
			{Name: "attempts", Type: provider.Int, Default: int64(4), Min: 1, Max: 10,
				Description: "How often to try, with growing pauses from half a second, or those the server asks for with Retry-After, up to 30 s."},
		}},
		Open: open,
	}
}

func open(_ context.Context, b provider.Block) (provider.Notifier, error) {
	target := b.Attrs.String("url")
	if err := fetch.CheckURL(target); err != nil {
		return nil, provider.Errorf(provider.Permanent, "url %s", err)
	}
	u, _ := url.Parse(target) // CheckURL parsed it
	key, err := signingKey(b.Attrs.Secret("secret"))
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if b.Attrs.Has("ca_file") {
		if config.RootCAs, err = authorities(b.Attrs.Path("ca_file")); err != nil {
			return nil, err
		}
	}
	return &notifier{
		url: target, host: addrs.Visible(u.Host), key: key,
		attempts: max(1, int(b.Attrs.Int("attempts"))),
		client: &http.Client{
			Timeout:   b.Attrs.Duration("timeout"),
			Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10, MaxIdleConns: 4, IdleConnTimeout: 30 * time.Second},
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return http.ErrUseLastResponse
			},
		},
		now: b.Clock(), wait: wait,
	}, nil
}

// signingKey decodes a whsec_ secret and takes any other as it is.
func signingKey(v secret.Value) (secret.Value, error) {
	text, ok := strings.CutPrefix(v.RevealString(), "whsec_")
	if !ok {
		return v, nil
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) == 0 {
		return secret.Value{}, provider.Errorf(provider.Permanent, "secret begins with whsec_, but what follows is not base64")
	}
	return secret.New(key), nil
}

// maxAuthorities bounds ca_file in bytes: what systems trust takes 250 kB.
const maxAuthorities = 4 << 20

func authorities(p provider.Path) (*x509.CertPool, error) {
	pem, err := boundedfile.Read(p.Absolute, maxAuthorities)
	if err != nil {
		return nil, provider.Errorf(provider.Permanent, "ca_file %s cannot be read: %s; check its path and mode", addrs.Visible(p.Written), err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, provider.Errorf(provider.Permanent, "ca_file %s holds no PEM certificate", addrs.Visible(p.Written))
	}
	return pool, nil
}

func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
