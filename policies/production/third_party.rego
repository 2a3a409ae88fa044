# Production, before anything. Credentials that somebody outside holds, by label.
package remint.plan

import data.credentials
import data.finding
import data.parameters

# METADATA
# title: Somebody answers for the third party
# description: >-
#   A new secret for a third party is access given again. Those who vet third parties
#   agree, whatever the reason.
# custom:
#   id: production_third_party_needs_approval
#   off_unless: production_third_party_approvals
#   severity: high
#   remedy: Have them approve the plan with `remint approve`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "OWASP NHI3:2025"]
require contains {"approvals": parameters.production_third_party_approvals, "group": parameters.production_third_party_group, "address": reset.address} if {
	parameters.production_third_party_approvals > 0
	input.mode != "retire"
	some reset in input.resets
	reset.production
	credentials.third_party(reset)
}

# METADATA
# title: What a third party holds is short-lived
# description: The breach of a third party is heard of late. What was stolen there should have ended by then.
# custom:
#   id: production_third_party_lifetime
#   severity: medium
#   remedy: Shorten `lifetime`.
#   controls: ["OWASP NHI3:2025", "OWASP NHI7:2025", "PCI DSS 4.0.1 8.2.7"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.kind == "minted"
	credentials.third_party(reset)
	lifetime := reset.attributes.lifetime
	time.parse_duration_ns(lifetime) > time.parse_duration_ns(parameters.production_third_party_max_lifetime)
	what := sprintf("A third party's new certificate would live for %s; %s are allowed.", [lifetime, parameters.production_third_party_max_lifetime])
}

# METADATA
# title: A mark that marks nobody
# description: A label that is not KEY=VALUE would mark no credential as a third party's, and nobody would notice.
# custom:
#   id: production_third_party_label_unreadable
#   severity: high
#   remedy: Write production_third_party_labels as KEY=VALUE.
#   controls: []
deny contains finding.general(rego.metadata.rule(), what) if {
	some label in parameters.production_third_party_labels
	count(split(label, "=")) != 2
	what := sprintf("The label %q is not KEY=VALUE.", [label])
}
