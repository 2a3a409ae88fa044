package remint.approval_test

import data.example.about
import data.example.general
import data.example.ids
import data.remint.approval

asked(reason, now, unattended) := object.union(about({"production": true}), {"reason": reason, "now": now, "unattended": unattended})

noon := "2026-12-25T12:00:00Z"

test_unattended if {
	found := approval.deny with input as asked("scheduled", noon, true) with data.parameters.production_unattended as false
	ids(found) == {"production_unattended"}
	general(found)
}

test_attended if {
	approval.deny == set() with input as asked("scheduled", noon, false) with data.parameters.production_unattended as false
	approval.deny == set() with input as asked("scheduled", noon, true)
}

test_freeze if {
	every now in ["2026-12-24T00:00:00Z", noon, "2026-12-27T00:59:59+01:00"] {
		found := approval.deny with input as asked("scheduled", now, false)
			with data.parameters.production_freeze as ["2026-01-01T00:00:00Z/2026-01-02T00:00:00Z", "2026-12-24T00:00:00Z/2026-12-27T00:00:00Z"]
		ids(found) == {"production_freeze"}
		general(found)
	}
}

test_no_freeze if {
	every now in ["2026-12-23T23:59:59Z", "2026-12-27T00:00:00Z"] {
		approval.deny == set() with input as asked("scheduled", now, false)
			with data.parameters.production_freeze as ["2026-12-24T00:00:00Z/2026-12-27T00:00:00Z"]
	}
}

# A reason alone gets nobody through a freeze.
test_a_compromise_is_frozen if {
	windows := ["2026-12-24T00:00:00Z/2026-12-27T00:00:00Z"]
	found := approval.deny with input as asked("compromised", noon, false) with data.parameters.production_freeze as windows
	ids(found) == {"production_freeze"}
}

test_a_freeze_that_cannot_be_read if {
	found := approval.deny with input as asked("scheduled", noon, false) with data.parameters.production_freeze as ["2026-12-24"]
	ids(found) == {"production_freeze_unreadable"}
}
