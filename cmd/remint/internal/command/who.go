package command

import (
	"os/user"
	"strings"
)

// operator is who runs this program, as far as the system tells: the CI's
// actor, or the user. It is compared with approvers, never trusted.
func (a *app) operator() string {
	env := map[string]string{}
	for _, kv := range a.term.Environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	switch {
	case env["GITHUB_ACTIONS"] == "true" && env["GITHUB_ACTOR"] != "":
		return "github:" + env["GITHUB_ACTOR"]
	case env["GITLAB_CI"] == "true" && env["GITLAB_USER_LOGIN"] != "":
		return "gitlab:" + env["GITLAB_USER_LOGIN"]
	}
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "unknown"
}
