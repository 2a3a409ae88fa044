# Production, when it is approved. Asked when approvals and the verified requester are at hand.
package remint.approval

import data.finding
import data.parameters

# METADATA
# title: Somebody looks on
# description: A reset of production is watched by the person who started it.
# custom:
#   id: production_unattended
#   off_unless: production_unattended
#   severity: medium
#   remedy: Apply it at a terminal, without `-auto-approve`.
#   controls: []
deny contains finding.general(rego.metadata.rule(), "Nobody looks on, and this plan resets in production.") if {
	not parameters.production_unattended
	input.unattended
	some reset in input.resets
	reset.production
}

# METADATA
# title: Production is frozen
# description: >-
#   In a freeze nothing changes that can wait. The reason is a claim, and makes no
#   difference: where the group is overridable, an override or broken glass opens it.
# custom:
#   id: production_freeze
#   off_unless: production_freeze
#   severity: medium
#   remedy: Apply it after the freeze.
#   controls: ["NIST CSF 2.0 ID.RA-07"]
deny contains finding.general(rego.metadata.rule(), what) if {
	some reset in input.resets
	reset.production
	some window in parameters.production_freeze
	[from, to] := split(window, "/")
	now := time.parse_rfc3339_ns(input.now)
	now >= time.parse_rfc3339_ns(from)
	now < time.parse_rfc3339_ns(to)
	what := sprintf("Production is frozen from %s to %s.", [from, to])
}

# METADATA
# title: A freeze that cannot be read holds
# description: A window that is no FROM/TO would otherwise freeze nothing, and nobody would notice.
# custom:
#   id: production_freeze_unreadable
#   severity: high
#   remedy: Write production_freeze as FROM/TO, each like 2026-12-24T00:00:00Z.
#   controls: []
deny contains finding.general(rego.metadata.rule(), what) if {
	some window in parameters.production_freeze
	count(split(window, "/")) != 2
	what := sprintf("The freeze %q is not FROM/TO.", [window])
}
