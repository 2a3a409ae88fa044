package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.general
import data.example.good
import data.example.ids
import data.remint.plan

test_production_needs_approval if {
	plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as about({"production": true})
}

test_self_asserted_in_production if {
	found := plan.warn with input as object.union(about({"production": true}), {"trust": "self-asserted"})
	ids(found) == {"self_asserted_in_production"}
	general(found)
}

test_self_asserted_elsewhere if {
	plan.warn == set() with input as object.union(about({}), {"trust": "self-asserted"})
}

test_unfenced_in_production if {
	found := plan.warn with input as about({"production": true, "observed": {"fenced": false}})
	ids(found) == {"unfenced_in_production"}
	general(found)
}

test_unfenced_elsewhere if {
	plan.warn == set() with input as about({"observed": {"fenced": false}})
}

production(changes) := about(object.union({"production": true, "observed": {"fenced": true}}, changes))

test_production_group_and_number if {
	plan.require == {{"approvals": 3, "group": "security", "address": good.address}} with input as production({})
		with data.parameters.production_approvals as 3
		with data.parameters.production_group as "security"
}

test_production_needs_trust_base if {
	ask := object.union(production({}), {"trust": "self-asserted"})
	found := plan.deny with input as ask with data.parameters.production_trust_base as true
	ids(found) == {"production_needs_trust_base"}
	plan.warn == set() with input as ask with data.parameters.production_trust_base as true
	plan.deny == set() with input as ask
	plan.deny == set() with input as production({}) with data.parameters.production_trust_base as true
	plan.deny == set() with input as object.union(about({}), {"trust": "self-asserted"}) with data.parameters.production_trust_base as true
}

test_production_strength if {
	wanted := {"strength": "aal2", "address": good.address}
	found := plan.require with input as production({}) with data.parameters.production_strength as "aal2"
	wanted in found
	not_wanted := plan.require with input as production({})
	not wanted in not_wanted
	plan.require == set() with input as about({}) with data.parameters.production_strength as "aal2"
}

test_production_ticket if {
	without_one := object.union(production({}), {"ticket": ""})
	found := plan.deny with input as without_one with data.parameters.production_ticket as true
	ids(found) == {"production_ticket"}
	plan.deny == set() with input as without_one
	plan.deny == set() with input as object.union(production({}), {"ticket": "T-1"}) with data.parameters.production_ticket as true
	plan.deny == set() with input as object.union(about({}), {"ticket": ""}) with data.parameters.production_ticket as true
}

many := object.union(production({}), {"resets": [object.union(good, {"production": true, "observed": {"fenced": true}, "labels": {"n": n}}) | some n in ["1", "2", "3"]]})

test_production_max_resets if {
	found := plan.deny with input as many with data.parameters.production_max_resets as 2
	ids(found) == {"production_max_resets"}
	plan.deny == set() with input as many with data.parameters.production_max_resets as 3
	plan.deny == set() with input as many
}

# A reason alone gets nobody around it.
test_production_max_resets_whatever_the_reason if {
	leaked := object.union(many, {"reason": "compromised"})
	found := plan.deny with input as leaked with data.parameters.production_max_resets as 2
	ids(found) == {"production_max_resets"}
}

test_production_file_store if {
	found := plan.deny with input as production({}) with data.parameters.production_file_stores as false
	ids(found) == {"production_file_store"}
	addressed(found)
	plan.deny == set() with input as production({})
	plan.deny == set() with input as production({"stores": ["age.sealed"]}) with data.parameters.production_file_stores as false
	plan.deny == set() with input as about({}) with data.parameters.production_file_stores as false
	plan.deny == set() with input as object.union(production({}), {"mode": "retire"}) with data.parameters.production_file_stores as false
}

test_production_lifetime if {
	long := {"kind": "minted", "attributes": {"lifetime": "9529h0m0s"}}
	found := plan.deny with input as production(long)
	ids(found) == {"production_lifetime"}
	addressed(found)
	plan.deny == set() with input as about(long)
	plan.deny == set() with input as production({"kind": "minted", "attributes": {"lifetime": "9528h0m0s"}})
	plan.deny == set() with input as object.union(production(long), {"mode": "retire"})
}
