# Production, before anything. Types that it does without, and secrets that no person handles.
package remint.plan

import data.credentials
import data.finding
import data.parameters

# METADATA
# title: Production does without this type
# description: >-
#   Some ways to authenticate are weaker than others: a password that is sent with
#   every request, say. Which ones production does without is set here.
# custom:
#   id: production_type
#   off_unless: production_denied_types
#   severity: high
#   remedy: Replace it by a credential of another type, and retire this one with `-reason=offboarding`.
#   controls: ["NIST CSF 2.0 PR.AA-03", "OWASP NHI4:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.credential_type in parameters.production_denied_types
	what := sprintf("Production has no %s.", [reset.credential_type])
}

# METADATA
# title: A machine's secret passes through nobody's hands
# description: >-
#   Without a store, somebody fetches the new secret and carries it to where it is
#   read. Who has had it can use it, and looks like the machine.
# custom:
#   id: production_needs_store
#   off_unless: production_store_required
#   severity: medium
#   remedy: Declare a `store` where its consumers read it.
#   controls: ["OWASP NHI10:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, "The new secret goes into no store, and is no person's own: somebody would carry it.") if {
	parameters.production_store_required
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.subject == ""
	reset.stores == []
}

# METADATA
# title: Nothing that needs the new secret is left out
# description: >-
#   A store that does not get the new secret keeps one that is dead, and a consumer
#   that is not reloaded goes on with it: what depends on them stops.
# custom:
#   id: production_left_out
#   off_unless: production_left_out
#   severity: high
#   remedy: Let the runbook's distribute and reload steps go over all of `credential.stores` and `credential.consumers`.
#   controls: ["NIST CSF 2.0 RC.RP-05"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	not parameters.production_left_out
	input.mode != "retire"
	some reset in input.resets
	reset.production
	not reset.runbook.builtin # they leave out nothing, and there may be many resets
	names := credentials.left_out(reset)
	count(names) > 0
	what := sprintf("Runbook %q leaves out %s.", [reset.runbook.name, concat(", ", sort(names))])
}

# METADATA
# title: Secrets of production are due in time
# description: >-
#   A secret with no `max_age` is never due, and is changed when somebody remembers
#   it. How old one may become is for the risk analysis of whoever runs production:
#   PCI DSS asks for one, and names no number. Certificates have `lifetime`, and
#   people's passwords are not changed by the clock.
# custom:
#   id: production_max_age
#   off_unless: production_max_age
#   severity: medium
#   remedy: Give the credential a `max_age` that is no longer.
#   controls: ["NIST CSF 2.0 PR.AA-01", "OWASP NHI7:2025", "PCI DSS 4.0.1 8.6.3"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	limit := time.parse_duration_ns(parameters.production_max_age) / 1000000000
	limit > 0
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.kind != "minted"
	not reset.person
	what := too_old(reset.max_age_seconds, limit)
}

too_old(0, _) := sprintf("Its secret is never due; %s are allowed.", [parameters.production_max_age])

too_old(seconds, limit) := sprintf("Its secret is due after %d hours; %s are allowed.", [ceil(seconds / 3600), parameters.production_max_age]) if {
	seconds > limit
}
