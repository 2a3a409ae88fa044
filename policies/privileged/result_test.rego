package remint.result_test

import data.example.ids
import data.observed
import data.remint.result

test_privileged_proof if {
	found := result.deny with input as observed.final({"labels": {"privileged": "true"}}, "reported") with data.parameters.privileged_proof as "tested" with data.parameters.incident_proof as "reported"
	"privileged_proof" in ids(found)
}

test_privileged_proof_fulfilled if {
	result.deny == set() with input as observed.final({"labels": {"privileged": "true"}}, "tested") with data.parameters.privileged_proof as "tested" with data.parameters.incident_proof as "reported"
	result.deny == set() with input as observed.final({"labels": {"privileged": "true"}}, "reported") with data.parameters.privileged_proof as "reported" with data.parameters.incident_proof as "reported"
}

test_privileged_proof_elsewhere if {
	result.deny == set() with input as observed.final({"labels": {"privileged": "no"}}, "reported") with data.parameters.incident_proof as "reported"
}
