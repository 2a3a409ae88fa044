// Package postgresql resets the passwords of PostgreSQL login roles.
//
// A new password travels as a SCRAM verifier, never in the clear, and never
// for another method of authentication: neither the provider's own login nor a
// probe answers a server that asks for a cleartext password or an md5 hash.
package postgresql

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// TypeName is the credential type of a login role's password.
const TypeName = "postgresql_role"

// New declares the provider. It holds no state.
func New() provider.Definition {
	return provider.Definition{
		Name:        "postgresql",
		Description: "A PostgreSQL server: passwords of login roles. Tested with PostgreSQL 15.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "url", Type: provider.String, Required: true, Sensitive: true,
				Description: "How to log in as the role that changes others: `postgres://…` or `host=… user=…`. The login is a superuser, or has CREATEROLE (from PostgreSQL 16 on with ADMIN OPTION on the roles) and is granted pg_read_all_stats and pg_signal_backend. It must log in by SCRAM, or without a password by the server's leave (peer, cert)."},
			{Name: "probe_addresses", Type: provider.StringList, Check: checkAddresses,
				Description: "Further places, as `host:port`, at which passwords are tried, a connection pooler say. The provider's login must be able to log in there too: it is the control. Where `url` is a Unix socket, these places are tried instead of it."},
			{Name: "connect_timeout", Type: provider.Duration, Default: 10 * time.Second,
				Min: int64(100 * time.Millisecond), Max: int64(10 * time.Minute),
				Description: "How long one login may take, before it counts as unanswered."},
			{Name: "max_connections", Type: provider.Int, Default: int64(10), Min: 1, Max: 1000,
				Description: "How many connections to hold at most, and how many logins to try at once."},
		}},
		Types: []provider.CredentialType{{
			Name:        TypeName,
			Description: "A login role's password.",
			Kind:        lifecycle.InPlace,
			Schema: provider.Schema{Attributes: []provider.Attribute{
				{Name: "role", Type: provider.String, Required: true, Key: true, Check: checkName,
					Description: "The role's name, as the catalog has it (no quotes, case matters)."},
				{Name: "database", Type: provider.String, Check: checkName,
					Description: "The database to log in to when the password is tried; the provider's unless set."},
			}},
			Fields:            provider.PasswordFields(),
			Issue:             provider.PasswordIssue(256),
			Sessions:          true,
			SelectiveSessions: true,
			Fenced:            true,
		}},
		Open: open,
	}
}

// maxName is PostgreSQL's: it cuts longer names, so that a statement about one
// role would silently be about another.
const maxName = 63

func checkName(value any) error {
	s, _ := value.(string)
	switch {
	case s == "":
		return errors.New("must not be empty")
	case len(s) > maxName:
		return fmt.Errorf("must be at most %d bytes long: PostgreSQL cuts longer names, and the rest may name another role", maxName)
	case strings.ContainsRune(s, 0):
		return errors.New("must not contain a NUL character")
	}
	return nil
}

func checkAddresses(value any) error {
	list, _ := value.([]string)
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		n, err2 := strconv.ParseUint(port, 10, 16)
		if err != nil || err2 != nil || n == 0 || host == "" || strings.ContainsAny(host, ",/ '\\\x00") {
			return errors.New("must be a list of `host:port`")
		}
	}
	return nil
}
