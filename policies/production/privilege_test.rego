package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.ids
import data.remint.plan

test_production_one_usage if {
	every usages in [["server_auth", "client_auth"], []] {
		wide := certificate({"usages": usages})
		found := plan.deny with input as production(wide) with data.parameters.production_one_usage as true
		ids(found) == {"production_one_usage"}
		addressed(found)
		plan.deny == set() with input as production(wide)
		plan.deny == set() with input as about(wide) with data.parameters.production_one_usage as true
		plan.deny == set() with input as object.union(production(wide), {"mode": "retire"}) with data.parameters.production_one_usage as true
	}
	plan.deny == set() with input as production(certificate({})) with data.parameters.production_one_usage as true
	plan.deny == set() with input as production({"kind": "minted"}) with data.parameters.production_one_usage as true
}

key(attributes) := {"kind": "overlapping", "credential_type": "ssh_authorized_key", "attributes": attributes}

test_production_key_options if {
	every attributes in [{}, {"options": ""}, {"options": "no-pty"}, {"options": "command=\"/bin/x,restrict,y\""}, {"options": "command=\"\\\",restrict,\""}, {"options": "restricted"}] {
		found := plan.deny with input as production(key(attributes)) with data.parameters.production_key_options as ["restrict"]
		ids(found) == {"production_key_options"}
		addressed(found)
	}
}

test_production_key_options_fulfilled if {
	every options in ["restrict", "RESTRICT", "no-pty,restrict", "command=\"/bin/x \\\"a,b\\\"\",restrict,from=\"10.0.0.0/8\""] {
		plan.deny == set() with input as production(key({"options": options})) with data.parameters.production_key_options as ["restrict"]
	}
	plan.deny == set() with input as production(key({"options": "restrict,from=\"10.0.0.0/8\""})) with data.parameters.production_key_options as ["restrict", "from"]
	some_of := plan.deny with input as production(key({"options": "restrict"})) with data.parameters.production_key_options as ["restrict", "from"]
	ids(some_of) == {"production_key_options"}
}

test_production_key_options_elsewhere if {
	plan.deny == set() with input as production(key({}))
	plan.deny == set() with input as about(key({})) with data.parameters.production_key_options as ["restrict"]
	plan.deny == set() with input as production({}) with data.parameters.production_key_options as ["restrict"]
	plan.deny == set() with input as object.union(production(key({})), {"mode": "retire"}) with data.parameters.production_key_options as ["restrict"]
}
