package postgresql

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/remint-dev/remint/engine/provider"
)

// The version IDs that do not come from a salt.
const (
	legacyMD5   = "md5" // an md5 hash has no salt to name it by
	legacyOther = "other"
)

// markSQL, mayReadSQL and mayFence are expressions over pg_roles r.
const (
	markSQL = `coalesce((SELECT substr(c, length('` + fenceSetting + `=') + 1)
	FROM pg_catalog.pg_db_role_setting s, unnest(s.setconfig) c
	WHERE s.setdatabase = 0 AND s.setrole = r.oid AND starts_with(c, '` + fenceSetting + `=') LIMIT 1), '')`
	mayReadSQL = `(has_column_privilege('pg_catalog.pg_authid', 'rolname', 'SELECT') AND has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT'))`
	superSQL   = `(SELECT a.rolsuper FROM pg_catalog.pg_roles a WHERE a.rolname = current_user)`
)

// mayFence is whether the login may write the mark. The privilege came with
// PostgreSQL 15; before it is the superusers'.
func mayFence(major int) string {
	if major < 15 {
		return superSQL
	}
	return `has_parameter_privilege('` + fenceSetting + `', 'SET')`
}

// mayAlter is whether the login may give the role a password and LOGIN.
func mayAlter(major int) string {
	other := `NOT r.rolreplication`
	if major >= 16 {
		other = `pg_has_role(r.oid, 'MEMBER WITH ADMIN OPTION')`
	}
	return `(` + superSQL + ` OR NOT r.rolsuper AND ` + other + ` AND (SELECT a.rolcreaterole FROM pg_catalog.pg_roles a WHERE a.rolname = current_user))`
}

func inspectSQL(major int) string {
	return `SELECT r.rolcanlogin, r.rolsuper, r.rolconnlimit, coalesce(r.rolvaliduntil <= clock_timestamp(), false),
	CASE WHEN isfinite(r.rolvaliduntil) THEN r.rolvaliduntil END,
	r.rolname = session_user, pg_is_in_recovery(), clock_timestamp(),
	(SELECT setting::bigint FROM pg_catalog.pg_settings WHERE name = 'authentication_timeout'),
	(SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE usesysid = r.oid AND pid <> pg_backend_pid() AND backend_type IS DISTINCT FROM 'parallel worker'),
	(SELECT count(*) FROM pg_catalog.pg_prepared_xacts WHERE owner = r.rolname),
	` + superSQL + ` OR pg_has_role(r.oid, 'USAGE') OR pg_has_role('pg_read_all_stats', 'USAGE') AND pg_has_role('pg_signal_backend', 'USAGE') AND NOT r.rolsuper,
	` + markSQL + `, ` + mayFence(major) + `, ` + mayReadSQL + `, ` + mayAlter(major) + `
	FROM pg_catalog.pg_roles r WHERE r.rolname = $1`
}

// facts is the row that inspectSQL gives.
type facts struct {
	canLogin, super   bool
	connLimit         int
	expired           bool
	validUntil        *time.Time
	own, standby      bool
	now               time.Time
	authTimeout       int64
	sessions          int
	prepared          int
	canEnd            bool
	mark              string
	canFence, canRead bool
	canAlter          bool
	// stored is how the password is kept, where canRead: "" for none.
	stored, salt string
	major        int
}

// Inspect reads the catalogs. Versions are named by the verifier's salt where
// the login may read pg_authid (the verifier itself stays at the server), else
// by remint's own mark, which does not see changes that others made; where it
// can have none of the two, no versions are listed and Unlisted is set.
func (p *instance) Inspect(ctx context.Context, c provider.Credential) (provider.Observation, error) {
	role := c.Attrs.String("role")
	conn, err := p.conn(ctx)
	if err != nil {
		return provider.Observation{}, err
	}
	defer conn.Release()
	f, err := read(ctx, conn.Conn(), role)
	if errors.Is(err, pgx.ErrNoRows) {
		o := provider.Observation{}
		if err := conn.QueryRow(ctx, "SELECT pg_catalog.clock_timestamp()").Scan(&o.Now); err != nil {
			return provider.Observation{}, p.readError(ctx, err, "read the clock")
		}
		return o, nil
	}
	if err != nil {
		return provider.Observation{}, p.readError(ctx, err, "read the role")
	}
	conn.Release() // knocking takes time, and may wait for those who hold others
	o := f.observation(p, role)
	doors, err := p.doorNotes(ctx, c)
	o.Notes = append(o.Notes, doors...)
	return o, err
}

func read(ctx context.Context, conn *pgx.Conn, role string) (facts, error) {
	f := facts{major: major(conn.PgConn())}
	err := conn.QueryRow(ctx, inspectSQL(f.major), role).Scan(&f.canLogin, &f.super, &f.connLimit, &f.expired, &f.validUntil,
		&f.own, &f.standby, &f.now, &f.authTimeout, &f.sessions, &f.prepared, &f.canEnd,
		&f.mark, &f.canFence, &f.canRead, &f.canAlter)
	if err != nil || !f.canRead {
		return f, err
	}
	err = conn.QueryRow(ctx, `SELECT coalesce(substring(rolpassword FROM '^(SCRAM-SHA-256|md5)'), CASE WHEN rolpassword IS NULL THEN '' ELSE 'other' END),
	coalesce(substring(rolpassword FROM '^SCRAM-SHA-256\$\d+:([^$]*)\$'), '') FROM pg_catalog.pg_authid WHERE rolname = $1`, role).Scan(&f.stored, &f.salt)
	return f, err
}

// fence is the greatest token that the role was changed with; 0 where there is
// none, or none that can be read.
func (f facts) fence() int64 {
	m, _ := parseMark(f.mark)
	return m.fence
}

func (f facts) observation(p *instance, role string) provider.Observation {
	o := provider.Observation{
		Exists:   true,
		Versions: f.versions(),
		Unlisted: f.unlisted(),
		Sessions: f.sessions,
		Now:      f.now.UTC(),
		Settle:   time.Duration(f.authTimeout+1) * time.Second,
		Fenced:   f.canFence,
		Fence:    f.fence(),
		Notes:    f.notes(p, role),
	}
	o.Enabled = f.canLogin && !f.expired && (!f.canRead || f.stored != "")
	if f.own {
		o.InUseBy = "postgresql." + p.name
	}
	return o
}
