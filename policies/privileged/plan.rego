# Privileged credentials, before anything. What it takes to reset a credential whose holder can do everything.
package remint.plan

import data.credentials
import data.finding
import data.parameters

# METADATA
# title: Several people agree
# description: No single person, and no single stolen session, gets hold of a privileged credential.
# custom:
#   id: privileged_needs_approvals
#   severity: critical
#   remedy: Have them approve the plan with `remint approve`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "PCI DSS 4.0.1 8.2.4"]
require contains {"approvals": parameters.privileged_approvals, "group": parameters.privileged_group, "address": reset.address} if {
	some reset in input.resets
	credentials.privileged(reset)
}

# METADATA
# title: Who asks is known
# description: The requester was verified at least this surely.
# custom:
#   id: privileged_strength
#   severity: critical
#   remedy: Verify yourself with `remint verify`.
#   controls: ["NIST CSF 2.0 PR.AA-03", "NIST SP 800-207 tenet 6"]
require contains {"strength": parameters.privileged_strength, "address": reset.address} if {
	parameters.privileged_strength != "none"
	some reset in input.resets
	credentials.privileged(reset)
}

# METADATA
# title: It has a ticket
# description: The ticket says why, to whoever reads the evidence later.
# custom:
#   id: privileged_ticket
#   severity: medium
#   remedy: Name the ticket with `-ticket`.
#   controls: ["NIST CSF 2.0 ID.RA-07"]
deny contains finding.of(rego.metadata.rule(), reset.address, "A reset of a privileged credential needs a ticket.") if {
	input.ticket == ""
	some reset in input.resets
	credentials.privileged(reset)
}

# METADATA
# title: A mark that marks nothing
# description: A label that is not KEY=VALUE would mark no credential as privileged, and nobody would notice.
# custom:
#   id: privileged_label_unreadable
#   severity: high
#   remedy: Write privileged_labels as KEY=VALUE.
#   controls: []
deny contains finding.general(rego.metadata.rule(), what) if {
	some label in parameters.privileged_labels
	count(split(label, "=")) != 2
	what := sprintf("The label %q is not KEY=VALUE.", [label])
}
