# What was observed. Asked before `revoke` where the old credential still lives, and at the end.
package remint.result

import data.finding

# METADATA
# title: Dead is known
# description: >-
#   At the end the old credential's death must rest on a test or on the
#   target's own records. A time-out or a lock-out proves nothing.
# custom:
#   id: proof_must_be_known
#   severity: critical
#   remedy: Find out why the probe gave no answer, then run `remint resume`.
#   controls: ["NIST CSF 2.0 PR.AA-01", "NIST SP 800-63B-4 4.5", "OWASP NHI1:2025", "PCI DSS 4.0.1 8.2.5"]
deny contains finding.of(rego.metadata.rule(), reset.address, "Nobody knows whether the old credential is dead.") if {
	some reset in input.resets
	reset.result.final
	not reset.result.proof in {"tested", "reported"}
}

# METADATA
# title: The new one works first
# description: Where both can live, the old one is not revoked before the target accepted the new one.
# custom:
#   id: new_accepted_before_revoke
#   severity: critical
#   remedy: Find out why the target refuses the new one; the old one still works.
#   controls: ["NIST SP 800-63B-4 4.1.4"]
deny contains finding.of(rego.metadata.rule(), reset.address, "The target has not accepted the new credential, and the old one is about to be revoked.") if {
	input.mode == "cutover"
	some reset in input.resets
	not reset.result.final
	not reset.result.new_accepted
}

# METADATA
# title: Something was observed
# description: Without an observation nothing is known, and what is not known denies.
# custom:
#   id: result_must_be_observed
#   severity: critical
#   remedy: Run `remint resume`.
#   controls: []
deny contains finding.of(rego.metadata.rule(), reset.address, "Nothing was observed about this reset.") if {
	some reset in input.resets
	not reset.result
}
