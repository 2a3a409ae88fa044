# Incidents, before anything. What it takes to reset what is compromised.
package remint.plan

import data.finding
import data.parameters

# METADATA
# title: An incident has a ticket
# description: The ticket ties the resets of one incident together.
# custom:
#   id: incident_ticket
#   severity: medium
#   remedy: Name the incident with `-ticket`.
#   controls: []
deny contains finding.general(rego.metadata.rule(), "A reset for a compromise needs a ticket.") if {
	parameters.incident_ticket
	input.reason == "compromised"
	input.ticket == ""
}

# METADATA
# title: All of them, or none
# description: >-
#   Whoever was in the place that leaked one of them may have the others, too: what is
#   left out stays usable.
# custom:
#   id: incident_partial
#   off_unless: incident_partial
#   severity: high
#   remedy: Choose with `-where` or `-all`, so that none of them is left out.
#   controls: ["NIST CSF 2.0 RS.MI-01"]
deny contains finding.general(rego.metadata.rule(), what) if {
	not parameters.incident_partial
	input.reason == "compromised"
	some left in input.targets.left_out
	some reset in input.resets
	reset.provider == left.provider
	reset.credential_type == left.credential_type
	what := sprintf("This containment leaves out other credentials of the type %s at %s.", [left.credential_type, left.provider])
}

# METADATA
# title: A responder agrees
# description: Cutting a credential off takes whatever uses it down; somebody who answers for that agrees.
# custom:
#   id: incident_needs_approval
#   severity: high
#   remedy: Have a responder approve the plan with `remint approve`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "NIST CSF 2.0 RS.MA-01"]
require contains {"approvals": parameters.incident_approvals, "group": parameters.incident_group} if {
	parameters.incident_approvals > 0
	input.reason == "compromised"
}

# METADATA
# title: Contained means that sessions end
# description: >-
#   An incident is contained when whoever got in is out: a type whose sessions
#   outlive the credential has them ended, and the plan says so.
# custom:
#   id: incident_ends_sessions
#   severity: critical
#   remedy: Add a `terminate` step to the runbook.
#   controls: ["NIST CSF 2.0 RS.MI-01", "NIST SP 800-63B-4 5.3"]
deny contains finding.of(rego.metadata.rule(), reset.address, "It is compromised, and its sessions would live on.") if {
	input.reason == "compromised"
	some reset in input.resets
	reset.has_sessions
	not "terminate" in reset.phases
}
