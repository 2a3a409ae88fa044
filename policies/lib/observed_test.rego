# Results for the tests of all groups.
package observed

final(reset, proof) := {
	"reason": "compromised",
	"mode": "contain",
	"resets": [object.union(reset, {"address": "credential.t.a", "result": {"final": true, "proof": proof, "new_accepted": true}})],
}
