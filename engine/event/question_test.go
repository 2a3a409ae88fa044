package event

import (
	"os/exec"
	"testing"
)

// The command is one that a shell takes apart as it was meant.
func TestCommand(t *testing.T) {
	for _, q := range []Question{
		{Run: "r1", Address: "credential.t.a"},
		{Run: "r1", Address: "credential.t.a", Step: "install.role"},
		{Run: "r1", Address: `credential.t.a["x y/$(touch z)\"` + "`id`" + `!"]`, Step: `reload.it["command.web"]#2`},
		{Run: "r1", Address: `credential.t.a["o'neill"]`, Step: "issue.it"},
	} {
		out, err := exec.Command("/bin/sh", "-c", `remint() { printf '%s\n' "$@"; }; `+q.Command(AnswerDone)).Output()
		if want := "resolve\nr1\n" + q.Subject() + "\n-as=done\n-key=FILE\n"; err != nil || string(out) != want {
			t.Errorf("%s\ngave %q, want %q (%v)", q.Command(AnswerDone), out, want, err)
		}
	}
}
