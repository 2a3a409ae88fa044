package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
	"github.com/remint-dev/remint/internal/boundedconn"
)

type notifier struct {
	address, host, mode string
	from                *mail.Address
	to                  []*mail.Address
	username            string
	password            secret.Value
	config              *tls.Config
	timeout             time.Duration
}

// Send hands n to the mail server. Ambiguous means that the server may have
// taken it: sending again then makes a duplicate with the same Message-ID.
func (s *notifier) Send(ctx context.Context, n provider.Notice) error {
	to := s.to
	if len(to) == 0 {
		var err error
		if to, err = mail.ParseAddressList(n.To); err != nil {
			return provider.Errorf(provider.Permanent, "the notice is for %s, which is no mail address: set the owner to one, or `to` of the notifier", addrs.Quote(n.To))
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	conn, err := s.dial(ctx)
	if err != nil {
		return s.failed("connecting", err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return s.converse(conn, to, message(n, s.from, to))
}

// maxHeard is how much of a mail server is read in one conversation, in bytes; of a
// sound one it is some lines.
const maxHeard = 1 << 20

func (s *notifier) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	conn := boundedconn.Conn(raw, maxHeard)
	if s.mode != "tls" {
		return conn, nil
	}
	encrypted := tls.Client(conn, s.config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return encrypted, nil
}

func (s *notifier) converse(conn net.Conn, to []*mail.Address, text []byte) error {
	c, err := smtp.NewClient(conn, s.host)
	if err != nil {
		return s.failed("the greeting", err)
	}
	if err := c.Hello("localhost"); err != nil { // as it would on its own, without saying what came of it
		return s.failed("the introduction", err)
	}
	if s.mode == "starttls" {
		if ok, _ := c.Extension("STARTTLS"); !ok {
			return provider.Errorf(provider.Permanent, "the mail server at %s offers no STARTTLS: set tls to \"tls\" if it is encrypted from the start", s.name())
		}
		if err := c.StartTLS(s.config); err != nil {
			return s.failed("STARTTLS", err)
		}
	}
	if !s.password.IsZero() {
		if ok, _ := c.Extension("AUTH"); !ok {
			return provider.Errorf(provider.Permanent, "the mail server at %s takes no login here: leave out username and password, or use another port", s.name())
		}
		if err := c.Auth(smtp.PlainAuth("", s.username, s.password.RevealString(), s.host)); err != nil {
			return s.failed("the login", err)
		}
	}
	if err := c.Mail(s.from.Address); err != nil {
		return s.failed("the sender", err)
	}
	for _, a := range to {
		if err := c.Rcpt(a.Address); err != nil {
			return s.failed("the recipient "+addrs.Visible(a.Address), err)
		}
	}
	w, err := c.Data()
	if err != nil {
		return s.failed("the mail", err)
	}
	_, err = w.Write(text)
	if err == nil {
		err = w.Close()
	}
	var answer *textproto.Error
	if err != nil && !errors.As(err, &answer) {
		return provider.Errorf(provider.Ambiguous, "the connection to the mail server at %s broke while it took the mail: it may have been delivered", s.name())
	}
	if err != nil {
		return s.failed("the mail", err)
	}
	_ = c.Quit() // it has the mail
	return nil
}

func (s *notifier) name() string { return addrs.Visible(s.address) }

// failed says what went wrong before the mail was handed over, without the
// server's own words: it knows the password, and could repeat it.
func (s *notifier) failed(what string, err error) error {
	var answer *textproto.Error
	var timeout net.Error
	var dns *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var authority x509.UnknownAuthorityError
	switch {
	case errors.Is(err, boundedconn.ErrTooMuch):
		return provider.Errorf(provider.Permanent, "the mail server at %s answered more than %d MiB to %s: no mail server does; check the address", s.name(), maxHeard>>20, what)
	case errors.As(err, &answer) && answer.Code >= 500:
		return provider.Errorf(provider.Permanent, "the mail server at %s answered %d to %s: it will not take this mail; check the notifier's settings and the server's log", s.name(), answer.Code, what)
	case errors.As(err, &answer):
		return provider.Errorf(provider.Transient, "the mail server at %s answered %d to %s: not now", s.name(), answer.Code, what)
	case errors.As(err, &authority):
		return provider.Errorf(provider.Permanent, "the mail server at %s shows a certificate of an unknown authority: set ca_file", s.name())
	case errors.As(err, &certificate):
		return provider.Errorf(provider.Permanent, "the mail server at %s shows a certificate that is not valid for %s", s.name(), addrs.Visible(s.host))
	case errors.As(err, &record):
		return provider.Errorf(provider.Permanent, "the mail server at %s does not begin with TLS: set tls to \"starttls\"", s.name())
	case errors.As(err, &dns):
		return provider.Errorf(provider.Transient, "the mail server's host %s cannot be found", addrs.Visible(s.host))
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return provider.Errorf(provider.Transient, "the mail server at %s did not answer in time (%s)", s.name(), what)
	}
	return provider.Errorf(provider.Transient, "talking to the mail server at %s failed (%s)", s.name(), what)
}
