package postgresql

import (
	"context"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Set gives the role a new password and lets it log in, in one operation; a
// role that was NOLOGIN before can log in afterwards (Inspect notes it). The
// server is sent a SCRAM verifier. Retries under the same label store the same
// verifier, bit for bit. A server that takes any password, or none that could
// be tried, is refused before anything is changed.
func (p *instance) Set(ctx context.Context, m provider.Mutation, material secret.Material) (provider.Applied, error) {
	pw, err := password(material)
	if err != nil {
		return provider.Applied{}, err
	}
	if err := p.requireDoors(ctx, m.Credential); err != nil {
		return provider.Applied{}, err
	}
	role := m.Credential.Attrs.String("role")
	salt := saltFor(role, m.Label)
	return p.change(ctx, m, change{version: versionOf(salt), detail: "SCRAM-SHA-256 verifier stored, LOGIN",
		clauses: func(c *pgconn.PgConn) (string, error) {
			n, err := strconv.Atoi(c.ParameterStatus("scram_iterations"))
			if err != nil || n < iterations {
				n = iterations
			}
			v, err := verifier(pw, salt, n)
			return "LOGIN PASSWORD '" + v + "'", err
		}})
}

// Revoke removes the role's password and its right to log in, whatever
// versions are named: the right password and a wrong one are then refused
// alike (28P01). With NOLOGIN alone the right one would be told apart (28000).
func (p *instance) Revoke(ctx context.Context, m provider.Mutation, _ []string) (provider.Applied, error) {
	a, err := p.change(ctx, m, change{version: noPassword, detail: "NOLOGIN, password removed",
		clauses: func(*pgconn.PgConn) (string, error) { return "NOLOGIN PASSWORD NULL", nil }})
	if provider.ClassOf(err, provider.Ambiguous) == provider.NotFound {
		at, err := p.now(ctx)
		return provider.Applied{At: at, Detail: "there is no such role"}, err
	}
	if a.Version == noPassword {
		a.Version = ""
	}
	return a, err
}

// change is one ALTER ROLE; without clauses, one that only writes the mark.
type change struct {
	clauses         func(*pgconn.PgConn) (string, error)
	version, detail string
}

// standing is what a transaction that has altered the role sees of it.
type standing struct {
	mark mark
	// canFence: the login may write the mark; canRead: it may read verifiers.
	canFence, canRead bool
}

// change runs one transaction in two round trips. First it alters the role:
// that locks the role's row for the whole cluster (the advisory lock, which
// only queues runners politely, is for one database), so that the mark read
// next is what no rival can change any more. Then it writes the mark and
// commits, or rolls back where a later holder has been there.
func (p *instance) change(ctx context.Context, m provider.Mutation, ch change) (provider.Applied, error) {
	none := provider.Applied{}
	role := m.Credential.Attrs.String("role")
	c, err := p.conn(ctx)
	if err != nil {
		return none, err
	}
	defer c.Release() // drops a connection whose transaction is open
	pg := c.Conn().PgConn()
	st, err := p.alter(ctx, pg, role, ch)
	if err == nil {
		err = st.admit(m)
	}
	if err == nil && ch.clauses == nil && !st.canFence {
		err = provider.Errorf(provider.Permanent, "whoever was overtaken cannot be kept from changing the role %q: %s", role, fenceGrant(ident(p.admin.User), major(pg)))
	}
	if err != nil {
		p.rollback(ctx, pg)
		return none, err
	}
	at, err := p.commit(ctx, pg, role, st, st.next(m, ch))
	if err != nil {
		return none, err
	}
	applied := provider.Applied{Version: ch.version, At: at, Detail: ch.detail}
	if !st.canRead && !st.canFence {
		applied.Version = "" // as Inspect, which could not tell it from another
	}
	return applied, nil
}

// alterError explains a refused change, after which nothing has happened.
func (p *instance) alterError(ctx context.Context, err error, role string, pg *pgconn.PgConn) error {
	code := state(err)
	switch code {
	case "42704":
		return provider.Errorf(provider.NotFound, "there is no role %q at the PostgreSQL server %s", role, p.where)
	case "42501":
		return provider.Errorf(provider.Permanent, "the provider's login may not change the role %q (SQLSTATE 42501): %s", role, changeGrant(ident(p.admin.User), role, major(pg)))
	case "25006":
		return provider.Errorf(provider.Permanent, "the PostgreSQL server %s is a read-only standby (SQLSTATE 25006): `url` must name the primary", p.where)
	case "42939":
		return provider.Errorf(provider.Permanent, "the role %q is reserved by PostgreSQL and cannot be changed (SQLSTATE 42939)", role)
	case "55P03":
		return heldError{provider.Errorf(provider.Transient, "another transaction%s holds the role %q, and did not let go of it in time (SQLSTATE 55P03); this attempt changed nothing", p.holder(ctx, pg, role), role)}
	}
	return provider.Errorf(classify(err), "the role %q could not be changed at the PostgreSQL server %s: %s; nothing was changed", role, p.where, reason(ctx, err))
}
