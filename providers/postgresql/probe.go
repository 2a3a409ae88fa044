package postgresql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Probe logs in once at every place, by SCRAM on a fresh connection that calls
// itself remint-probe, and logs out. Accepted at one place is accepted; it is
// refused only where every place refuses it as a wrong password, and where the
// server does not refuse the right one alike (see outdated).
func (p *instance) Probe(ctx context.Context, c provider.Credential, m secret.Material) (provider.Probe, error) {
	pw := m.Field("value").RevealString()
	if pw == "" {
		return provider.Probe{}, provider.Errorf(provider.Permanent, "there is no password to try: the material's field `value` is empty")
	}
	out, err := p.everywhere(ctx, func(cfg *pgconn.Config) {
		cfg.User, cfg.Password, cfg.RequireAuth = c.Attrs.String("role"), pw, "scram-sha-256"
		if db := c.Attrs.String("database"); db != "" {
			cfg.Database = db
		}
		cfg.RuntimeParams = map[string]string{"application_name": "remint-probe"}
	}, func(a, b provider.Verdict) bool { return rank(a) > rank(b) })
	if err == nil && out.Verdict == provider.Refused {
		p.outdated(ctx, c.Attrs.String("role"), &out)
	}
	if err == nil && out.Verdict == provider.Accepted && len(p.places) == 1 {
		p.met.Store(meeting(c), true)
	}
	return out, err
}

// meeting is what a line of pg_hba.conf depends on.
func meeting(c provider.Credential) [2]string {
	return [2]string{c.Attrs.String("role"), c.Attrs.String("database")}
}

// outdated looks whether the role's VALID UNTIL has passed: then the server
// answers the right password as it does a wrong one (28P01), and the refusal
// says nothing about the password. Where that cannot be read, nor does it.
func (p *instance) outdated(ctx context.Context, role string, out *provider.Probe) {
	var until string
	err := p.pool.QueryRow(ctx, `SELECT coalesce(to_char(rolvaliduntil AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '-infinity') FROM pg_catalog.pg_roles
	WHERE rolname = $1 AND rolvaliduntil <= clock_timestamp()`, role).Scan(&until)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
	case err == nil:
		out.Verdict = provider.Disabled
		out.Detail += fmt.Sprintf("; the role's VALID UNTIL passed at %s, so that the server refuses every password of it, the right one too: ALTER ROLE %s VALID UNTIL 'infinity'", until, ident(role))
	default:
		out.Verdict = provider.Unclear
		out.Detail += "; whether VALID UNTIL has passed, after which the right password is refused too, could not be read"
	}
}

// Control logs in at every place as the provider itself. It is accepted only
// where every place accepts it: one that lets nobody in proves nothing.
func (p *instance) Control(ctx context.Context, _ provider.Credential) (provider.Probe, error) {
	return p.everywhere(ctx, func(*pgconn.Config) {}, func(a, b provider.Verdict) bool { return rank(a) < rank(b) })
}

// rank orders verdicts by how much they say that a password is alive.
func rank(v provider.Verdict) int {
	switch v {
	case provider.Accepted:
		return 3
	case provider.Unclear:
		return 2
	case provider.Disabled:
		return 1
	}
	return 0
}

// everywhere tries the login that set describes at each place. The verdict
// that beats the others is the answer.
func (p *instance) everywhere(ctx context.Context, set func(*pgconn.Config), beats func(a, b provider.Verdict) bool) (provider.Probe, error) {
	select {
	case p.probes <- struct{}{}:
		defer func() { <-p.probes }()
	case <-ctx.Done():
		return provider.Probe{}, provider.Errorf(provider.Transient, "no login was tried: cancelled, or timed out while waiting for earlier ones")
	}
	out := provider.Probe{Basis: lifecycle.Tested}
	var where, details []string
	for i, at := range p.places {
		cfg := at.config.Copy()
		set(cfg)
		verdict, detail := login(ctx, cfg)
		if i == 0 || beats(verdict, out.Verdict) {
			out.Verdict = verdict
		}
		where = append(where, at.address)
		details = append(details, at.address+" "+string(verdict)+": "+detail)
		if len(p.places) == 1 {
			details[0] = detail
		}
	}
	out.Endpoint, out.Detail = strings.Join(where, ", "), strings.Join(details, "; ")
	return out, nil
}

var errAsked = errors.New("the server has asked already")

// login makes one attempt to log in, and says what came of it.
func login(ctx context.Context, cfg *pgconn.Config) (provider.Verdict, string) {
	asked, err := attempt(ctx, cfg)
	if err == nil {
		return provider.Accepted, "logged in"
	}
	return judge(ctx, err, asked)
}

// attempt makes one attempt to log in, logs out again, and gives what the
// server asked for: once it has asked, pgx's fall-backs (TLS or none, one more
// IP address) are cut off.
func attempt(ctx context.Context, cfg *pgconn.Config) (authCode, error) {
	note, dial := &authRequest{}, cfg.DialFunc
	cfg.BuildFrontend = note.frontend(nil)
	cfg.DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if note.code() != authNotYet {
			return nil, errAsked
		}
		return dial(ctx, network, addr)
	}
	// The connect timeout holds for each address: bound the whole as well.
	ctx, cancel := context.WithTimeout(ctx, cfg.ConnectTimeout*time.Duration(1+len(cfg.Fallbacks)))
	defer cancel()
	conn, err := pgconn.ConnectConfig(ctx, cfg)
	if err == nil {
		logout(ctx, conn)
	}
	return note.code(), err
}

// judge tells a wrong password from everything else that ends a login.
func judge(ctx context.Context, err error, asked authCode) (provider.Verdict, string) {
	code := state(err)
	switch {
	case asked == authSASL && code == "28P01":
		return provider.Refused, code
	case code == "28000":
		return provider.Disabled, code
	case code != "":
		return provider.Unclear, code
	case tooMuch(err):
		return provider.Unclear, reason(ctx, err)
	case asked == authOK:
		return provider.Unclear, "the server lets this login in without a password (trust, peer or cert in pg_hba.conf), so that a password proves nothing there"
	case asked == authCleartext, asked == authMD5:
		return provider.Unclear, "the server asks for " + asked.String() + ", which is not answered"
	case asked == authSASL && ctx.Err() == nil && !pgconn.Timeout(err):
		return provider.Unclear, "the SCRAM exchange broke off, or the server could not prove that it knows the password"
	}
	return provider.Unclear, reason(ctx, err)
}

// logout ends the session and waits until the server has let go of it, so that
// it neither counts against the role's connection limit nor shows any more.
func logout(ctx context.Context, conn *pgconn.PgConn) {
	h, err := conn.Hijack()
	if err != nil {
		_ = conn.Close(ctx)
		return
	}
	defer func() { _ = h.Conn.Close() }()
	_ = h.Conn.SetDeadline(time.Now().Add(2 * time.Second))
	h.Frontend.Send(&pgproto3.Terminate{})
	if h.Frontend.Flush() == nil {
		_, _ = io.Copy(io.Discard, h.Conn)
	}
}
