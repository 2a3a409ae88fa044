# Your own rules, judged beside the built-in library. deny, warn and require
# count; everything else is a helper. `remint schema policy-input` describes input.
package remint.plan

# METADATA
# title: A compromise has a ticket
# description: The ticket says why, to whoever reads the evidence later.
deny contains {
	"id": "compromise_needs_ticket",
	"msg": "A reset for a compromise needs a ticket. Name it with -ticket.",
} if {
	input.reason == "compromised"
	input.ticket == ""
}

# METADATA
# title: What payments own is approved by two of payments
require contains {"approvals": 2, "group": "payments", "address": reset.address} if {
	some reset in input.resets
	reset.labels.team == "payments"
}
