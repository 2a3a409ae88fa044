// Package fetch asks other machines for small JSON documents: over TLS, without
// following redirects, and never for longer or more than is sensible. Its errors
// quote neither URLs nor answers, which can carry tokens.
package fetch

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Limit is how many bytes an answer may have, and Timeout how long it may take.
const (
	Limit   = 1 << 20
	Timeout = 15 * time.Second
)

// CheckURL finds what keeps a URL from being asked, as a sentence's second half.
func CheckURL(v any) error {
	s, _ := v.(string)
	u, err := url.Parse(s)
	switch {
	case err != nil, u.Host == "", u.Scheme != "https" && u.Scheme != "http":
		return errors.New("must be a URL such as https://service.example.com/path")
	case u.User != nil:
		return errors.New("must not carry a user or password: plans show it")
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return errors.New("must begin with https: http is for this machine only (127.0.0.1, ::1, localhost)")
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Client trusts the authorities in the PEM, the system's if it is empty.
func Client(pem string) (*http.Client, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if pem != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(pem)) {
			return nil, errors.New("holds no PEM certificate")
		}
	}
	return &http.Client{
		Timeout: Timeout,
		Transport: bounded{&http.Transport{
			Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
			MaxResponseHeaderBytes: 64 << 10, DisableKeepAlives: true,
		}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

// bounded cuts answers off, for libraries that read them whole.
type bounded struct{ inner http.RoundTripper }

// RoundTrip limits the body.
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.inner.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, Limit+1), resp.Body}
	}
	return resp, err
}

// JSON gets a document.
func JSON(ctx context.Context, c *http.Client, address string, header map[string]string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return errors.New("the URL cannot be used")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "remint")
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.Do(req)
	if err != nil {
		return unreachable(req.URL.Host, err)
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	switch {
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		return &StatusError{req.URL.Host, resp.StatusCode, "a redirect, which is not followed: name the place where it leads"}
	case resp.StatusCode != http.StatusOK:
		return &StatusError{req.URL.Host, resp.StatusCode, "not the document that was asked for"}
	case err != nil:
		return fmt.Errorf("%s broke off its answer", req.URL.Host)
	case len(b) > Limit:
		return fmt.Errorf("%s answers with more than %d bytes", req.URL.Host, Limit)
	}
	if json.Unmarshal(b, into) != nil {
		return fmt.Errorf("%s answers with something that is not the JSON that was expected", req.URL.Host)
	}
	return nil
}

// StatusError is an answer that is not 200.
type StatusError struct {
	Host string
	Code int
	What string
}

// Error says what was answered.
func (e *StatusError) Error() string { return fmt.Sprintf("%s answers %d, %s", e.Host, e.Code, e.What) }

func unreachable(host string, err error) error {
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &certificate):
		return fmt.Errorf("%s shows a certificate that is not trusted: name its authority with ca", host)
	case errors.As(err, &record):
		return fmt.Errorf("%s does not speak TLS", host)
	case errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s did not answer in time", host)
	}
	return fmt.Errorf("%s cannot be reached", host)
}
