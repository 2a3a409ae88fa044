// Package fulcio asks a Fulcio certificate authority and an RFC 3161 timestamp
// authority, as Sigstore runs them.
package fulcio

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/digitorus/timestamp"

	"github.com/remint-dev/remint/internal/fetch"
)

// Certificate has the authority at url certify the public half of key for whom the ID
// token names. Errors quote neither.
func Certificate(ctx context.Context, url, token string, key crypto.Signer) (*x509.Certificate, error) {
	csr, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	if err != nil {
		return nil, errors.New("the request for a certificate cannot be made")
	}
	asked, err := json.Marshal(map[string]any{
		"credentials":               map[string]string{"oidcIdentityToken": token},
		"certificateSigningRequest": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: csr}),
	})
	if err != nil {
		return nil, errors.New("the request for a certificate cannot be made")
	}
	answer, err := post(ctx, strings.TrimSuffix(url, "/")+"/api/v2/signingCert", "application/json", asked)
	if err != nil {
		return nil, fmt.Errorf("the certificate authority %w", err)
	}
	type certified struct {
		Chain struct{ Certificates []string }
	}
	var got struct{ SignedCertificateEmbeddedSct, SignedCertificateDetachedSct certified }
	if json.Unmarshal(answer, &got) != nil {
		return nil, errors.New("the certificate authority gave something else than JSON")
	}
	chain := slices.Concat(got.SignedCertificateEmbeddedSct.Chain.Certificates, got.SignedCertificateDetachedSct.Chain.Certificates)
	if len(chain) == 0 {
		return nil, errors.New("the certificate authority gave no certificate")
	}
	block, _ := pem.Decode([]byte(chain[0]))
	if block == nil {
		return nil, errors.New("the certificate authority gave no certificate in PEM")
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, errors.New("the certificate authority gave a damaged certificate")
	}
	if public, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(key.Public()) {
		return nil, errors.New("the certificate authority certified another key")
	}
	return c, nil
}

// Timestamp has the authority at url say that the signature exists now: its response, as DER.
func Timestamp(ctx context.Context, url string, signature []byte) ([]byte, error) {
	asked, err := timestamp.CreateRequest(bytes.NewReader(signature), &timestamp.RequestOptions{Hash: crypto.SHA256, Certificates: true})
	if err != nil {
		return nil, errors.New("the request for a timestamp cannot be made")
	}
	answer, err := post(ctx, url, "application/timestamp-query", asked)
	if err != nil {
		return nil, fmt.Errorf("the timestamp authority %w", err)
	}
	if _, err := timestamp.ParseResponse(answer); err != nil {
		return nil, errors.New("the timestamp authority gave no timestamp")
	}
	return answer, nil
}

// post asks, and gives the answer if that is a good one.
func post(ctx context.Context, url, kind string, body []byte) ([]byte, error) {
	if err := fetch.CheckURL(url); err != nil {
		return nil, fmt.Errorf("cannot be asked: its URL %w", err)
	}
	client, err := fetch.Client("")
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("cannot be asked: its URL cannot be used")
	}
	req.Header.Set("Content-Type", kind)
	resp, err := client.Do(req)
	if err != nil {
		return nil, errors.New("does not answer")
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, fetch.Limit))
	switch {
	case err != nil:
		return nil, errors.New("stopped in the middle of its answer")
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusCreated:
		return nil, fmt.Errorf("refused, with status %d", resp.StatusCode)
	}
	return answer, nil
}
