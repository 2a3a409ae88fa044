package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.general
import data.example.good
import data.example.ids
import data.remint.plan

outside := {"labels": {"third_party": "true"}}

test_production_third_party_needs_approval if {
	wanted := {"approvals": 1, "group": "vendors", "address": good.address}
	found := plan.require with input as production(outside)
		with data.parameters.production_third_party_approvals as 1
		with data.parameters.production_third_party_group as "vendors"
	wanted in found
	by_another_label := plan.require with input as production({"labels": {"held_by": "acme"}})
		with data.parameters.production_third_party_approvals as 1
		with data.parameters.production_third_party_group as "vendors"
		with data.parameters.production_third_party_labels as ["held_by=acme"]
	wanted in by_another_label
}

test_production_third_party_needs_no_approval if {
	plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as production(outside)
	every labels in [{}, {"third_party": "false"}] {
		plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as production({"labels": labels})
			with data.parameters.production_third_party_approvals as 2
	}
	plan.require == set() with input as about(outside) with data.parameters.production_third_party_approvals as 2
	plan.require == {{"approvals": 1, "group": "", "address": good.address}} with input as object.union(production(outside), {"mode": "retire"})
		with data.parameters.production_third_party_approvals as 2
}

test_production_third_party_lifetime if {
	long := object.union(outside, {"kind": "minted", "attributes": {"lifetime": "25h0m0s"}})
	found := plan.deny with input as production(long) with data.parameters.production_third_party_max_lifetime as "24h"
	ids(found) == {"production_third_party_lifetime"}
	addressed(found)
	plan.deny == set() with input as production(long)
	plan.deny == set() with input as production(long) with data.parameters.production_third_party_max_lifetime as "25h"
	plan.deny == set() with input as production(object.union(long, {"labels": {"third_party": "no"}})) with data.parameters.production_third_party_max_lifetime as "24h"
	plan.deny == set() with input as about(long) with data.parameters.production_third_party_max_lifetime as "24h"
	plan.deny == set() with input as object.union(production(long), {"mode": "retire"}) with data.parameters.production_third_party_max_lifetime as "24h"
}

test_production_third_party_label_unreadable if {
	found := plan.deny with input as about({}) with data.parameters.production_third_party_labels as ["vendor"]
	ids(found) == {"production_third_party_label_unreadable"}
	general(found)
	plan.deny == set() with input as about({}) with data.parameters.production_third_party_labels as ["vendor=yes"]
}
