package oidc

import (
	"bytes"
	"io"
	"net/http"
	"sync"
)

// once asks each address once, and gives the same answer, or fault, from then on.
type once struct {
	inner http.RoundTripper
	mu    sync.Mutex
	have  map[string]answer
}

type answer struct {
	resp *http.Response
	body []byte
	err  error
}

// RoundTrip asks, or remembers.
func (o *once) RoundTrip(r *http.Request) (*http.Response, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a, known := o.have[r.URL.String()]
	if !known {
		a = take(o.inner.RoundTrip(r))
		o.have[r.URL.String()] = a
	}
	if a.err != nil {
		return nil, a.err
	}
	resp := *a.resp
	resp.Header, resp.Request, resp.Body = a.resp.Header.Clone(), r, io.NopCloser(bytes.NewReader(a.body))
	return &resp, nil
}

// take reads an answer, which the transport below bounds.
func take(resp *http.Response, err error) answer {
	if err != nil {
		return answer{err: err}
	}
	body, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	return answer{resp, body, err}
}
