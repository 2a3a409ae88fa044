package executor_test

import (
	"testing"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/executor"
)

// A reset that ended in an earlier process still says that its secret is sealed:
// whoever resumed is told nowhere else to recover it.
func TestAnEarlierEndStillSaysWhatIsSealed(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]setup{
		"finished": {stores: []string{}}, "denied": {stores: []string{}, rego: denyEnd},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := start(t, s)
			e.w.fail(fault{op: "file", skip: 1, kind: permanent}) // the reset ends, the run does not
			out := e.apply()
			if r := out.reset(t, 0); !r.Sealed || out.Closed {
				t.Fatalf("%+v, closed %v", r, out.Closed)
			}
			out = e.resume()
			r := out.reset(t, 0)
			if len(e.sealedNames()) != 1 || !r.Sealed {
				t.Errorf("sealed is %v, and it says %v: %+v", e.sealedNames(), r.Sealed, r)
			}
			if (r.Outcome == executor.Finished) != (out.Exit() == diag.ExitOK) {
				t.Errorf("exit %d, %s", out.Exit(), r.Outcome)
			}
		})
	}
}
