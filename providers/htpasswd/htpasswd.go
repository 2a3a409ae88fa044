// Package htpasswd resets users of an htpasswd file, as Apache, nginx and many
// others read it for HTTP basic authentication.
package htpasswd

import (
	"context"
	"errors"
	"strings"

	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/provider"
)

// Bcrypt's limits, and those of Apache's own htpasswd on its cost.
const (
	longestPassword = 72
	longestUser     = 255
	defaultCost     = 5
	lowestCost      = 4
	highestCost     = 17
)

// New declares the provider `htpasswd` with the type `htpasswd_user`.
func New() provider.Definition {
	return provider.Definition{
		Name:        "htpasswd",
		Description: "An htpasswd file, as Apache and nginx read it for HTTP basic authentication.",
		Schema: provider.Schema{Attributes: []provider.Attribute{
			{Name: "file", Type: provider.PathType, Required: true, Writes: true,
				Description: "The file. Lines of other users, comments, owner, mode and ACLs are kept; a file that does not exist is made with mode 0640."},
			{Name: "cost", Type: provider.Int, Default: int64(defaultCost), Min: lowestCost, Max: highestCost,
				Description: "The bcrypt cost of new entries. The default is that of Apache's htpasswd: servers verify the password on every request, and a generated one carries 240 bits, which no cost makes harder to guess. Raise it where an `issue` step makes short passwords."},
		}},
		Types: []provider.CredentialType{{
			Name:        "htpasswd_user",
			Description: "A user's password in an htpasswd file, stored as a bcrypt hash.",
			Kind:        lifecycle.InPlace,
			Schema: provider.Schema{Attributes: []provider.Attribute{
				{Name: "user", Type: provider.String, Required: true, Key: true, Description: "The user's name in the file.",
					Check: func(v any) error { name, _ := v.(string); return checkUser(name) }},
			}},
			Fields: provider.PasswordFields(),
			Issue:  provider.PasswordIssue(longestPassword),
		}},
		ByFile: true,
		Open: func(_ context.Context, b provider.Block) (provider.Provider, error) {
			cost := int(b.Attrs.Int("cost"))
			if cost == 0 {
				cost = defaultCost
			}
			return &site{file: b.Attrs.Path("file"), cost: cost, known: schemes(), now: b.Clock(), queue: queue{turn: make(chan struct{}, 1)}}, nil
		},
	}
}

// checkUser refuses names that cannot stand in a line of their own, or that
// servers would read differently from each other.
func checkUser(name string) error {
	switch {
	case name == "":
		return errors.New("must not be empty")
	case len(name) > longestUser:
		return errors.New("must be at most 255 bytes long")
	case strings.ContainsRune(name, ':'):
		return errors.New("must not contain a colon, which ends the name in the file")
	case strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return errors.New("must not contain control characters")
	case strings.HasPrefix(name, "#"):
		return errors.New("must not begin with #, which makes the line a comment")
	case strings.TrimSpace(name) != name:
		return errors.New("must not begin or end with a space, which some servers ignore")
	}
	return nil
}
