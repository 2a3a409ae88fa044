package ssh

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
)

// patience bounds one attempt to log in, besides the caller's context.
const patience = 15 * time.Second

// server is an SSH server whose host key is known beforehand.
type server struct {
	address, user string
	pin           pin
}

// pin is the host key that the server must have.
type pin struct {
	fingerprint string
	// algorithms that make the server show the key of the right type; several
	// families where only the fingerprint is known.
	families [][]string
}

// parsePin reads a public key or a fingerprint. Its error continues "must be".
func parsePin(s string) (pin, error) {
	if raw, ok := strings.CutPrefix(s, "SHA256:"); ok {
		if sum, err := base64.RawStdEncoding.Strict().DecodeString(raw); err != nil || len(sum) != 32 {
			return pin{}, errors.New("a whole SHA256 fingerprint, as ssh-keygen -lf prints it")
		}
		return pin{fingerprint: s, families: [][]string{
			{ssh.KeyAlgoED25519},
			{ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521},
			{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256},
		}}, nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(s))
	if _, isCertificate := key.(*ssh.Certificate); err != nil || isCertificate {
		return pin{}, errors.New("a public host key (TYPE BASE64) or its SHA256 fingerprint")
	}
	family := []string{key.Type()}
	if key.Type() == ssh.KeyAlgoRSA {
		family = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return pin{fingerprint: ssh.FingerprintSHA256(key), families: [][]string{family}}, nil
}

// attempt is what one connection came to.
type attempt struct {
	otherHost bool        // the server showed another host key
	offered   bool        // the server takes public keys, and got this one
	signed    atomic.Bool // the server knows the key: it asked for a signature
	err       error
}

// login authenticates once with key, runs nothing, and hangs up. Connections
// that end over the host key come before any authentication and do not count.
func (s *server) login(ctx context.Context, key ssh.Signer) (provider.Verdict, string) {
	for _, algorithms := range s.pin.families {
		a := s.attempt(ctx, key, algorithms)
		var negotiation *ssh.AlgorithmNegotiationError
		if a.otherHost || errors.As(a.err, &negotiation) && negotiation.What == "host key" {
			continue
		}
		return a.verdict()
	}
	return provider.Unclear, "the server does not show the pinned host key: it is another server, or its key was changed"
}

func (s *server) attempt(ctx context.Context, key ssh.Signer, algorithms []string) *attempt {
	a := &attempt{}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.address)
	if err != nil {
		a.err = errors.Join(ctx.Err(), err)
		return a
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	config := &ssh.ClientConfig{
		User:              s.user,
		ClientVersion:     "SSH-2.0-remint_probe",
		HostKeyAlgorithms: algorithms,
		HostKeyCallback: func(_ string, _ net.Addr, shown ssh.PublicKey) error {
			if ssh.FingerprintSHA256(shown) != s.pin.fingerprint {
				a.otherHost = true
				return errors.New("another host key")
			}
			return nil
		},
		Auth: []ssh.AuthMethod{ssh.PublicKeysCallback(func() ([]ssh.Signer, error) {
			a.offered = true
			return []ssh.Signer{watched(key, &a.signed)}, nil
		})},
	}
	c, channels, requests, err := ssh.NewClientConn(conn, s.address, config)
	if err != nil {
		_ = conn.Close()
		a.err = errors.Join(ctx.Err(), err)
		return a
	}
	go ssh.DiscardRequests(requests)
	go func() {
		for ch := range channels {
			_ = ch.Reject(ssh.Prohibited, "a probe takes no channels")
		}
	}()
	_ = c.Close()
	return a
}

// refusal is how crypto/ssh says that the server answered the key with a plain
// no. A server's own last words (too many failures) begin otherwise, so that no
// server can put this into its mouth.
const refusal = "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none publickey], no supported methods remain"

// verdict tells a wrong key from everything else that ends a login.
func (a *attempt) verdict() (provider.Verdict, string) {
	switch {
	case a.err == nil && a.signed.Load():
		return provider.Accepted, "logged in with the key"
	case a.err == nil:
		return provider.Unclear, "the server lets this user in without any key"
	case errors.Is(a.err, context.DeadlineExceeded), errors.Is(a.err, context.Canceled):
		return provider.Unclear, "no answer in time"
	case a.signed.Load():
		return provider.Unclear, "the server knows the key, but wanted more or did not let it in: " + answer(a.err)
	case a.offered && strings.HasPrefix(a.err.Error(), refusal):
		return provider.Refused, "the server does not accept the key (no supported methods remain)"
	default:
		return provider.Unclear, answer(a.err)
	}
}

// answer is what went wrong in the other side's words, short and harmless.
func answer(err error) string {
	if errors.Is(err, io.EOF) {
		return "the server closed the connection"
	}
	text := addrs.Visible(err.Error())
	if len(text) > 200 {
		text = strings.ToValidUTF8(text[:200], "") + "…"
	}
	return text
}

// watched is key, and tells when it was asked to sign.
func watched(key ssh.Signer, signed *atomic.Bool) ssh.Signer {
	if a, ok := key.(ssh.AlgorithmSigner); ok {
		return &watchedSigner{AlgorithmSigner: a, signed: signed}
	}
	return key
}

type watchedSigner struct {
	ssh.AlgorithmSigner
	signed *atomic.Bool
}

// Sign notes the use.
func (w *watchedSigner) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	w.signed.Store(true)
	return w.AlgorithmSigner.Sign(rand, data)
}

// SignWithAlgorithm notes the use.
func (w *watchedSigner) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	w.signed.Store(true)
	return w.AlgorithmSigner.SignWithAlgorithm(rand, data, algorithm)
}
