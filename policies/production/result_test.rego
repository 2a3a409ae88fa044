package remint.result_test

import data.example.ids
import data.observed
import data.remint.result

test_production_proof if {
	found := result.deny with input as observed.final({"production": true}, "reported") with data.parameters.production_proof as "tested" with data.parameters.incident_proof as "reported"
	"production_proof" in ids(found)
}

test_production_proof_fulfilled if {
	result.deny == set() with input as observed.final({"production": true}, "tested") with data.parameters.production_proof as "tested" with data.parameters.incident_proof as "reported"
	result.deny == set() with input as observed.final({"production": true}, "reported") with data.parameters.production_proof as "reported" with data.parameters.incident_proof as "reported"
}

test_production_proof_elsewhere if {
	result.deny == set() with input as observed.final({"production": false}, "reported")
		with data.parameters.production_proof as "tested"
		with data.parameters.incident_proof as "reported"
}
