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

test_human_entropy if {
	every bits in [1, 89.9] {
		found := plan.deny with input as forgotten({"entropy_bits": bits})
		ids(found) == {"human_entropy"}
		addressed(found)
	}
	plan.deny == set() with input as forgotten({"entropy_bits": 72}) with data.parameters.human_min_entropy_bits as 72
}

test_human_entropy_fulfilled if {
	every bits in [0, 90, 90.5] {
		plan.deny == set() with input as forgotten({"entropy_bits": bits})
	}
	plan.deny == set() with input as forgotten({"person": false, "entropy_bits": 128}) with data.parameters.human_min_entropy_bits as 200
}

test_human_consumers if {
	shared_with := {"subject": "ann@example.com", "consumers": ["command.reload"]}
	every person in [true, false] {
		found := plan.deny with input as forgotten(object.union(shared_with, {"person": person})) with data.parameters.human_consumers as false
		ids(found) == {"human_consumers"}
		addressed(found)
	}
	plan.deny == set() with input as forgotten(shared_with)
	plan.deny == set() with input as forgotten({"subject": "ann@example.com"}) with data.parameters.human_consumers as false
	plan.deny == set() with input as forgotten({"person": false, "subject": "", "consumers": ["command.reload"]}) with data.parameters.human_consumers as false
	plan.deny == set() with input as object.union(forgotten(shared_with), {"reason": "offboarding", "mode": "retire"}) with data.parameters.human_consumers as false
}
