# Your own rules, judged beside the built-in library.
package remint.plan

warn contains {
	"id": "no_ticket",
	"msg": "A reset for a compromise should name its ticket: -ticket=T.",
} if {
	input.reason == "compromised"
	input.ticket == ""
}
