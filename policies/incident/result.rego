# Incidents, what was observed. Asked at the end.
package remint.result

import data.finding
import data.parameters
import data.proof

# METADATA
# title: The compromised one was seen to be refused
# description: An incident is not contained while nobody has tried the credential that leaked.
# custom:
#   id: incident_proof
#   severity: critical
#   remedy: See what the prove step says, give the old secret a store to be read from, and run `remint resume`.
#   controls: ["NIST CSF 2.0 RS.MI-01", "NIST CSF 2.0 RS.MI-02", "NIST SP 800-63B-4 4.3"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	input.reason == "compromised"
	some reset in input.resets
	reset.result.final
	proof.short(reset.result.proof, parameters.incident_proof)
	what := sprintf("The compromised credential's death is %q, and it must be %q.", [reset.result.proof, parameters.incident_proof])
}
