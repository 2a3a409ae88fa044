package policy

import (
	"context"
	"testing"
)

// Policies that are right load, whatever they make of the input.
func TestSoundPoliciesCompile(t *testing.T) {
	const helpers = `package h

envs := {"prod", "x"}

match(r, want) if {
	every k, v in want { r[k] == v }
}

match(r, want) if {
	some k, v in want
	object.get(r, k, null) == v
}
`
	for name, text := range map[string]string{"approval": soundApproval, "plan": soundPlan} {
		if _, diags := (Options{}).Compile(context.Background(), []Source{source(map[string]string{"a.rego": text, "h.rego": helpers})}); diags.HasErrors() {
			t.Errorf("%s: %v", name, diags)
		}
	}
}

const soundApproval = `package remint.approval
rank := {"none": 0, "aal1": 1, "aal2": 2, "aal3": 3}
deny contains {"id": "a", "msg": sprintf("%v", [x])} if {
	x := rank[input.verification.strength]
	x < rank[input.requirements.strength]
}
deny contains {"id": "b", "msg": "m"} if {
	claims := [m.claims | some m in input.verification.methods; m.method == "oidc"]
	every c in claims { c.repository != "x" }
	some i, j
	input.approvals[i].approver == input.approvals[j].approver
	i != j
	count({g | some a in input.approvals; some g in a.groups} & {"security", "ops"}) == 0
}
deny contains {"id": "freeze", "msg": "m"} if {
	ns := time.parse_rfc3339_ns(input.now)
	[h, _, _] := time.clock(ns)
	h > 17
	time.weekday(ns) in {"Friday", "Saturday"}
	some r in input.resets
	r.environment in data.h.envs
	data.h.match(r, {"kind": "in_place", "labels": {"tier": "1"}})
	object.subset(r, {"kind": "minted"})
	walk(r.attributes, [path, value])
	path[0] == "x"
	value == "y"
	split(r.provider, ".")[0] == "htpasswd"
	x := {"a": r.kind, "b": r.owner}
	some k, v in x
	k != "c"
	v == "bob"
	phases := {s.phase: s | some s in r.steps}
	phases.issue.reversible
	not phases["revoke"].reversible
	ids := [s.address | s := r.steps[_]; startswith(s.address, "issue.")]
	ids[0] == "issue.password"
	y := array.concat(r.stores, r.consumers)
	"file.dotenv" in y
	z := array.concat(r.stores, r.phases)
	"file.dotenv" in z
	graph.reachable({"a": ["b"]}, {"a"}) == {"a"}
	o := object.union_n([r, {"foo": 1}])
	o.foo == 1
	object.union(r.runbook, {"extra": true}).extra
	union({{r.kind}, {"x"}})["x"]
	m := min([count(r.steps), 3])
	m < 2
	sort([r.kind, "zzz"])[0] == "zzz"
	to_number(trim_prefix(input.verification.strength, "aal")) >= 2
	f := object.filter(r, {"owner"})
	f.owner
	is_string(r.owner)
	r.change.base.labels[_] == "x"
	r.change.fields[_] == "added"
	[field] = r.change.fields
	field == "owner"
	{"by": "all"} == object.filter(input.targets, ["by"])
	walks[r.kind]
}
walks[k] if some k in ["in_place"]
deny contains {"id": "c", "msg": "m"} if {
	some field in ["owner", "subject"]
	some r in input.resets
	r.change.base[field] != r[field]
	r.observed.versions[0] == "1"
	lookup(r, "tier") == "1"
	lookup(input, "ticket") == ""
}
lookup(o, k) := o.labels[k]
lookup(o, k) := o[k] if not o.labels
`

const soundPlan = `package remint.plan
strict if input.reason in emergencies
emergencies := {r | some r in ["compromised", "forgotten"]}
deny contains finding("a", r) if { some r in risky; not strict }
risky contains r if { some r in input.resets; r.kind != "minted"; r.production }
finding(id, r) := {"id": id, "msg": "m", "address": r.address}
deny contains v if {
	some check in [no_owner, no_subject]
	some r in check
	v := finding("x", r)
}
no_owner contains r if { some r in input.resets; r.owner == "" }
no_subject contains r if { some r in input.resets; r.subject == "" }
by_env[r.environment] contains r.address if some r in input.resets
warn contains {"id": "w", "msg": "m"} if count(by_env.production) > 3
warn contains {"id": "w2", "msg": "m"} if count(by_env["test"]) > 3
groups := {"in_place": "a", "overlapping": "b", "minted": "c"}
require contains {"approvals": 1, "group": groups[r.kind]} if some r in input.resets
mode := input.mode
why := object.get({"cutover": "planned"}, mode, "incident")
warn contains {"id": why, "msg": "m"} if why == "incident"
table := [{"reason": "compromised", "max": 3}, {"reason": "scheduled", "max": 10}]
deny contains {"id": "t", "msg": "m"} if { some row in table; row.reason == input.reason; count(input.resets) > row.max }
deny contains {"id": "u", "msg": "m"} if { [row | some row in table; row.reason == input.reason] == [] }
deny contains {"id": "v", "msg": "m"} if { every row in table { row.reason != input.reason } }
lvl := "high" if input.reason == "compromised" else := "low"
deny contains {"id": "z", "msg": lvl} if lvl == "high"
deny contains {"id": "z2", "msg": "x"} if { x := concat("-", [input.reason, input.mode]); x in {"compromised-contain"} }
deny contains {"id": "z3", "msg": "x"} if { not helper.a }
helper := {"a": 1, "b": input.reason}
deny contains {"id": "z5", "msg": "x"} if { input["ticket"] == ""; input[k] == "self-asserted"; k != "mode" }
`
