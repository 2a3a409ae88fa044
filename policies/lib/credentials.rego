# Words for kinds of credentials.
package credentials

import data.parameters

# privileged holds when a credential has one of the labels that mark it so.
privileged(reset) if {
	some label in parameters.privileged_labels
	[key, value] := split(label, "=")
	reset.labels[key] == value
}
