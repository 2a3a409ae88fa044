# Production, what was observed. Asked at the end.
package remint.result

import data.finding
import data.parameters
import data.proof

# METADATA
# title: The proof is good enough for production
# description: A target's own records can be wrong; a login that is refused cannot.
# custom:
#   id: production_proof
#   off_unless: production_proof
#   severity: high
#   remedy: See what the prove step says, give the old secret a store to be read from, and run `remint resume`.
#   controls: ["NIST CSF 2.0 PR.AA-01"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	reset.production
	reset.result.final
	proof.short(reset.result.proof, parameters.production_proof)
	what := sprintf("The old credential's death is %q, and production wants %q.", [reset.result.proof, parameters.production_proof])
}
