package policy

import (
	"os/exec"
	"testing"
	"time"
)

// What counts is how long a process had the processor, not how long it waited for it.
func TestTimeIsTheProcessors(t *testing.T) {
	child := func(script string) int {
		cmd := exec.Command("sh", "-c", script)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _, _ = cmd.Process.Kill(), cmd.Wait() })
		return cmd.Process.Pid
	}
	idle := measure(child("exec sleep 600"), time.Minute)
	idle.begun = idle.begun.Add(-2 * time.Minute)
	if left := idle.left(); left < 50*time.Second {
		t.Errorf("who waited for the processor has %v of a minute left", left)
	}
	idle.begun = idle.begun.Add(-patience * time.Minute)
	if left := idle.left(); left > 0 {
		t.Errorf("%v are left when patience has passed", left)
	}
	busy := measure(child("while :; do :; done"), 20*time.Millisecond)
	busy.begun = busy.begun.Add(time.Hour) // patience does not pass here
	for busy.left() > 0 {
		time.Sleep(time.Millisecond)
	}
	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	if left := measure(gone.Process.Pid, time.Minute).left(); left > 0 {
		t.Errorf("a process that is gone has %v left", left)
	}
	if left := measure(0, time.Hour).left(); left <= 0 || left > time.Hour {
		t.Errorf("this process has %v of an hour left", left)
	}
}
