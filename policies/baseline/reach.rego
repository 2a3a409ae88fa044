# Whom the new secret reaches.
package remint.plan

import data.credentials
import data.finding

# METADATA
# title: Something is left out
# description: >-
#   A store that does not get the new secret keeps one that is dead, and a consumer
#   that is not reloaded goes on with it: what depends on them stops.
# custom:
#   id: left_out
#   severity: medium
#   remedy: See that the runbook's distribute and reload steps leave out what is meant.
#   controls: ["NIST CSF 2.0 RC.RP-05"]
warn contains finding.general(rego.metadata.rule(), what) if {
	input.mode != "retire"
	some [runbook, name] in {[reset.runbook.name, name] |
		some reset in input.resets
		not reset.runbook.builtin # they leave out nothing, and there may be many resets
		some name in credentials.left_out(reset)
	}
	what := sprintf("No step of runbook %q is about %s.", [runbook, name])
}
