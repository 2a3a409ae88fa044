package remint.plan_test

import data.example
import data.example.about
import data.example.addressed
import data.example.general
import data.example.good
import data.example.ids
import data.remint.plan

test_good_is_good if {
	plan.deny == set() with input as about({})
	plan.warn == set() with input as about({})
	plan.require == set() with input as about({})
}

test_runbook_must_prove if {
	found := plan.deny with input as about({"phases": example.without("prove")})
	ids(found) == {"runbook_must_prove"}
	addressed(found)
}

test_runbook_must_end_sessions if {
	found := plan.deny with input as about({"phases": example.without("terminate")})
	ids(found) == {"runbook_must_end_sessions"}
	addressed(found)
}

test_no_sessions_none_to_end if {
	plan.deny == set() with input as about({"phases": example.without("terminate"), "has_sessions": false})
}

test_runbook_must_notify if {
	found := plan.deny with input as about({"phases": example.without("notify")})
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
	plan.deny == set() with input as object.union(about({"entropy_bits": 127, "person": true}), {"reason": "forgotten"})
}

test_own_login_in_use if {
	found := plan.deny with input as about({"in_use_by": "postgresql.main"})
	ids(found) == {"own_login_in_use"}
	addressed(found)
}

test_no_store if {
	found := plan.warn with input as about({"stores": []})
	ids(found) == {"no_store"}
	general(found)
}

test_no_store_is_fine_when_retired if {
	plan.warn == set() with input as object.union(about({"stores": []}), {"mode": "retire"})
}

test_no_change_needs_no_approval if {
	plan.require == set() with input as about({"change": {"fields": []}})
	plan.warn == set() with input as about({"change": {"fields": []}})
}

test_change_needs_approval if {
	change := {"fields": ["owner", "stores"]}
	plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as about({"change": change})
	found := plan.warn with input as about({"change": change})
	ids(found) == {"changed_against_trust_base"}
	addressed(found)
}

test_added_needs_approval if {
	plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as about({"change": {"fields": ["added"]}})
}
