package remint.plan_test

import data.example
import data.example.about
import data.example.addressed
import data.example.general
import data.example.ids
import data.remint.plan

leaked(changes, ticket) := object.union(about(changes), {"reason": "compromised", "mode": "contain", "ticket": ticket})

test_incident_ticket if {
	found := plan.deny with input as leaked({}, "")
	ids(found) == {"incident_ticket"}
	plan.deny == set() with input as leaked({}, "INC-1")
	plan.deny == set() with input as leaked({}, "") with data.parameters.incident_ticket as false
	plan.deny == set() with input as object.union(about({}), {"ticket": ""})
}

test_incident_partial if {
	leaves := {"targets": {"left_out": [{"provider": "htpasswd.site", "credential_type": "htpasswd_user", "count": 3}]}}
	elsewhere := {"targets": {"left_out": [
		{"provider": "htpasswd.other", "credential_type": "htpasswd_user", "count": 1},
		{"provider": "htpasswd.site", "credential_type": "other", "count": 1},
	]}}
	found := plan.deny with input as object.union(leaked({}, "INC-1"), leaves) with data.parameters.incident_partial as false
	ids(found) == {"incident_partial"}
	general(found)
	plan.deny == set() with input as object.union(leaked({}, "INC-1"), leaves)
	plan.deny == set() with input as object.union(leaked({}, "INC-1"), elsewhere) with data.parameters.incident_partial as false
	plan.deny == set() with input as object.union(about({}), leaves) with data.parameters.incident_partial as false
}

test_incident_needs_approval if {
	plan.require == {{"approvals": 1, "group": ""}} with input as leaked({}, "INC-1")
	plan.require == {{"approvals": 2, "group": "responders"}} with input as leaked({}, "INC-1")
		with data.parameters.incident_approvals as 2
		with data.parameters.incident_group as "responders"
	plan.require == set() with input as leaked({}, "INC-1") with data.parameters.incident_approvals as 0
	plan.require == set() with input as about({})
}

test_incident_ends_sessions if {
	found := plan.deny with input as leaked({"phases": example.without("terminate")}, "INC-1")
	ids(found) == {"incident_ends_sessions", "runbook_must_end_sessions"}
	addressed(found)
	plan.deny == set() with input as leaked({"phases": example.without("terminate"), "has_sessions": false}, "INC-1")
}
