# Production, when it is approved. What the verification of the requester must rest on.
package remint.approval

import data.finding
import data.parameters

# METADATA
# title: She answered for this very plan
# description: >-
#   A code or a token that knows nothing of the plan could have been asked for under
#   another pretext, and handed on.
# custom:
#   id: production_bound
#   off_unless: production_bound
#   severity: high
#   remedy: Verify yourself with something that is bound to the plan, as `remint verify -challenge` shows it.
#   controls: ["NIST CSF 2.0 PR.AA-04", "NIST SP 800-207 tenet 3", "NIST SP 800-63B-4 3.2.7"]
deny contains finding.general(rego.metadata.rule(), "Who asks for a reset in production was not verified for this very plan.") if {
	parameters.production_bound
	some reset in input.resets
	reset.production
	not input.verification.bound
}

# METADATA
# title: Only this job resets production unwatched
# description: >-
#   An issuer of tokens for CI gives them to every job of everybody. What a job must be,
#   by the claims of its token, is set here: all of them in one token.
# custom:
#   id: production_claims
#   off_unless: production_claims
#   severity: critical
#   remedy: Apply it in the job that production_claims describes, or at a terminal.
#   controls: ["NIST CSF 2.0 PR.AA-04", "NIST SP 800-207 tenet 4", "OWASP NHI6:2025"]
deny contains finding.general(rego.metadata.rule(), what) if {
	count(parameters.production_claims) > 0
	input.unattended
	some reset in input.resets
	reset.production
	not claims_fulfilled
	what := sprintf("Nobody looks on, and who asks was not verified with %s.", [concat(", ", parameters.production_claims)])
}

claims_fulfilled if {
	some method in input.verification.methods
	method.address == "" # the requester's, not a subject's
	method.strength != "none"
	every wanted in parameters.production_claims {
		claims(method, wanted)
	}
}

# claims holds when a verification rests on the claim NAME=VALUE. Whatever is written otherwise holds for none.
claims(method, wanted) if {
	end := indexof(wanted, "=")
	end > 0
	method.claims[substring(wanted, 0, end)] == substring(wanted, end + 1, -1)
}
