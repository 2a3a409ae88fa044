package command

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/remint-dev/remint/engine"
)

// What a CI says of who runs it is one name more, and hides none: anybody can set a variable.
func TestWhoRuns(t *testing.T) {
	hub := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_ACTOR": "alice"}
	with := func(env map[string]string, more ...string) map[string]string {
		out := map[string]string{}
		for k, v := range env {
			out[k] = v
		}
		for i := 0; i < len(more); i += 2 {
			out[more[i]] = more[i+1]
		}
		return out
	}
	for name, tc := range map[string]struct {
		account string
		env     map[string]string
		want    engine.Operator
	}{
		"at a terminal":            {"alice", nil, engine.Operator{Name: "alice"}},
		"through sudo":             {"root", map[string]string{"SUDO_USER": "alice"}, engine.Operator{Name: "root", Also: []string{"alice"}}},
		"in GitHub's CI":           {"runner", hub, engine.Operator{Name: "github:alice", Also: []string{"runner"}}},
		"she runs it again":        {"runner", with(hub, "GITHUB_TRIGGERING_ACTOR", "alice"), engine.Operator{Name: "github:alice", Also: []string{"runner"}}},
		"somebody else runs it":    {"runner", with(hub, "GITHUB_TRIGGERING_ACTOR", "bob"), engine.Operator{Name: "github:alice", Also: []string{"runner", "github:bob"}}},
		"she says that she is one": {"alice", with(hub, "GITHUB_ACTOR", "nobody"), engine.Operator{Name: "github:nobody", Also: []string{"alice"}}},
		"she says that it is none": {"alice", with(hub, "GITHUB_ACTIONS", "", "GITHUB_ACTOR", "bob"), engine.Operator{Name: "alice", Also: []string{"github:bob"}}},
		"in GitLab's CI": {"gitlab-runner", map[string]string{"GITLAB_CI": "true", "GITLAB_USER_LOGIN": "alice", "GITLAB_USER_EMAIL": "alice@example.com"},
			engine.Operator{Name: "gitlab:alice", Also: []string{"gitlab-runner", "alice@example.com"}}},
		"no account":     {"", hub, engine.Operator{Name: "github:alice"}},
		"nothing at all": {"", nil, engine.Operator{Name: "unknown"}},
	} {
		if diff := cmp.Diff(tc.want, whoRuns(tc.account, tc.env)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}
