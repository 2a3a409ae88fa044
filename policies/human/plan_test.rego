package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.good
import data.example.ids
import data.remint.plan

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

forgotten(changes) := object.union(about(object.union({"person": true}, changes)), {"reason": "forgotten"})

test_human_strength if {
	plan.require == {{"strength": "aal1", "address": good.address}} with input as forgotten({}) with data.parameters.human_strength as "aal1"
	plan.require == set() with input as forgotten({})
	plan.require == set() with input as forgotten({"person": false}) with data.parameters.human_strength as "aal1"
	plan.require == set() with input as object.union(forgotten({}), {"mode": "retire"}) with data.parameters.human_strength as "aal1"
}

test_human_needs_approval if {
	plan.require == {{"approvals": 2, "group": "hr", "address": good.address}} with input as forgotten({})
		with data.parameters.human_approvals as 2
		with data.parameters.human_group as "hr"
	plan.require == set() with input as forgotten({"person": false}) with data.parameters.human_approvals as 2
	plan.require == {{"approvals": 2, "group": "hr", "address": good.address}}
		with input as object.union(about({"person": true}), {"reason": "expiring"})
		with data.parameters.human_approvals as 2
		with data.parameters.human_group as "hr"
	plan.require == set() with input as object.union(about({"person": true}), {"reason": "offboarding", "mode": "retire"}) with data.parameters.human_approvals as 2
}
