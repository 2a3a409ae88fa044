package postgresql

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/remint-dev/remint/engine/provider"
)

// instance is one provider block. It connects when first asked.
type instance struct {
	name   string // the block's label
	pool   *pgxpool.Pool
	admin  *pgconn.Config // the provider's own login, for controls
	where  string         // the server, for messages
	places []place        // where passwords are tried
	probes chan struct{}  // bounds the logins tried at once
	// entrance is what a role that nobody has met (see doorNotes).
	entrance atomic.Int32
	// met holds the roles, with their databases, that logged in by SCRAM at the one
	// place there is: it need not be knocked at again before a Set.
	met   sync.Map
	asked atomic.Int64 // the last authRequest seen by the pool, for messages
}

func open(_ context.Context, block provider.Block) (provider.Provider, error) {
	url := block.Attrs.Secret("url").RevealString()
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil { // err may quote the password
		return nil, provider.Errorf(provider.Permanent, "provider postgresql.%s: `url` is not a PostgreSQL connection string, or names a file that cannot be read; it must look like postgres://user:password@host:5432/database (percent-encode special characters) or host=… user=…", block.Name)
	}
	max := block.Attrs.Int("max_connections")
	p := &instance{name: block.Name, probes: make(chan struct{}, max)}
	secure(&cfg.ConnConfig.Config, block.Attrs.Duration("connect_timeout"))
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "remint"
	}
	// Literals are quoted for these, whatever the server's defaults are.
	cfg.ConnConfig.RuntimeParams["client_encoding"] = "UTF8"
	cfg.ConnConfig.RuntimeParams["standard_conforming_strings"] = "on"
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns = int32(max), 0, 0 //nolint:gosec // the schema bounds it
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		note := &authRequest{}
		c.BuildFrontend = note.frontend(func(code authCode) { p.asked.Store(int64(code)) })
		return nil
	}
	p.admin = cfg.ConnConfig.Config.Copy()
	p.where = address(p.admin.Host, p.admin.Port)
	if p.places, err = findPlaces(url, p.admin, block.Attrs.Strings("probe_addresses")); err != nil {
		return nil, err
	}
	// Nothing connects before the first Acquire.
	if p.pool, err = pgxpool.NewWithConfig(context.Background(), cfg); err != nil {
		return nil, provider.Errorf(provider.Permanent, "provider postgresql.%s: `url` has settings for a connection pool that do not fit together", block.Name)
	}
	return p, nil
}

// secure makes c log in by SCRAM alone, which never shows the password and
// proves that the server knows it too; without a password, by leave alone. What the
// server says is bounded from its first message on.
func secure(c *pgconn.Config, timeout time.Duration) {
	c.RequireAuth = "scram-sha-256"
	if c.Password == "" {
		c.RequireAuth = "none"
	}
	c.ConnectTimeout = timeout
	c.MaxProtocolMessageBodyLen = maxMessage
}

// conn gives a connection of the pool; release it.
func (p *instance) conn(ctx context.Context) (*pgxpool.Conn, error) {
	c, err := p.pool.Acquire(ctx)
	if err != nil {
		return nil, p.connectError(ctx, err)
	}
	return c, nil
}

// Identity is "postgresql:" and the cluster's system identifier, which stays
// over restarts and fail-overs; copies of a cluster's files share it. Where
// the login may not call pg_control_system() it is the address instead.
func (p *instance) Identity(ctx context.Context) (string, error) {
	var id string
	err := p.pool.QueryRow(ctx, "SELECT system_identifier::text FROM pg_catalog.pg_control_system()").Scan(&id)
	switch {
	case err == nil:
		return "postgresql:" + id, nil
	case state(err) == "42501":
		return "postgresql-at:" + p.where, nil
	}
	return "", p.readError(ctx, err, "read the system identifier")
}

// List names the roles that may log in, as far as they fit into one answer.
func (p *instance) List(ctx context.Context, credentialType string) ([]string, error) {
	if credentialType != TypeName {
		return nil, provider.Errorf(provider.Permanent, "the provider postgresql has no type %q", credentialType)
	}
	rows, err := p.pool.Query(ctx, `SELECT rolname::text FROM pg_catalog.pg_roles WHERE rolcanlogin AND rolname !~ '^pg_' ORDER BY 1`)
	if err != nil {
		return nil, p.readError(ctx, err, "list the roles")
	}
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, p.readError(ctx, err, "list the roles")
	}
	return names, nil
}

// Close closes the pool.
func (p *instance) Close() error {
	p.pool.Close()
	return nil
}

// major is the server's major version.
func major(c *pgconn.PgConn) int {
	version := c.ParameterStatus("server_version") // 15.18 (Debian …), 18beta1
	end := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' })
	if end < 0 {
		end = len(version)
	}
	n, _ := strconv.Atoi(version[:end])
	return n
}

// ident quotes a name for SQL.
func ident(name string) string { return pgx.Identifier{name}.Sanitize() }
