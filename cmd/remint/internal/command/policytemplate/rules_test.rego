# Run by `remint policy test`; never asked.
package remint.plan_test

import data.remint.plan

test_compromise_needs_ticket if {
	found := plan.deny with input as {"reason": "compromised", "ticket": ""}
	{f.id | some f in found} == {"compromise_needs_ticket"}
}

test_ticket_given if {
	plan.deny == set() with input as {"reason": "compromised", "ticket": "INC-1"}
}

test_payments if {
	plan.require == {{"approvals": 2, "group": "payments", "address": "credential.t.a"}} with input as {
		"reason": "scheduled", "ticket": "",
		"resets": [{"address": "credential.t.a", "labels": {"team": "payments"}}],
	}
}

test_others if {
	plan.require == set() with input as {"reason": "scheduled", "ticket": "", "resets": [{"address": "credential.t.a", "labels": {}}]}
}
