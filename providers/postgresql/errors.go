package postgresql

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/provider"
)

// Messages are made from SQLSTATEs and host names alone: pgx's errors quote
// connection strings, and a server's can quote a statement.

// state is the SQLSTATE of an error that the server sent, "" for others.
func state(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// reason says in secret-free words why nothing came of talking to the server.
func reason(ctx context.Context, err error) string {
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &pg):
		return "SQLSTATE " + pg.Code
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return "cancelled"
	case ctx.Err() != nil || pgconn.Timeout(err) || errors.Is(err, context.DeadlineExceeded):
		return "timed out"
	case tooMuch(err):
		return "the server sent more than it was asked for; check that it is one"
	}
	return "no connection, or it broke"
}

// classify gives the class of an error after which nothing has happened.
func classify(err error) provider.Class {
	code := state(err)
	switch {
	case tooMuch(err):
		return provider.Permanent
	case len(code) != 5:
		return provider.Transient
	}
	switch code[:2] {
	case "08", "40", "53", "55", "57", "58", "XX":
		return provider.Transient
	}
	return provider.Permanent
}

// readError is for what failed without side effects.
func (p *instance) readError(ctx context.Context, err error, what string) error {
	var classed *provider.Error
	var connect *pgconn.ConnectError
	switch {
	case errors.As(err, &classed):
		return err
	case errors.As(err, &connect):
		return p.connectError(ctx, err)
	}
	return provider.Errorf(classify(err), "could not %s at the PostgreSQL server %s: %s", what, p.where, reason(ctx, err))
}

// connectError explains why the provider's own login did not succeed.
func (p *instance) connectError(ctx context.Context, err error) error {
	hint := ""
	switch code := state(err); {
	case code == "28P01":
		hint = "; the password in `url` is wrong"
	case code == "28000":
		hint = "; pg_hba.conf has no line that lets it in, or it may not log in"
	case code == "3D000":
		hint = "; the database in `url` does not exist"
	case code != "" || ctx.Err() != nil || tooMuch(err):
	default:
		hint = p.handshakeHint()
	}
	class := classify(err)
	if hint != "" && state(err) == "" {
		class = provider.Permanent
	}
	return provider.Errorf(class, "provider postgresql.%s: the login at %s did not succeed: %s%s", p.name, p.where, reason(ctx, err), hint)
}

// handshakeHint explains a login that this side broke off.
func (p *instance) handshakeHint() string {
	withPassword := p.admin.Password != ""
	switch code := authCode(p.asked.Load()); {
	case code == authCleartext || code == authMD5:
		return fmt.Sprintf("; the server asks for %s, which remint never answers: set `scram-sha-256` in pg_hba.conf, and the password anew", code)
	case code == authOK && withPassword:
		return "; the server lets the login in without asking for its password, so it could be any server: take the password out of `url` if that is meant, or set `scram-sha-256` in pg_hba.conf"
	case code == authSASL && !withPassword:
		return "; the server asks for a password, and `url` has none"
	}
	return ""
}

// String says what a server that answers so asks for.
func (c authCode) String() string {
	switch c {
	case authOK:
		return "nothing"
	case authCleartext:
		return "a cleartext password"
	case authMD5:
		return "an md5 hash of the password"
	case authSASL:
		return "SCRAM"
	case authNotYet:
		return "nothing yet"
	}
	return fmt.Sprintf("another method (%d)", int64(c))
}
