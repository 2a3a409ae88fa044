package executor

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/remint-dev/remint/engine/addrs"
	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/lifecycle"
	"github.com/remint-dev/remint/engine/plan"
	"github.com/remint-dev/remint/engine/provider"
)

// Steps that loading refuses are refused here too: another version may have planned them.
func TestStepsThatNameNothing(t *testing.T) {
	t.Parallel()
	r := &reset{past: newHistory()}
	for phase, want := range map[lifecycle.Phase]string{
		lifecycle.Distribute: "step distribute.x names no store", lifecycle.Reload: "step reload.x names no consumer",
		"ponder": `the phase "ponder" is unknown to this version`,
	} {
		_, err := r.act(t.Context(), config.Step{Addr: addrs.Step{Phase: string(phase), Name: "x"}, Phase: phase}, &attempt{})
		if err == nil || !strings.Contains(err.Error(), want) || provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("%s: %v, want %q", phase, err, want)
		}
	}
}

// What is not JSON gets into no journal, where nothing could read it.
func TestWhatIsNotJSONIsNotWritten(t *testing.T) {
	t.Parallel()
	for name, write := range map[string]func(){
		"an entry": func() { entry{Resolution: json.RawMessage("{")}.encode() },
		"a plan":   func() { encodePlan(&plan.File{CreatedAt: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s was written", name)
				}
			}()
			write()
		}()
	}
}

// Without a panic there is no place of one, and none is made up.
func TestNoPanicHasNoPlace(t *testing.T) {
	t.Parallel()
	if got := panicPlace(); got != "an unknown place" {
		t.Error(got)
	}
}
