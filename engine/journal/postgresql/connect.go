package postgresql

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/remint-dev/remint/engine/journal"
)

// access is how to get at a state.
type access struct {
	config *pgx.ConnConfig
	opts   Options
	// class is the first half of the advisory locks of this state's runners.
	class int32
}

// Settings of sessions. A runner that is stopped in the middle of a transaction
// must not hold up the others for longer than idle_in_transaction allows.
var (
	writerSettings   = map[string]string{"statement_timeout": "60s", "lock_timeout": "20s", "idle_in_transaction_session_timeout": "8s", "synchronous_commit": "on"}
	presenceSettings = map[string]string{"statement_timeout": "5s", "lock_timeout": "5s"}
	readerSettings   = map[string]string{"statement_timeout": "120s"}
)

// connectTimeout bounds one attempt to log in, unless the URL says otherwise.
const connectTimeout = 10 * time.Second

// newAccess reads the connection string. What pgx says of a bad one may quote the
// password, so it is not passed on.
func newAccess(url string, o Options) (access, error) {
	a := access{opts: o}
	if strings.TrimSpace(url) == "" {
		return a, errors.New("it is empty: it must look like postgres://user:password@host:5432/database")
	}
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return a, errors.New("it is not a PostgreSQL connection string, or names a file that cannot be read: it must look like postgres://user:password@host:5432/database (percent-encode special characters) or host=… user=…")
	}
	if err := checkSchemaName(o.Schema); err != nil {
		return a, err
	}
	cfg.RequireAuth = "scram-sha-256"
	if cfg.Password == "" {
		cfg.RequireAuth = "none"
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	if cfg.ValidateConnect == nil {
		cfg.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	if cfg.RuntimeParams["application_name"] == "" {
		cfg.RuntimeParams["application_name"] = "remint state"
	}
	for k, v := range map[string]string{
		"client_encoding": "UTF8", "standard_conforming_strings": "on", "search_path": ident(o.Schema),
		"tcp_keepalives_idle": "30", "tcp_keepalives_interval": "10", "tcp_keepalives_count": "3",
	} {
		cfg.RuntimeParams[k] = v
	}
	h := fnv.New32a()
	_, _ = h.Write([]byte("remint " + o.Schema))
	a.config, a.class = cfg, int32(h.Sum32()&0x7fffffff)
	return a, nil
}

// maxName is PostgreSQL's: it cuts longer names.
const maxName = 63

func checkSchemaName(name string) error {
	switch {
	case len(name) > maxName:
		return fmt.Errorf("the schema's name is longer than %d bytes", maxName)
	case strings.ContainsRune(name, 0), strings.HasPrefix(name, "pg_"), name == "information_schema":
		return fmt.Errorf("%q cannot be the state's schema", name)
	}
	return nil
}

// connect opens a session with settings of its own.
func (a access) connect(ctx context.Context, settings map[string]string) (*pgx.Conn, error) {
	cfg := a.config.Copy()
	maps.Copy(cfg.RuntimeParams, settings)
	bound(&cfg.Config)
	return pgx.ConnectConfig(ctx, cfg)
}

// pool is for reads. It opens nothing yet.
func (a access) pool() (*pgxpool.Pool, error) {
	cfg, err := pgxpool.ParseConfig("")
	if err != nil {
		return nil, errors.New("the environment's PG… variables do not fit together")
	}
	cfg.ConnConfig = a.config.Copy()
	maps.Copy(cfg.ConnConfig.RuntimeParams, readerSettings)
	cfg.ConnConfig.ValidateConnect = a.config.ValidateConnect
	cfg.BeforeConnect = func(_ context.Context, c *pgx.ConnConfig) error {
		bound(&c.Config)
		return nil
	}
	cfg.MaxConns, cfg.MinConns, cfg.MinIdleConns, cfg.MaxConnIdleTime = 4, 0, 0, 30*time.Second
	cfg.ConnConfig.RuntimeParams["application_name"] = a.config.RuntimeParams["application_name"]
	return pgxpool.NewWithConfig(context.Background(), cfg)
}

// name is the state for messages: never its password.
func (a access) name() string {
	where := net.JoinHostPort(a.config.Host, strconv.Itoa(int(a.config.Port)))
	if strings.HasPrefix(a.config.Host, "/") {
		where = a.config.Host
	}
	return fmt.Sprintf("the state in PostgreSQL (database %s at %s, schema %s)", a.config.Database, where, a.opts.Schema)
}

func ident(name string) string { return pgx.Identifier{name}.Sanitize() }

func closeConn(c *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return c.Close(ctx)
}

// state is the SQLSTATE of an error that the server sent, "" for others.
func state(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return pg.Code
	}
	return ""
}

// gone reports whether the server says that it ends the session, or takes none
// for now.
func gone(err error) bool {
	switch code := state(err); {
	case len(code) != 5:
		return false
	case code[:2] == "08", code[:2] == "57" && code != "57014", code == "25P03", code == "53300":
		return true
	}
	return false
}

// again reports whether the server undid a transaction that may work if it is
// tried once more.
func again(err error) bool {
	switch state(err) {
	case "40001", "40P01":
		return true
	}
	return false
}

// connectError words a login that did not succeed.
func (a access) connectError(ctx context.Context, err error) error {
	hint := ""
	switch code := state(err); {
	case code == "28P01":
		hint = ": the password is wrong, or there is no such role"
	case code == "28000":
		hint = ": pg_hba.conf has no line that lets it in, or it may not log in"
	case code == "3D000":
		hint = ": the database does not exist"
	case code == "53300":
		hint = ": too many connections"
	case code != "":
		hint = ": SQLSTATE " + code
	case strings.Contains(err.Error(), "require_auth check failed"):
		// The text is looked at, never shown.
		hint = ": the server asks for another method than SCRAM, which remint never answers, or lets a login with a password in without asking for it; set `scram-sha-256` in pg_hba.conf, or take the password out of the URL if it is not needed"
	case strings.Contains(err.Error(), "read only connection"):
		hint = ": the server, or the login, is read-only (a standby?)"
	default:
		hint = ": " + wording(ctx, err).Error()
	}
	return said(fmt.Sprintf("%s cannot be reached%s", a.name(), hint))
}

// said is an error that is worded already, and quotes nothing.
type said string

// Error is the text.
func (s said) Error() string { return string(s) }

// wording says what happened without the texts of pgx and the server: those quote
// connection strings and statements.
func wording(ctx context.Context, err error) error {
	code := state(err)
	switch {
	case err == nil:
		return nil
	case code == "53100", code == "53200", code == "53000":
		return errors.New("the server has run out of disk or memory")
	case code == "42501":
		return errors.New("the login may not do that in the state's schema: let it own the schema")
	case code == "25006":
		return errors.New("the server is read-only: a standby?")
	case code == "55P03", code == "57014":
		return errors.New("another process is writing to it and does not finish (is one stopped?)")
	case code == "54000":
		return errors.New("a name is too long")
	case code == "22021":
		return errors.New("a name is not UTF-8")
	case code == "42P01", code == "42703", code == "3F000":
		return fmt.Errorf("its tables are not those of a state: it was changed by hand (SQLSTATE %s)", code)
	case code != "":
		return fmt.Errorf("the server refused (SQLSTATE %s)", code)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil, pgconn.Timeout(err), errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case tooMuch(err):
		return errors.New("the server sent more than a state holds: check that it is one")
	}
	return errors.New("no connection, or it broke")
}

// explain words an error of a call on an open journal.
func (s *store) explain(ctx context.Context, err error) error {
	var worded said
	var held *journal.HeldError
	var soon *soonError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &worded):
		return worded
	case errors.As(err, &held), errors.As(err, &soon):
		return err
	case errors.Is(err, journal.ErrNotFound), errors.Is(err, journal.ErrLost), errors.Is(err, journal.ErrSpent), errors.Is(err, journal.ErrClosed), errors.Is(err, journal.ErrChanged):
		return err
	case s.shut.Load():
		return journal.ErrClosed
	case s.broken() != nil:
		return s.broken()
	case refusal(err) != nil:
		return refusal(err)
	case ctx.Err() != nil:
		return ctx.Err()
	}
	return fmt.Errorf("%s: %w", s.name(), wording(ctx, err))
}
