package remint.result_test

import data.example.ids
import data.remint.result

observed(mode, seen) := {"mode": mode, "resets": [{"address": "credential.t.a", "result": seen}]}



test_final_and_known if {
	every proof in ["tested", "reported"] {
		result.deny == set() with input as observed("cutover", {"final": true, "proof": proof, "new_accepted": true})
	}
}

test_final_and_not_known if {
	every proof in ["unknown", "", "perhaps"] {
		found := result.deny with input as observed("contain", {"final": true, "proof": proof, "new_accepted": true})
		ids(found) == {"proof_must_be_known"}
	}
}

test_revoke_after_new_accepted if {
	result.deny == set() with input as observed("cutover", {"final": false, "proof": "", "new_accepted": true})
}

test_revoke_before_new_accepted if {
	found := result.deny with input as observed("cutover", {"final": false, "proof": "", "new_accepted": false})
	ids(found) == {"new_accepted_before_revoke"}
}

test_contain_revokes_first if {
	every mode in ["contain", "retire"] {
		result.deny == set() with input as observed(mode, {"final": false, "proof": "", "new_accepted": false})
	}
}

test_nothing_observed if {
	found := result.deny with input as {"mode": "contain", "resets": [{"address": "credential.t.a"}]}
	ids(found) == {"result_must_be_observed"}
}
