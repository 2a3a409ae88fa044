# What the tests of all groups are about.
package example

# good is a reset that nobody objects to.
good := {
	"address": "credential.htpasswd_user.a",
	"credential_type": "htpasswd_user",
	"kind": "in_place",
	"person": false,
	"has_sessions": true,
	"provider": "htpasswd.site",
	"owner": "team@example.com",
	"environment": "test",
	"production": false,
	"labels": {},
	"attributes": {},
	"runbook": {"name": "htpasswd_user", "digest": "", "builtin": true},
	"observed": {"fenced": true},
	"in_use_by": "",
	"max_age_seconds": 2592000,
	"entropy_bits": 240,
	"stores": ["file.dotenv"],
	"consumers": [],
	"phases": ["verify", "approve", "issue", "install", "confirm", "distribute", "revoke", "terminate", "prove", "notify"],
	"steps": [{"address": "distribute.stores[\"file.dotenv\"]", "phase": "distribute", "reversible": true, "controls": []}],
}

about(changes) := {
	"reason": "scheduled",
	"mode": "cutover",
	"trust": "sha256:0",
	"resets": [object.union(good, changes)],
}

ids(found) := {f.id | some f in found}

addressed(found) if {
	every f in found {
		f.address == good.address
		is_array(f.controls)
	}
}

general(found) if {
	every f in found {
		not f.address
	}
}

without(phase) := [p | some p in good.phases; p != phase]
