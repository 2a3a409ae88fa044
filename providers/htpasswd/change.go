package htpasswd

import (
	"context"
	"fmt"

	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/secret"
)

// Set makes material the user's only password, adding the user if need be.
func (s *site) Set(ctx context.Context, m provider.Mutation, material secret.Material) (provider.Applied, error) {
	password := material.Field("value")
	current, err := s.holding(ctx, m.Credential, password.RevealString())
	if err != nil {
		return provider.Applied{}, err
	}
	hash, err := hashOf(password.Reveal(), s.cost)
	if err != nil {
		return provider.Applied{}, err
	}
	detail := "added"
	return s.change(ctx, m.Credential, func(data []byte, user string) ([]splice, string, string) {
		found := find(data, user)
		switch {
		case len(found) == 1 && current != "" && found[0].hash == current:
			return nil, s.parse(current).version(), "unchanged: it was set before"
		case len(found) > 1:
			detail = fmt.Sprintf("replaced; %d further lines of the user removed", len(found)-1)
		case len(found) == 1:
			detail = "replaced"
		}
		return put(data, found, user, hash), s.parse(hash).version(), detail
	})
}

// holding gives the hash on the user's first line if it is one of password
// already, made with the cost that is configured; otherwise nothing.
func (s *site) holding(ctx context.Context, c provider.Credential, password string) (string, error) {
	found, err := s.entries(ctx, c.Attrs.String("user"))
	if err != nil && provider.ClassOf(err, "") != provider.NotFound {
		return "", err
	}
	if len(found) == 0 || found[0].scheme == nil || found[0].scheme.name != "bcrypt" || found[0].work != s.cost {
		return "", nil
	}
	if v, _ := found[0].try(password); v != provider.Accepted {
		return "", nil
	}
	return found[0].hash, nil
}

// Revoke locks the user out and keeps the user's place in the file.
func (s *site) Revoke(ctx context.Context, m provider.Mutation, _ []string) (provider.Applied, error) {
	return s.change(ctx, m.Credential, func(data []byte, user string) ([]splice, string, string) {
		found := find(data, user)
		switch {
		case len(found) == 0:
			return nil, "", "the file has no such user"
		case len(found) == 1 && s.parse(found[0].hash).locked():
			return nil, "", "locked before"
		}
		return put(data, found, user, lock()), "", "locked"
	})
}

// Retire removes the user's lines.
func (s *site) Retire(ctx context.Context, m provider.Mutation, _ []string) (provider.Applied, error) {
	return s.change(ctx, m.Credential, func(data []byte, user string) ([]splice, string, string) {
		found := find(data, user)
		if len(found) == 0 {
			return nil, "", "the file has no such user"
		}
		return drop(found), "", "removed"
	})
}

// change writes what edit makes of the file; edit also tells the version that
// is then current, and a detail for evidence.
func (s *site) change(ctx context.Context, c provider.Credential, edit func(data []byte, user string) ([]splice, string, string)) (provider.Applied, error) {
	user := c.Attrs.String("user")
	if err := checkUser(user); err != nil {
		return provider.Applied{}, provider.Errorf(provider.Permanent, "the attribute user of %s %v", c.Address, err)
	}
	var out provider.Applied
	ch := &change{user: user}
	ch.splices = func(data []byte) (splices []splice) {
		splices, out.Version, out.Detail = edit(data, user)
		return splices
	}
	if err := s.commit(ctx, ch); err != nil {
		return provider.Applied{}, err
	}
	out.At = ch.at
	return out, nil
}
