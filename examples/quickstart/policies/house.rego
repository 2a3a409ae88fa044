# The house rule of this example: what is compromised is not reset on one
# person's word.
package remint.plan

require contains {"approvals": 1, "group": "security"} if input.reason == "compromised"

warn contains {
	"id": "no_ticket",
	"msg": "A reset for a compromise should name its ticket: -ticket=T.",
} if {
	input.reason == "compromised"
	input.ticket == ""
}
