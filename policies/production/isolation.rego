# Production kept apart: from other environments, and one credential for one thing.
package remint.plan

import data.finding
import data.parameters

# METADATA
# title: A target of production is of other environments, too
# description: >-
#   Whoever breaks into a system that tests run on is where production's credentials
#   are accepted. Only what one plan has is compared.
# custom:
#   id: target_shared
#   severity: medium
#   remedy: Give production a target of its own.
#   controls: ["NIST CSF 2.0 PR.IR-01", "OWASP NHI8:2025"]
warn contains finding.general(rego.metadata.rule(), what) if {
	parameters.production_shared_targets
	some target in production_targets
	some what in shared(target)
}

# METADATA
# title: Production has targets of its own
# description: >-
#   What is accepted in production is accepted nowhere else. Only what one plan has is
#   compared.
# custom:
#   id: production_needs_own_target
#   off_unless: production_shared_targets
#   severity: high
#   remedy: Give production a target of its own, or reset the other environments' credentials there first and take them away.
#   controls: ["NIST CSF 2.0 PR.IR-01", "OWASP NHI8:2025"]
deny contains finding.general(rego.metadata.rule(), what) if {
	not parameters.production_shared_targets
	some target in production_targets
	some what in shared(target)
}

# An offline plan has observed none.
production_targets contains target if {
	some reset in input.resets
	reset.production
	target := reset.observed.target
	target != ""
}

shared(target) := {sprintf("Target %q takes credentials of production and of %s.", [target, concat(", ", sort(others))]) |
	others := {reset.environment |
		some reset in input.resets
		not reset.production
		reset.observed.target == target
	}
	count(others) > 0
}

# METADATA
# title: A certificate is for names, not for all of them
# description: >-
#   A certificate for `*.example.com` is good for every service below it: each that
#   has it can pass for the others, and all of them need a new one when one leaks.
# custom:
#   id: production_wildcard
#   off_unless: production_wildcards
#   severity: medium
#   remedy: Give each service a certificate for its own names.
#   controls: ["OWASP NHI9:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	not parameters.production_wildcards
	input.mode != "retire"
	some reset in input.resets
	reset.production
	some name in {n | some n in reset.attributes.dns_names} | {n | n := reset.attributes.common_name}
	contains(name, "*")
	what := sprintf("The certificate would be for %s.", [name])
}

# METADATA
# title: One secret is for few workloads
# description: >-
#   A secret that several workloads share leaks from the weakest of them, and nobody
#   can tell which of them used it.
# custom:
#   id: production_max_consumers
#   off_unless: production_max_consumers
#   severity: medium
#   remedy: Give each workload a credential of its own.
#   controls: ["OWASP NHI9:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	parameters.production_max_consumers > 0
	input.mode != "retire"
	some reset in input.resets
	reset.production
	found := count(reset.consumers)
	found > parameters.production_max_consumers
	what := sprintf("%d consumers share the secret; %d may.", [found, parameters.production_max_consumers])
}
