# Before anything. What every plan must be like before it may be applied.
package remint.plan

import data.finding
import data.parameters

# METADATA
# title: What is not as the trust base has it is looked at
# description: >-
#   Whoever may propose a change could send a new secret elsewhere, or reset
#   another credential than the one that its owner knows. Until the change is
#   part of the trust base, somebody else looks at it, whatever the environment.
# custom:
#   id: change_needs_approval
#   severity: high
#   remedy: Have somebody else approve the plan with `remint approve`, or the change agreed to in the trust base.
#   controls: ["NIST CSF 2.0 ID.RA-07", "PCI DSS 4.0.1 8.2.4"]
require contains {"approvals": 1, "group": "", "address": reset.address} if {
	some reset in input.resets
	count(reset.change.fields) > 0
}

# METADATA
# title: It is not as the trust base has it
# description: Says what of a credential a change touches.
# custom:
#   id: changed_against_trust_base
#   severity: medium
#   remedy: See that this is meant.
#   controls: ["NIST CSF 2.0 ID.RA-07"]
warn contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	count(reset.change.fields) > 0
	what := sprintf("Not as the trust base has it: %s.", [concat(", ", reset.change.fields)])
}

# METADATA
# title: A runbook proves
# description: A reset without a `prove` step cannot say that the old credential is dead.
# custom:
#   id: runbook_must_prove
#   severity: critical
#   remedy: Add a `prove` step to the runbook.
#   controls: ["NIST CSF 2.0 PR.AA-01"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	not "prove" in reset.phases
	what := sprintf("Runbook %q has no prove step, so nobody would know whether the old credential is dead.", [reset.runbook.name])
}

# METADATA
# title: A runbook ends sessions
# description: A session begun with the old credential outlives it unless it is ended.
# custom:
#   id: runbook_must_end_sessions
#   severity: high
#   remedy: Add a `terminate` step to the runbook.
#   controls: ["NIST SP 800-207 tenet 6", "PCI DSS 4.0.1 8.2.5"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	reset.has_sessions
	not "terminate" in reset.phases
	what := sprintf("Runbook %q ends no sessions, and this type of credential has them: whoever is logged in stays so.", [reset.runbook.name])
}

# METADATA
# title: A runbook notifies
# description: >-
#   The owner hears of every reset: a change that she did not expect is how
#   misuse is noticed.
# custom:
#   id: runbook_must_notify
#   severity: medium
#   remedy: Add a `notify` step to the runbook.
#   controls: ["NIST CSF 2.0 DE.CM-03", "NIST CSF 2.0 RS.CO-02", "NIST SP 800-63B-4 4.2.3", "NIST SP 800-63B-4 4.6"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	not "notify" in reset.phases
	what := sprintf("Runbook %q notifies nobody.", [reset.runbook.name])
}

# METADATA
# title: Somebody owns it
# description: Without an owner there is nobody to tell, and nobody who knows what depends on it.
# custom:
#   id: owner_must_be_named
#   severity: medium
#   remedy: Give the credential an `owner`.
#   controls: ["NIST CSF 2.0 GV.RR-02", "OWASP NHI1:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, "Nobody owns this credential.") if {
	some reset in input.resets
	reset.owner == ""
}

# METADATA
# title: New secrets cannot be guessed
# description: >-
#   A secret that a machine uses costs nothing to make long. With 128 bits an
#   attacker who has its hash cannot find it, however fast the hash is; less
#   depends on how the target stores it, which a plan does not know.
# custom:
#   id: secret_entropy
#   severity: high
#   remedy: Raise `length`, or widen `charset`, in the runbook's issue step.
#   controls: ["NIST CSF 2.0 PR.AA-03", "PCI DSS 4.0.1 8.6.3"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	reset.entropy_bits > 0
	reset.entropy_bits < parameters.min_entropy_bits
	not reset.person
	what := sprintf("The new secret would have %v bits of entropy; a machine's needs %d.", [floor(reset.entropy_bits), parameters.min_entropy_bits])
}

# METADATA
# title: remint does not saw off its branch
# description: >-
#   A reset that kills the credential remint itself logs in with cannot be
#   finished, proven or undone by remint.
# custom:
#   id: own_login_in_use
#   severity: critical
#   remedy: Give the provider block another login for this reset.
#   controls: []
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	reset.in_use_by != ""
	what := sprintf("Provider %s logs in with this very credential.", [reset.in_use_by])
}

# METADATA
# title: Nobody gets the new secret
# description: Without a store, the new secret stays sealed in the journal until somebody fetches it.
# custom:
#   id: no_store
#   severity: low
#   remedy: Declare a `store` where its consumers read it.
#   controls: ["OWASP NHI10:2025"]
warn contains finding.general(rego.metadata.rule(), what) if {
	input.mode != "retire"
	some provider in {reset.provider | some reset in input.resets; reset.stores == []}
	what := sprintf("New secrets of provider %s go into no store: they stay sealed in the journal.", [provider])
}
