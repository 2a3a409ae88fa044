package postgresql

import (
	"net"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/remint-dev/remint/engine/provider"
)

// place is one address at which passwords are tried. Its configuration's
// fall-backs are the same address with and without TLS, as `sslmode` says.
type place struct {
	address string
	config  *pgconn.Config
}

// findPlaces lists the hosts of the URL, then the further addresses. A Unix
// socket is left out where there are any: its server rarely asks for passwords.
func findPlaces(url string, admin *pgconn.Config, more []string) ([]place, error) {
	var places []place
	for _, variant := range append([]*pgconn.FallbackConfig{{Host: admin.Host, Port: admin.Port, TLSConfig: admin.TLSConfig}}, admin.Fallbacks...) {
		at := address(variant.Host, variant.Port)
		if n := len(places); n > 0 && places[n-1].address == at {
			places[n-1].config.Fallbacks = append(places[n-1].config.Fallbacks, variant)
			continue
		}
		if len(more) > 0 && strings.HasPrefix(variant.Host, "/") {
			continue
		}
		c := admin.Copy()
		c.Host, c.Port, c.TLSConfig, c.Fallbacks = variant.Host, variant.Port, variant.TLSConfig, nil
		places = append(places, place{at, c})
	}
	for _, at := range more {
		c, err := redirected(url, admin, at)
		if err != nil {
			return nil, err
		}
		places = append(places, place{at, c})
	}
	for _, p := range places {
		p.config.ValidateConnect = nil // probes are about one login, not about the server's part
	}
	return places, nil
}

// redirected is the URL's configuration for another address: TLS is set up
// anew, because certificates are for names.
func redirected(url string, admin *pgconn.Config, at string) (*pgconn.Config, error) {
	bad := provider.Errorf(provider.Permanent, "`probe_addresses` has %q, which `url` cannot be pointed at: it must be `host:port`", at)
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return nil, bad
	}
	switch {
	case !strings.HasPrefix(url, "postgres://") && !strings.HasPrefix(url, "postgresql://"):
		url += " host='" + host + "' port=" + port
	case strings.Contains(url, "?"):
		url += "&host=" + host + "&port=" + port
	default:
		url += "?host=" + host + "&port=" + port
	}
	c, err := pgconn.ParseConfig(url) // err may quote the password
	if err != nil || c.Host != host || strconv.Itoa(int(c.Port)) != port {
		return nil, bad
	}
	secure(c, admin.ConnectTimeout)
	c.RuntimeParams = admin.RuntimeParams
	return c, nil
}

// address is how people write it: host:port, or the socket's folder and port.
func address(host string, port uint16) string {
	return net.JoinHostPort(host, strconv.Itoa(int(port)))
}
