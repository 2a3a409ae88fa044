package command

import (
	"os/user"
	"strings"

	"github.com/remint-dev/remint/engine"
)

// operator is who runs this program, as far as the system tells. It is compared with
// approvers, never trusted: a variable of a CI adds a name and takes none away, since
// whoever runs the program can set any.
func (a *app) operator() engine.Operator {
	account := ""
	if u, err := user.Current(); err == nil {
		account = u.Username
	}
	env := map[string]string{}
	for _, kv := range a.term.Environ {
		k, v, _ := strings.Cut(kv, "=")
		env[k] = v
	}
	return whoRuns(account, env)
}

// whoRuns gathers all that an account and the environment say. The name that is shown
// is the CI's actor, or else the account.
func whoRuns(account string, env map[string]string) engine.Operator {
	shown := account
	switch {
	case env["GITHUB_ACTIONS"] == "true" && env["GITHUB_ACTOR"] != "":
		shown = "github:" + env["GITHUB_ACTOR"]
	case env["GITLAB_CI"] == "true" && env["GITLAB_USER_LOGIN"] != "":
		shown = "gitlab:" + env["GITLAB_USER_LOGIN"]
	}
	names := []string{shown, account}
	for _, from := range []struct{ prefix, variable string }{
		{"github:", "GITHUB_ACTOR"},
		{"github:", "GITHUB_TRIGGERING_ACTOR"}, // who runs a job again that another began
		{"gitlab:", "GITLAB_USER_LOGIN"},
		{"", "GITLAB_USER_EMAIL"},
		{"", "SUDO_USER"},
	} {
		if who := env[from.variable]; who != "" {
			names = append(names, from.prefix+who)
		}
	}
	return engine.OperatorOf(names...)
}
