# Words for kinds of credentials.
package credentials

import data.parameters

# privileged holds when a credential has one of the labels that mark it so.
privileged(reset) if marked(reset, parameters.privileged_labels)

# third_party holds when a credential is marked as held by somebody outside.
third_party(reset) if marked(reset, parameters.production_third_party_labels)

# marked holds when a credential has one of these labels, each KEY=VALUE.
marked(reset, labels) if {
	some label in labels
	[key, value] := split(label, "=")
	reset.labels[key] == value
}

# left_out are the stores that no step of a reset gives the new secret to, and the
# consumers that none reloads.
left_out(reset) := without_store | without_reload if {
	without_store := {name | some name in reset.stores; not acted_on(reset, "distribute", name)}
	without_reload := {name | some name in reset.consumers; not acted_on(reset, "reload", name)}
}

# acted_on holds when a step of the phase is about the block: its address has the block's name as key.
acted_on(reset, phase, name) if {
	some step in reset.steps
	step.phase == phase
	contains(step.address, sprintf("[%q]", [name]))
}
