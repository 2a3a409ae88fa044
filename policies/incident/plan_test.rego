package remint.plan_test

import data.example
import data.example.about
import data.example.addressed
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
