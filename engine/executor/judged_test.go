package executor_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/event"
	"github.com/remint-dev/remint/engine/executor"
	"github.com/remint-dev/remint/engine/gate"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
	"github.com/remint-dev/remint/engine/verify"
)

// echo is a result policy that denies, and says what it was asked about.
const echo = `package remint.result
import rego.v1
deny contains {"id": "echo", "msg": sprintf("%v", [{
	"operator": input.operator, "approvals": input.approvals, "unattended": input.unattended, "requirements": input.requirements,
	"identity": input.verification.identity, "strength": input.verification.strength, "result": r.result,
}])} if {
	some r in input.resets
	r.result.final == FINAL
}
`

// echoed is what a result policy says that it saw.
func echoed(t *testing.T, r executor.ResetResult) map[string]any {
	t.Helper()
	said, ok := strings.CutPrefix(r.Error, "denied by the result policies: ")
	if !ok || !strings.HasSuffix(said, " (house/echo)") {
		t.Fatalf("it does not say who denied what: %+v", r)
	}
	var out map[string]any
	if err := json.Unmarshal([]byte(strings.TrimSuffix(said, " (house/echo)")), &out); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	return out
}

// agreed is a job with people who asked and agreed.
func agreed(_ *process, j *executor.Job) {
	j.Unattended = true
	j.Gate = gate.Answer{Approvals: []gate.Approval{{Approver: config.Approver{Name: "alice", Groups: []string{"security"}}}}}
	j.Verified = verify.Outcome{Identity: "carol", Strength: lifecycle.AAL2, Accepted: []verify.Accepted{
		{Verifier: "oidc.corp", Method: "oidc", Verified: provider.Verified{Identity: "carol", Strength: lifecycle.AAL2}},
	}}
}

// What result policies are told of people and of what was observed, before the old
// one is revoked and at the end.
func TestWhatResultPoliciesSee(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		s      setup
		final  string
		result map[string]any
	}{
		"a key, before revoke": {setup{typ: "mem_key", consumers: 3}, "false", map[string]any{
			"new_accepted": true, "stores_confirmed": 2., "reloaded": 3., "sessions_ended": 0., "notified": false, "proof": "",
		}},
		"a key, at the end": {setup{typ: "mem_key"}, "true", map[string]any{
			"new_accepted": true, "stores_confirmed": 2., "reloaded": 0., "sessions_ended": 0., "notified": true, "proof": "tested",
		}},
		"a password, in contain": {setup{reason: lifecycle.Compromised, consumers: 1}, "true", map[string]any{
			"new_accepted": true, "stores_confirmed": 1., "reloaded": 1., "sessions_ended": 2., "notified": true, "proof": "tested",
		}},
		"a password, retired": {setup{reason: lifecycle.Offboarding}, "true", map[string]any{
			"new_accepted": false, "stores_confirmed": 1., "reloaded": 0., "sessions_ended": 2., "notified": true, "proof": "tested",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tc.s.rego = strings.ReplaceAll(echo, "FINAL", tc.final)
			e := start(t, tc.s)
			e.w.account("a").sessions = append(e.w.account("a").sessions, e.w.now(), e.w.now())
			e.plan()
			e.file.Plan.Requirements = plan.Requirements{Strength: lifecycle.AAL2}
			tc.result["asserted"], tc.result["final"] = []any{}, tc.final == "true"
			want := map[string]any{
				"operator": "op", "approvals": []any{map[string]any{"approver": "alice", "groups": []any{"security"}}}, "unattended": true,
				"requirements": map[string]any{"approvals": []any{}, "strength": "aal2"}, "identity": "carol", "strength": "aal2", "result": tc.result,
			}
			if diff := cmp.Diff(want, echoed(t, e.apply(agreed).reset(t, 0))); diff != "" {
				t.Errorf("-want +got:\n%s", diff)
			}
		})
	}
}

// What a person asserts was observed by nobody: policies are told which steps rest
// on her word, and those do not count.
func TestWhatIsAssertedWasNotObserved(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct{ member, step string }{
		"a login that gives no answer": {"new_accepted", "confirm.it"}, "a store's reply": {"stores_confirmed", `distribute.it["mem.value"]`},
		"a consumer's reply": {"reloaded", `reload.it["mem.c0"]`}, "a notice": {"notified", "notify.owner"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := doubts()[name]
			d.s.rego = strings.ReplaceAll(echo, "FINAL", "true")
			e, c := d.into(t, true)
			c.answer("alice", event.AnswerDone, false)
			d.over(e)
			got := echoed(t, e.resume(c.real, agreed).reset(t, 0))["result"].(map[string]any)
			if diff := cmp.Diff([]any{tc.step}, got["asserted"]); diff != "" || got[tc.member] != false && got[tc.member] != 0. {
				t.Errorf("%s is %v; asserted (-want +got):\n%s", tc.member, got[tc.member], diff)
			}
		})
	}
}

// Every denial is told, not only the first.
func TestEveryDenialIsTold(t *testing.T) {
	t.Parallel()
	e := start(t, setup{rego: "package remint.result\ndeny contains {\"id\": x, \"msg\": \"no\"} if some x in [\"a\", \"b\"]\nwarn contains {\"id\": \"c\", \"msg\": \"m\"} if true\n"})
	want := "denied by the result policies: no (house/a); no (house/b)"
	if r := e.apply().reset(t, 0); r.Error != want {
		t.Errorf("%q, want %q", r.Error, want)
	}
}

// Who stops a run while result policies are asked was told nothing by them: the reset
// is neither finished nor denied, and a resume asks again.
func TestAStopWhileResultPoliciesAreAsked(t *testing.T) {
	t.Parallel()
	e := start(t, setup{rego: "package remint.result\nwarn contains {\"id\": \"a\", \"msg\": \"no\"} if true\n"})
	e.plan()
	e.w.fail(somebody("Send", 0, func(*world) { e.last.kill() }))
	if r := e.apply().reset(t, 0); r.Outcome != executor.Halted || !r.Open || r.Error != "context canceled" {
		t.Errorf("%+v", r)
	}
	if out := e.resume(); out.Exit() != diag.ExitOK {
		t.Errorf("%+v", out.reset(t, 0))
	}
}
