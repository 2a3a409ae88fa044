package remint.plan_test

import data.example.about
import data.example.addressed
import data.example.general
import data.example.good
import data.example.ids
import data.remint.plan

at(target, environment, is_production) := object.union(good, {
	"address": sprintf("credential.t.%s", [environment]),
	"environment": environment,
	"production": is_production,
	"observed": {"fenced": true, "target": target},
})

both(target, other) := object.union(about({}), {"resets": [at(target, "production", true), at(other, "test", false)]})

test_target_shared if {
	found := plan.warn with input as both("postgresql:1", "postgresql:1")
	ids(found) == {"target_shared"}
	general(found)
	plan.deny == set() with input as both("postgresql:1", "postgresql:1")
}

test_target_not_shared if {
	plan.warn == set() with input as both("postgresql:1", "postgresql:2")
	plan.warn == set() with input as object.union(about({}), {"resets": [at("postgresql:1", "test", false), at("postgresql:1", "staging", false)]})
}

test_target_unknown_is_not_shared if {
	plan.warn == set() with input as both("", "")
}

test_production_needs_own_target if {
	found := plan.deny with input as both("postgresql:1", "postgresql:1") with data.parameters.production_shared_targets as false
	ids(found) == {"production_needs_own_target"}
	general(found)
	plan.warn == set() with input as both("postgresql:1", "postgresql:1") with data.parameters.production_shared_targets as false
	plan.deny == set() with input as both("postgresql:1", "postgresql:2") with data.parameters.production_shared_targets as false
}

certificate(changes) := {"kind": "minted", "credential_type": "x509_certificate", "attributes": object.union({"common_name": "api.internal", "dns_names": ["api.internal"], "usages": ["server_auth"]}, changes)}

test_production_wildcard if {
	every changes in [{"dns_names": ["api.internal", "*.internal"]}, {"common_name": "*.internal", "dns_names": []}] {
		found := plan.deny with input as production(certificate(changes)) with data.parameters.production_wildcards as false
		ids(found) == {"production_wildcard"}
		addressed(found)
		plan.deny == set() with input as production(certificate(changes))
		plan.deny == set() with input as about(certificate(changes)) with data.parameters.production_wildcards as false
		plan.deny == set() with input as object.union(production(certificate(changes)), {"mode": "retire"}) with data.parameters.production_wildcards as false
	}
	plan.deny == set() with input as production(certificate({})) with data.parameters.production_wildcards as false
}

test_production_max_consumers if {
	two := {"consumers": ["command.a", "command.b"]}
	found := plan.deny with input as production(two) with data.parameters.production_max_consumers as 1
	ids(found) == {"production_max_consumers"}
	addressed(found)
	plan.deny == set() with input as production(two) with data.parameters.production_max_consumers as 2
	plan.deny == set() with input as production(two)
	plan.deny == set() with input as about(two) with data.parameters.production_max_consumers as 1
	plan.deny == set() with input as object.union(production(two), {"mode": "retire"}) with data.parameters.production_max_consumers as 1
}
