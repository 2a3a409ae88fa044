// Package builtin lists the providers, stores, consumers, notifiers and verifiers that
// this program brings.
package builtin

import (
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/providers/age"
	"github.com/remint-dev/remint/providers/command"
	"github.com/remint-dev/remint/providers/file"
	"github.com/remint-dev/remint/providers/htpasswd"
	"github.com/remint-dev/remint/providers/postgresql"
	"github.com/remint-dev/remint/providers/smtp"
	"github.com/remint-dev/remint/providers/ssh"
	"github.com/remint-dev/remint/providers/webhook"
	"github.com/remint-dev/remint/providers/x509"
	"github.com/remint-dev/remint/verifiers/key"
	"github.com/remint-dev/remint/verifiers/oidc"
	"github.com/remint-dev/remint/verifiers/recovery"
	"github.com/remint-dev/remint/verifiers/ticket"
	"github.com/remint-dev/remint/verifiers/totp"
	"github.com/remint-dev/remint/verifiers/webauthn"
)

// Registry makes a registry of everything.
func Registry() *provider.Registry {
	r := provider.NewRegistry()
	r.AddProvider(htpasswd.New())
	r.AddProvider(postgresql.New())
	r.AddProvider(ssh.New())
	r.AddProvider(x509.New())
	r.AddStore(file.Store())
	r.AddStore(age.Store())
	r.AddConsumer(command.Consumer())
	r.AddNotifier(file.Notifier())
	r.AddNotifier(webhook.Notifier())
	r.AddNotifier(smtp.Notifier())
	r.AddVerifier(key.Verifier())
	r.AddVerifier(oidc.Verifier())
	r.AddVerifier(totp.Verifier())
	r.AddVerifier(ticket.Verifier())
	r.AddVerifier(webauthn.Verifier())
	r.AddVerifier(recovery.Verifier())
	return r
}
