package trust

import (
	"net/url"
	"slices"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/secret"
)

// Shareable reports whether b may be given to people who have neither the workspace nor
// the state. It may not where a block has in clear what is often a secret of its own,
// such as the address of a webhook. Nothing can be taken out of b for them: the rest
// would not have the digest by which it is known.
func (b *Base) Shareable() bool {
	return !slices.ContainsFunc(slices.Concat(b.Providers, b.Notifiers, b.Verifiers, b.Commands), func(p Part) bool {
		for name, value := range p.Attributes {
			if telling(value, config.MayBeSecret(name)) {
				return true
			}
		}
		return false
	})
}

// telling reports whether a value shows what could be a secret: any text where it is
// called one, and elsewhere an address with credentials or a query.
func telling(value any, called bool) bool {
	switch v := value.(type) {
	case string:
		if called {
			return v != "" && v != secret.Redacted
		}
		u, err := url.Parse(v)
		return err == nil && u.Host != "" && (u.User != nil || u.RawQuery != "")
	case []string:
		return slices.ContainsFunc(v, func(s string) bool { return telling(s, called) })
	case []any: // as it is read back
		return slices.ContainsFunc(v, func(x any) bool { return telling(x, called) })
	case map[string]any:
		for _, x := range v {
			if telling(x, called) {
				return true
			}
		}
	}
	return false
}
