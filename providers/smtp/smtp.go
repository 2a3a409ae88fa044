// Package smtp tells people by mail.
package smtp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/mail"
	"strconv"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/internal/boundedfile"
)

// Notifier declares the notifier `smtp`.
func Notifier() provider.NotifierDefinition {
	return provider.NotifierDefinition{
		Name: "smtp",
		Description: "Mails each notice, as plain text, to the person it is for or to fixed addresses. " +
			"The Message-ID is the same over retries, so that mail systems can drop duplicates.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "address", Type: provider.String, Required: true, Check: checkAddress,
				Description: "The mail server, as `host:port`: usually port 587 for starttls, 465 for tls."},
			{Name: "from", Type: provider.String, Required: true, Check: checkMail,
				Description: "The sender, as `remint@example.com` or `Name <remint@example.com>`."},
			{Name: "to", Type: provider.StringList, Check: checkMails,
				Description: "Who gets every notice. Unless set, each goes to the person it is for, mostly the credential's owner."},
			{Name: "username", Type: provider.String,
				Description: "The login at the mail server (AUTH PLAIN), if it wants one."},
			{Name: "password", Type: provider.String, Sensitive: true,
				Description: "The password that belongs to username."},
			{Name: "tls", Type: provider.String, Default: "starttls", OneOf: []string{"none", "starttls", "tls"},
				Description: "`starttls`: begin in the clear and insist on encryption before anything is said; `tls`: encrypted from the start; `none`: in the clear, with a password only to this machine."},
			{Name: "ca_file", Type: provider.PathType,
				Description: "PEM certificates of the authorities to trust for this server, instead of the system's."},
			{Name: "timeout", Type: provider.Duration, Default: 30 * time.Second, Min: int64(100 * time.Millisecond), Max: int64(10 * time.Minute),
				Description: "How long delivering one notice to the server may take."},
		}},
		Open: open,
	}
}

func open(_ context.Context, b provider.Block) (provider.Notifier, error) {
	a := b.Attrs
	for name, err := range map[string]error{
		"address": checkAddress(a.String("address")), "from": checkMail(a.String("from")), "to": checkMails(a.Strings("to")),
	} {
		if err != nil {
			return nil, provider.Errorf(provider.Permanent, "%s %s", name, err)
		}
	}
	host, _, _ := net.SplitHostPort(a.String("address")) // checkAddress split it
	n := &notifier{
		address: a.String("address"), host: host, mode: a.String("tls"),
		username: a.String("username"), password: a.Secret("password"),
		timeout: a.Duration("timeout"),
		config:  &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host},
	}
	n.from, _ = mail.ParseAddress(a.String("from"))
	for _, s := range a.Strings("to") {
		to, _ := mail.ParseAddress(s)
		n.to = append(n.to, to)
	}
	switch {
	case n.password.IsZero() != (n.username == ""):
		return nil, provider.Errorf(provider.Permanent, "username and password belong together: set both or neither")
	case n.mode == "none" && !n.password.IsZero() && !loopback(host):
		return nil, provider.Errorf(provider.Permanent, "tls = \"none\" would send the password to %s in the clear: use starttls or tls", addrs.Visible(host))
	}
	if a.Has("ca_file") {
		var err error
		if n.config.RootCAs, err = authorities(a.Path("ca_file")); err != nil {
			return nil, err
		}
	}
	return n, nil
}

func checkAddress(v any) error {
	s, _ := v.(string)
	host, port, err := net.SplitHostPort(s)
	n, numberErr := strconv.ParseUint(port, 10, 16)
	if err != nil || host == "" || numberErr != nil || n == 0 {
		return errors.New("must be a host and a port, such as mail.example.com:587")
	}
	return nil
}

func checkMail(v any) error {
	s, _ := v.(string)
	if _, err := mail.ParseAddress(s); err != nil {
		return errors.New("must be a mail address, such as remint@example.com")
	}
	return nil
}

func checkMails(v any) error {
	list, _ := v.([]string)
	for _, s := range list {
		if checkMail(s) != nil {
			return errors.New("must be mail addresses, such as security@example.com, one each")
		}
	}
	return nil
}

func loopback(host string) bool {
	return host == "localhost" || host == "127.0.0.1" || host == "::1" // those to which net/smtp sends a password in the clear
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
