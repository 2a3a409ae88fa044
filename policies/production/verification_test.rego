package remint.approval_test

import data.example.about
import data.example.general
import data.example.ids
import data.remint.approval

verified(bound, methods) := {"reason": "scheduled", "now": noon, "unattended": true, "verification": {"identity": "ci", "strength": "aal1", "bound": bound, "methods": methods}}

in_production(asked_with) := object.union(about({"production": true}), asked_with)

test_production_bound if {
	found := approval.deny with input as in_production(verified(false, [])) with data.parameters.production_bound as true
	ids(found) == {"production_bound"}
	general(found)
	approval.deny == set() with input as in_production(verified(true, [])) with data.parameters.production_bound as true
	approval.deny == set() with input as in_production(verified(false, []))
	approval.deny == set() with input as object.union(about({}), verified(false, [])) with data.parameters.production_bound as true
}

method(changes) := object.union({"verifier": "oidc.ci", "method": "oidc", "address": "", "identity": "ci", "strength": "aal1", "bound": true, "claims": {"repository": "acme/infra", "ref": "refs/heads/main"}}, changes)

wanted_claims := ["repository=acme/infra", "ref=refs/heads/main"]

test_production_claims if {
	every methods in [
		[],
		[method({"claims": {"repository": "acme/infra", "ref": "refs/heads/pwn"}})],
		[{k: v | some k, v in method({}); k != "claims"}],
		[object.union(object.remove(method({}), ["claims"]), {"claims": {"repository": "acme/infra"}}), object.union(object.remove(method({}), ["claims"]), {"claims": {"ref": "refs/heads/main"}})],
		[method({"address": "credential.htpasswd_user.a"})],
		[method({"strength": "none"})],
	] {
		found := approval.deny with input as in_production(verified(true, methods)) with data.parameters.production_claims as wanted_claims
		ids(found) == {"production_claims"}
		general(found)
	}
}

test_production_claims_fulfilled if {
	approval.deny == set() with input as in_production(verified(true, [method({"strength": "none"}), method({})])) with data.parameters.production_claims as wanted_claims
	approval.deny == set() with input as in_production(verified(true, []))
	approval.deny == set() with input as object.union(about({}), verified(true, [])) with data.parameters.production_claims as wanted_claims
	approval.deny == set() with input as object.union(in_production(verified(true, [])), {"unattended": false}) with data.parameters.production_claims as wanted_claims
}

test_production_claims_hold_what_stands_after_the_first_sign if {
	approval.deny == set() with input as in_production(verified(true, [method({"claims": {"sub": "a=b"}})])) with data.parameters.production_claims as ["sub=a=b"]
}

test_production_claims_unreadable if {
	every claim in ["repository", "=acme/infra", ""] {
		found := approval.deny with input as in_production(verified(true, [method({})])) with data.parameters.production_claims as [claim]
		ids(found) == {"production_claims"}
	}
}
