package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.general
import data.example.good
import data.example.ids
import data.remint.plan

marked := {"labels": {"privileged": "true"}}

with_ticket(changes) := object.union(about(changes), {"ticket": "T-1"})

test_privileged_needs_approvals_and_strength if {
	plan.require == {
		{"approvals": 2, "group": "", "address": good.address},
		{"strength": "aal2", "address": good.address},
	} with input as with_ticket(marked)
}

test_privileged_parameters if {
	plan.require == {{"approvals": 4, "group": "security", "address": good.address}} with input as with_ticket({"labels": {"tier": "0"}})
		with data.parameters.privileged_labels as ["root=yes", "tier=0"]
		with data.parameters.privileged_approvals as 4
		with data.parameters.privileged_group as "security"
		with data.parameters.privileged_strength as "none"
}

test_not_privileged if {
	plan.require == set() with input as object.union(about({"labels": {"privileged": "false"}}), {"ticket": ""})
	plan.deny == set() with input as object.union(about({"labels": {"privileged": "false"}}), {"ticket": ""})
}

test_privileged_ticket if {
	found := plan.deny with input as object.union(about(marked), {"ticket": ""})
	ids(found) == {"privileged_ticket"}
	addressed(found)
	plan.deny == set() with input as with_ticket(marked)
}

test_privileged_label_unreadable if {
	found := plan.deny with input as about({}) with data.parameters.privileged_labels as ["root"]
	ids(found) == {"privileged_label_unreadable"}
	general(found)
}
