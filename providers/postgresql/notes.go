package postgresql

import (
	"fmt"
	"time"
)

// notes says what a reviewer should know before the role is reset.
func (f facts) notes(p *instance, role string) []string {
	var notes []string
	note := func(when bool, format string, args ...any) {
		if when {
			notes = append(notes, fmt.Sprintf(format, args...))
		}
	}
	admin := ident(p.admin.User)
	note(f.standby, "The server is a read-only standby: it cannot change the role; `url` must name the primary.")
	note(!f.canAlter, "The provider's login may not change this role: %s.", changeGrant(admin, role, f.major))
	note(!f.canFence, "The server does not check who changed the role last (unfenced): %s.", fenceGrant(admin, f.major))
	note(!f.canEnd, "The provider's login may not see or end this role's sessions: %s.", sessionGrant(admin, f.super))
	note(!f.canRead, "The provider's login may not read pg_authid, so that a password which others set before the change is not noticed.")
	note(f.super, "The role is a superuser: whoever has its password can change anything at this server, other passwords included.")
	note(!f.canLogin, "The role may not log in (NOLOGIN); setting a password lets it log in.")
	note(f.expired, "VALID UNTIL has passed, so that no password lets the role in, a new one neither: ALTER ROLE %s VALID UNTIL 'infinity'.", ident(role))
	if f.validUntil != nil && !f.expired {
		note(true, "Its password, a new one too, is valid until %s.", f.validUntil.UTC().Format(time.RFC3339))
	}
	note(f.connLimit >= 0 && f.sessions >= f.connLimit, "All of the role's connections (CONNECTION LIMIT %d) are taken: logging in cannot be tested until one is free.", f.connLimit)
	note(f.stored == "md5", "The password is stored as an md5 hash, and remint does not answer requests for md5: the old password cannot be tried. The new one is stored for SCRAM.")
	note(f.canRead && f.stored == "" && f.canLogin, "The role has no password.")
	note(f.prepared > 0, "The role owns %d prepared transactions; they outlive its sessions: see pg_prepared_xacts.", f.prepared)
	_, ok := parseMark(f.mark)
	note(!ok, "The setting %s of the role is not one that remint wrote, and changes will be refused: ALTER ROLE %s RESET %s after checking it.", fenceSetting, ident(role), ident(fenceSetting))
	return notes
}

// changeGrant, fenceGrant and sessionGrant say which GRANT would help.
func changeGrant(admin, role string, major int) string {
	if major < 16 {
		return fmt.Sprintf("a superuser can let it: ALTER ROLE %s CREATEROLE (superusers and replication roles are changed by superusers alone)", admin)
	}
	return fmt.Sprintf("a superuser can let it: ALTER ROLE %s CREATEROLE; GRANT %s TO %s WITH ADMIN OPTION (superusers are changed by superusers alone)", admin, ident(role), admin)
}

func fenceGrant(admin string, major int) string {
	if major < 15 {
		return "before PostgreSQL 15 only a superuser can set " + fenceSetting
	}
	return fmt.Sprintf("a superuser can let it: GRANT SET ON PARAMETER %s TO %s", ident(fenceSetting), admin)
}

func sessionGrant(admin string, super bool) string {
	if super {
		return "only a superuser ends a superuser's sessions"
	}
	return fmt.Sprintf("a superuser can let it: GRANT pg_read_all_stats, pg_signal_backend TO %s", admin)
}
