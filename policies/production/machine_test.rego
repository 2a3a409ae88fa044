package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.ids
import data.remint.plan

test_production_type if {
	found := plan.deny with input as production({}) with data.parameters.production_denied_types as ["other", "htpasswd_user"]
	ids(found) == {"production_type"}
	addressed(found)
	plan.deny == set() with input as production({})
	plan.deny == set() with input as production({}) with data.parameters.production_denied_types as ["other"]
	plan.deny == set() with input as about({}) with data.parameters.production_denied_types as ["htpasswd_user"]
	plan.deny == set() with input as object.union(production({}), {"mode": "retire"}) with data.parameters.production_denied_types as ["htpasswd_user"]
}

test_production_needs_store if {
	nowhere := {"stores": [], "subject": ""}
	found := plan.deny with input as production(nowhere) with data.parameters.production_store_required as true
	ids(found) == {"production_needs_store"}
	addressed(found)
	plan.deny == set() with input as production(nowhere)
	plan.deny == set() with input as about(nowhere) with data.parameters.production_store_required as true
	plan.deny == set() with input as production({"subject": ""}) with data.parameters.production_store_required as true
	plan.deny == set() with input as production({"stores": [], "subject": "ann@example.com"}) with data.parameters.production_store_required as true
	plan.deny == set() with input as object.union(production(nowhere), {"mode": "retire"}) with data.parameters.production_store_required as true
}

test_production_left_out if {
	ours := {"runbook": {"name": "ours", "digest": "", "builtin": false}}
	short := object.union(ours, {"consumers": ["command.reload"]})
	found := plan.deny with input as production(short) with data.parameters.production_left_out as false
	ids(found) == {"production_left_out"}
	addressed(found)
	plan.deny == set() with input as production(short)
	plan.deny == set() with input as production(ours) with data.parameters.production_left_out as false
	plan.deny == set() with input as about(short) with data.parameters.production_left_out as false
	plan.deny == set() with input as production({"consumers": ["command.reload"]}) with data.parameters.production_left_out as false
	plan.deny == set() with input as object.union(production(short), {"mode": "retire"}) with data.parameters.production_left_out as false
}

test_production_max_age if {
	old := {"max_age_seconds": 2592001}
	found := plan.deny with input as production(old) with data.parameters.production_max_age as "720h"
	ids(found) == {"production_max_age"}
	addressed(found)
	says(found, "Its secret is due after 721 hours; 720h are allowed. ")
	never := plan.deny with input as production({"max_age_seconds": 0}) with data.parameters.production_max_age as "720h"
	says(never, "Its secret is never due; 720h are allowed. ")
	plan.deny == set() with input as production(old)
	plan.deny == set() with input as production({"max_age_seconds": 2592000}) with data.parameters.production_max_age as "720h"
	plan.deny == set() with input as about(old) with data.parameters.production_max_age as "720h"
	plan.deny == set() with input as production(object.union(old, {"kind": "minted", "attributes": {"lifetime": "24h"}})) with data.parameters.production_max_age as "720h"
	persons := object.union(production(object.union(old, {"person": true, "subject": "ann@example.com"})), {"reason": "forgotten", "mode": "contain"})
	plan.deny == set() with input as persons with data.parameters.production_max_age as "720h"
	plan.deny == set() with input as object.union(production(old), {"mode": "retire"}) with data.parameters.production_max_age as "720h"
}

says(found, what) if {
	some f in found
	startswith(f.msg, what)
}
