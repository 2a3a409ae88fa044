# People, before anything. What a reset of a person's password must be like.
package remint.plan

import data.finding
import data.parameters

# METADATA
# title: People's passwords do not expire
# description: >-
#   NIST SP 800-63B-4, 3.1.1.2, forbids to ask people for new passwords on a
#   schedule, and demands it when there is evidence of a compromise. Who must
#   choose a new one every so often chooses a weaker one.
# custom:
#   id: no_periodic_change_for_people
#   severity: medium
#   remedy: Reset it for a reason (`forgotten`, `compromised`, `offboarding`), and take `max_age` off.
#   controls: ["NIST SP 800-63B-4 3.1.1.2"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	input.reason in {"scheduled", "expiring"}
	some reset in input.resets
	reset.person
	what := sprintf("This is a person's password, and the reason is %q.", [input.reason])
}

# METADATA
# title: Who asks for a person's password is known
# description: >-
#   PCI DSS has the user's identity verified before any authentication factor is
#   changed: a call to the help desk is how accounts are taken over.
# custom:
#   id: human_strength
#   off_unless: human_strength
#   severity: high
#   remedy: Verify the person with `remint verify`.
#   controls: ["NIST CSF 2.0 PR.AA-02", "NIST SP 800-63B-4 4.1.2.1", "NIST SP 800-63B-4 4.2.2.2", "PCI DSS 4.0.1 8.3.3"]
require contains {"strength": parameters.human_strength, "address": reset.address} if {
	parameters.human_strength != "none"
	input.mode != "retire"
	some reset in input.resets
	reset.person
}

# METADATA
# title: A person's new password has a second person
# description: Somebody who knows her agrees before a person gets a new password, whatever the reason.
# custom:
#   id: human_needs_approval
#   off_unless: human_approvals
#   severity: medium
#   remedy: Have somebody else approve the plan with `remint approve`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "PCI DSS 4.0.1 8.2.4"]
require contains {"approvals": parameters.human_approvals, "group": parameters.human_group, "address": reset.address} if {
	parameters.human_approvals > 0
	input.mode != "retire"
	some reset in input.resets
	reset.person
}

# METADATA
# title: A person's new password is long
# description: >-
#   A password that may be the only factor has 15 characters or more. No set of
#   characters that remint draws from has more than 64, so 90 bits are at least so many;
#   72 are at least 12.
# custom:
#   id: human_entropy
#   severity: high
#   remedy: Raise `length` in the runbook's issue step.
#   controls: ["NIST CSF 2.0 PR.AA-03", "NIST SP 800-63B-4 3.1.1.2", "PCI DSS 4.0.1 8.3.6"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	some reset in input.resets
	reset.person
	reset.entropy_bits > 0
	reset.entropy_bits < parameters.human_min_entropy_bits
	what := sprintf("A person's new password would have %v bits of entropy, and needs %d.", [floor(reset.entropy_bits), parameters.human_min_entropy_bits])
}

# METADATA
# title: A person's secret is hers alone
# description: >-
#   What a program does with a person's own secret looks like her doing. A workload
#   has a credential of its own.
# custom:
#   id: human_consumers
#   off_unless: human_consumers
#   severity: high
#   remedy: Give the workload a credential of its own, without a `subject`.
#   controls: ["NIST CSF 2.0 PR.AA-02", "PCI DSS 4.0.1 8.2.2", "PCI DSS 4.0.1 8.3.11"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	not parameters.human_consumers
	input.mode != "retire"
	some reset in input.resets
	reset.subject != ""
	count(reset.consumers) > 0
	what := sprintf("It is the secret of %s, and %s would be reloaded to use it.", [reset.subject, concat(", ", sort(reset.consumers))])
}
