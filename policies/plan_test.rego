package remint.plan_test

import data.remint.plan

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
	"entropy_bits": 240,
	"stores": ["file.dotenv"],
	"consumers": [],
	"phases": ["verify", "approve", "issue", "install", "confirm", "distribute", "revoke", "terminate", "prove", "notify"],
	"steps": [],
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

test_good_is_good if {
	plan.deny == set() with input as about({})
	plan.warn == set() with input as about({})
	plan.require == set() with input as about({})
}

test_production_needs_approval if {
	plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as about({"production": true})
}

test_runbook_must_prove if {
	found := plan.deny with input as about({"phases": without("prove")})
	ids(found) == {"runbook_must_prove"}
	addressed(found)
}

test_runbook_must_end_sessions if {
	found := plan.deny with input as about({"phases": without("terminate")})
	ids(found) == {"runbook_must_end_sessions"}
	addressed(found)
}

test_no_sessions_none_to_end if {
	plan.deny == set() with input as about({"phases": without("terminate"), "has_sessions": false})
}

test_runbook_must_notify if {
	found := plan.deny with input as about({"phases": without("notify")})
	ids(found) == {"runbook_must_notify"}
	addressed(found)
}

test_owner_must_be_named if {
	found := plan.deny with input as about({"owner": ""})
	ids(found) == {"owner_must_be_named"}
	addressed(found)
}

test_secret_entropy if {
	found := plan.deny with input as about({"entropy_bits": 127.9})
	ids(found) == {"secret_entropy"}
	addressed(found)
}

test_secret_entropy_fulfilled if {
	every bits in [0, 128, 128.5] {
		plan.deny == set() with input as about({"entropy_bits": bits})
	}
}

test_secret_entropy_is_not_for_people if {
	plan.deny == set() with input as object.union(about({"entropy_bits": 80, "person": true}), {"reason": "forgotten"})
}

test_no_periodic_change_for_people if {
	every reason in ["scheduled", "expiring"] {
		found := plan.deny with input as object.union(about({"person": true}), {"reason": reason})
		ids(found) == {"no_periodic_change_for_people"}
		addressed(found)
	}
}

test_people_with_a_reason if {
	every reason in ["forgotten", "compromised", "offboarding"] {
		plan.deny == set() with input as object.union(about({"person": true}), {"reason": reason})
	}
}

test_own_login_in_use if {
	found := plan.deny with input as about({"in_use_by": "postgresql.main"})
	ids(found) == {"own_login_in_use"}
	addressed(found)
}

test_self_asserted_in_production if {
	found := plan.warn with input as object.union(about({"production": true}), {"trust": "self-asserted"})
	ids(found) == {"self_asserted_in_production"}
	general(found)
}

test_self_asserted_elsewhere if {
	plan.warn == set() with input as object.union(about({}), {"trust": "self-asserted"})
}

test_no_store if {
	found := plan.warn with input as about({"stores": []})
	ids(found) == {"no_store"}
	general(found)
}

test_no_store_is_fine_when_retired if {
	plan.warn == set() with input as object.union(about({"stores": []}), {"mode": "retire"})
}

test_unfenced_in_production if {
	found := plan.warn with input as about({"production": true, "observed": {"fenced": false}})
	ids(found) == {"unfenced_in_production"}
	general(found)
}

test_unfenced_elsewhere if {
	plan.warn == set() with input as about({"observed": {"fenced": false}})
}
