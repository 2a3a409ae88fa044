package postgresql

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/remint-dev/remint/engine/provider"
)

// door is how the server at one place receives a login before it has seen a
// password: what it asks for, and the SQLSTATE if it turns the login away at once.
type door struct {
	address string
	asks    authCode
	state   string
}

// closed says why a password cannot be tried there, "" where it can. md5 is no
// reason: a role whose password is stored anew for SCRAM is asked for SCRAM.
func (d door) closed() string {
	switch {
	case d.asks == authOK:
		return "lets the role in without asking for a password (trust, peer or cert in pg_hba.conf), so that any password works there, and a new one would neither prove anything nor keep anybody out"
	case d.asks == authNotYet && d.state == "28000":
		return "turns the role away before it asks for a password (reject, peer or no line in pg_hba.conf, SQLSTATE 28000), so that a new one could not be tried"
	case d.asks == authNotYet, d.asks == authSASL, d.asks == authMD5:
		return ""
	}
	return "asks for " + d.asks.String() + ", which remint never answers, so that a new password could not be tried"
}

// doors knocks at every place as role. No password is sent, so that nothing
// counts as a failed login: the connection ends when the server has asked.
func (p *instance) doors(ctx context.Context, role, database string) ([]door, error) {
	select {
	case p.probes <- struct{}{}:
		defer func() { <-p.probes }()
	case <-ctx.Done():
		return nil, provider.Errorf(provider.Transient, "nothing was changed: cancelled, or timed out while waiting for earlier logins")
	}
	var out []door
	for _, at := range p.places {
		cfg := at.config.Copy()
		cfg.User, cfg.Password, cfg.RequireAuth = role, "", "none"
		if database != "" {
			cfg.Database = database
		}
		cfg.RuntimeParams = map[string]string{"application_name": "remint-probe"}
		asks, err := attempt(ctx, cfg)
		out = append(out, door{at.address, asks, state(err)})
	}
	return out, nil
}

// requireDoors refuses, before anything is changed, to set a password that
// could not be tried afterwards.
func (p *instance) requireDoors(ctx context.Context, c provider.Credential) error {
	if _, met := p.met.Load(meeting(c)); met {
		return nil
	}
	role := c.Attrs.String("role")
	doors, err := p.doors(ctx, role, c.Attrs.String("database"))
	if err != nil {
		return err
	}
	for _, d := range doors {
		if why := d.closed(); why != "" {
			return provider.Errorf(provider.Permanent, "the server at %s %s: set `scram-sha-256` in its pg_hba.conf for the role %q, or name another place in `probe_addresses`; nothing was changed", d.address, why, role)
		}
	}
	return nil
}

// What the role that nobody has met at the instance's places.
const (
	entranceUnknown int32 = iota
	entranceSound         // every place that answered asked it for SCRAM
	entranceOdd
)

// doorNotes are for the plan. A role that nobody has is tried first, once for
// the instance: where it is asked for SCRAM, the lines of pg_hba.conf that are
// for everybody are sound, and thousands of roles need not be tried one by one.
// What single roles have is then found by Set, which tries each.
func (p *instance) doorNotes(ctx context.Context, c provider.Credential) ([]string, error) {
	if p.entrance.Load() == entranceUnknown {
		strangers, err := p.doors(ctx, "remint_"+strings.ToLower(rand.Text()), c.Attrs.String("database"))
		if err != nil || ctx.Err() != nil {
			return nil, err
		}
		found := entranceSound
		for _, d := range strangers {
			if d.asks != authSASL && (d.asks != authNotYet || d.state != "") {
				found = entranceOdd
			}
		}
		p.entrance.Store(found)
	}
	if p.entrance.Load() == entranceSound {
		return nil, nil
	}
	doors, err := p.doors(ctx, c.Attrs.String("role"), c.Attrs.String("database"))
	var notes []string
	for _, d := range doors {
		if why := d.closed(); why != "" {
			notes = append(notes, fmt.Sprintf("The server at %s %s: setting a password is refused until its pg_hba.conf says `scram-sha-256` for this role.", d.address, why))
		}
	}
	return notes, err
}
