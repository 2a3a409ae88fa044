# Production, before anything. What a plan for production must be like, and whose approval it needs.
package remint.plan

import data.finding
import data.parameters

# METADATA
# title: Production needs a second person
# description: >-
#   A reset in production is approved by somebody other than its requester and
#   operator, for whom an approval never counts. A stolen session could
#   otherwise reset its way into everything.
# custom:
#   id: production_needs_approval
#   severity: high
#   remedy: Have somebody else approve the plan with `remint approve`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "PCI DSS 4.0.1 8.2.4"]
require contains {"approvals": parameters.production_approvals, "group": parameters.production_group, "address": reset.address} if {
	some reset in input.resets
	reset.production
}

# METADATA
# title: The workspace judges itself
# description: >-
#   Whoever may change the workspace may change who approves it. For
#   production, take the judges from a protected branch.
# custom:
#   id: self_asserted_in_production
#   severity: medium
#   remedy: Take them from a protected branch with `-trust=git:origin/main`.
#   controls: ["NIST SP 800-207 tenet 4"]
warn contains finding.general(rego.metadata.rule(), "Approvers and policies come from the workspace that they judge, and it resets in production.") if {
	not parameters.production_trust_base
	input.trust == "self-asserted"
	some reset in input.resets
	reset.production
}

# METADATA
# title: A stale runner is not refused
# description: >-
#   The target checks no fencing token: a runner that was stopped and wakes
#   later could still change it.
# custom:
#   id: unfenced_in_production
#   severity: low
#   remedy: Make sure that one runner at a time works on this target.
#   controls: []
warn contains finding.general(rego.metadata.rule(), what) if {
	some provider in {reset.provider | some reset in input.resets; reset.production; not reset.observed.fenced}
	what := sprintf("The target of provider %s is unfenced: it cannot tell a stale runner from this one.", [provider])
}

# METADATA
# title: Production has judges of its own
# description: >-
#   The approvers and policies of a production reset come from a trust base that
#   the change under judgement cannot touch.
# custom:
#   id: production_needs_trust_base
#   off_unless: production_trust_base
#   severity: high
#   remedy: Take them from a protected branch with `-trust=git:origin/main`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "NIST SP 800-207 tenet 4"]
deny contains finding.general(rego.metadata.rule(), "This workspace judges itself, and it resets in production.") if {
	parameters.production_trust_base
	input.trust == "self-asserted"
	some reset in input.resets
	reset.production
}

# METADATA
# title: Who resets in production is known
# description: >-
#   The requester of a plan is a claim until a verifier has confirmed it. How
#   surely it must have been is set here.
# custom:
#   id: production_strength
#   off_unless: production_strength
#   severity: high
#   remedy: Verify yourself with `remint verify`.
#   controls: ["NIST CSF 2.0 PR.AA-03", "NIST SP 800-207 tenet 6"]
require contains {"strength": parameters.production_strength, "address": reset.address} if {
	parameters.production_strength != "none"
	some reset in input.resets
	reset.production
}

# METADATA
# title: A change of production has a ticket
# description: The ticket says why, to whoever reads the evidence later.
# custom:
#   id: production_ticket
#   off_unless: production_ticket
#   severity: medium
#   remedy: Name the ticket with `-ticket`.
#   controls: ["NIST CSF 2.0 ID.RA-07"]
deny contains finding.general(rego.metadata.rule(), "A reset in production needs a ticket.") if {
	parameters.production_ticket
	input.ticket == ""
	some reset in input.resets
	reset.production
}

# METADATA
# title: One plan does not take production down
# description: >-
#   A mistake in one plan reaches no more of production than this. The reason is a
#   claim, and makes no difference.
# custom:
#   id: production_max_resets
#   off_unless: production_max_resets
#   severity: medium
#   remedy: Split it with `-where` or by address.
#   controls: []
deny contains finding.general(rego.metadata.rule(), what) if {
	parameters.production_max_resets > 0
	found := count([1 | some reset in input.resets; reset.production])
	found > parameters.production_max_resets
	what := sprintf("The plan resets %d production credentials at once; %d are allowed.", [found, parameters.production_max_resets])
}

# METADATA
# title: No secrets of production in plain files
# description: >-
#   Whoever can read the file, its backups or the disk has the secret. OWASP
#   names configuration files among the places where secrets leak.
# custom:
#   id: production_file_store
#   off_unless: production_file_stores
#   severity: medium
#   remedy: Use a store that keeps secrets for those who may read them.
#   controls: ["NIST CSF 2.0 PR.DS-01", "OWASP NHI2:2025", "PCI DSS 4.0.1 8.3.2", "PCI DSS 4.0.1 8.6.2"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	not parameters.production_file_stores
	input.mode != "retire"
	some reset in input.resets
	reset.production
	some store in reset.stores
	startswith(store, "file.")
	what := sprintf("Store %s keeps the secret in a plain file.", [store])
}

# METADATA
# title: Certificates of production do not live for ever
# description: A credential that lives long is stolen with more profit and rotated with less practice.
# custom:
#   id: production_lifetime
#   severity: medium
#   remedy: Shorten `lifetime`.
#   controls: ["OWASP NHI7:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.kind == "minted"
	lifetime := reset.attributes.lifetime
	time.parse_duration_ns(lifetime) > time.parse_duration_ns(parameters.production_max_lifetime)
	what := sprintf("The new certificate would live for %s; %s are allowed.", [lifetime, parameters.production_max_lifetime])
}
