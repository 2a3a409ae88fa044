package remint.result_test

import data.example.ids
import data.observed
import data.remint.result

test_incident_proof if {
	found := result.deny with input as observed.final({}, "reported") with data.parameters.incident_proof as "tested"
	"incident_proof" in ids(found)
}

test_incident_proof_fulfilled if {
	result.deny == set() with input as observed.final({}, "tested") with data.parameters.incident_proof as "tested"
	result.deny == set() with input as observed.final({}, "reported") with data.parameters.incident_proof as "reported"
}

test_other_reasons_need_no_tested_proof if {
	result.deny == set() with input as object.union(observed.final({}, "reported"), {"reason": "scheduled"})
}
