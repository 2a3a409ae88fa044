# What every rule of the library hands back, made from its METADATA, so that
# the words in it and the result cannot differ.
package finding

of(rule, address, what) := {
	"id": rule.custom.id,
	"msg": sprintf("%s %s", [what, rule.custom.remedy]),
	"address": address,
	"controls": rule.custom.controls,
}

# general is a finding about the plan as a whole.
general(rule, what) := object.remove(of(rule, "", what), {"address"})
