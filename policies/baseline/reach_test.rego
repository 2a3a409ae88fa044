package remint.plan_test

import data.example.about
import data.example.general
import data.example.good
import data.example.ids
import data.remint.plan

own(changes) := about(object.union({"runbook": {"name": "ours", "digest": "", "builtin": false}}, changes))

test_left_out_store if {
	found := plan.warn with input as own({"stores": ["file.dotenv", "file.other"]})
	ids(found) == {"left_out"}
	general(found)
	some one in found
	contains(one.msg, "runbook \"ours\" is about file.other.")
}

test_left_out_consumer if {
	found := plan.warn with input as own({"consumers": ["command.reload"]})
	ids(found) == {"left_out"}
}

test_nothing_left_out if {
	reload := {"address": "reload.services[\"command.reload\"]", "phase": "reload", "reversible": false, "controls": []}
	plan.warn == set() with input as own({"consumers": ["command.reload"], "steps": array.concat(good.steps, [reload])})
}

test_a_step_of_another_phase_does_not_serve if {
	empties := {"address": "revoke.old[\"command.reload\"]", "phase": "revoke", "reversible": false, "controls": []}
	found := plan.warn with input as own({"consumers": ["command.reload"], "steps": array.concat(good.steps, [empties])})
	ids(found) == {"left_out"}
}

test_retired_reaches_nobody if {
	plan.warn == set() with input as object.union(own({"consumers": ["command.reload"]}), {"mode": "retire"})
}

test_what_comes_with_remint_leaves_out_nothing if {
	plan.warn == set() with input as about({"consumers": ["command.reload"]})
}
