# Production, before anything. What a credential is good for: no more than it is needed for.
package remint.plan

import data.finding
import data.parameters

# METADATA
# title: A certificate is for one use
# description: >-
#   With a certificate for servers and clients, whoever breaks into a server can log in
#   elsewhere as that service.
# custom:
#   id: production_one_usage
#   off_unless: production_one_usage
#   severity: medium
#   remedy: Name one use in `usages`, and give the other a certificate of its own.
#   controls: ["NIST CSF 2.0 PR.AA-05", "NIST SP 800-207 tenet 3", "OWASP NHI5:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	parameters.production_one_usage
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.credential_type == "x509_certificate"
	usages := object.get(reset.attributes, "usages", [])
	count(usages) != 1
	what := sprintf("The certificate would have %d uses: %s.", [count(usages), concat(", ", usages)])
}

# METADATA
# title: An SSH key is restricted
# description: >-
#   A key without options opens a shell, forwards ports and agents, and does so from
#   everywhere. What the line at the target has today is not in a plan: options count
#   when they are declared.
# custom:
#   id: production_key_options
#   off_unless: production_key_options
#   severity: medium
#   remedy: Declare them in the credential's `options`, as in `restrict,command="/usr/bin/backup"`.
#   controls: ["NIST CSF 2.0 PR.AA-05", "NIST SP 800-207 tenet 3", "OWASP NHI5:2025"]
deny contains finding.of(rego.metadata.rule(), reset.address, what) if {
	count(parameters.production_key_options) > 0
	input.mode != "retire"
	some reset in input.resets
	reset.production
	reset.credential_type == "ssh_authorized_key"
	given := key_options(object.get(reset.attributes, "options", ""))
	missing := {wanted | some wanted in parameters.production_key_options; not lower(wanted) in given}
	count(missing) > 0
	what := sprintf("The key would lack %s.", [concat(", ", sort(missing))])
}

# key_options are the names of options as authorized_keys has them. What stands in
# quotes is a value, whatever it looks like.
key_options(text) := {lower(trim_space(split(one, "=")[0])) | some one in split(regex.replace(text, `"(\\"|[^"])*"`, ""), ",")}
