package executor

import (
	"context"
	"fmt"
	"runtime"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/provider"
)

// scrubbed is an error whose text was rid of any secrets that code which should
// know better quoted in it.
type scrubbed struct {
	text string
	err  error
}

// Error is the text that is left.
func (e *scrubbed) Error() string { return e.text }

// Unwrap gives the error as it was, for its class alone.
func (e *scrubbed) Unwrap() error { return e.err }

// scrub rids err of the secrets that this reset knows.
func (r *reset) scrub(err error) error {
	if err == nil {
		return nil
	}
	return &scrubbed{r.said(err.Error()), err}
}

// said rids what somebody else's code says of the secrets that this reset knows.
func (r *reset) said(text string) string { return r.known.Scrub(text) }

// safely is act, for code that may panic: the panic's value may quote what the
// code was given, so it is not shown, and only its place is told. What it had done
// by then is not known.
func (r *reset) safely(ctx context.Context, st config.Step, a *attempt) (e entry, err error) {
	defer func() {
		if recover() != nil {
			err = provider.Errorf(provider.Ambiguous, "a defect: the code for this step panicked at %s. Please report it", panicPlace())
		}
	}()
	return r.act(ctx, st, a)
}

// readily is prepare, likewise: it only reads.
func (r *reset) readily(ctx context.Context, st config.Step, seen *entry) (err error) {
	defer func() {
		if recover() != nil {
			err = provider.Errorf(provider.Permanent, "a defect: the code that reads the target or a store panicked at %s. Please report it", panicPlace())
		}
	}()
	return r.prepare(ctx, st, seen)
}

// panicPlace names the line that panicked.
func panicPlace() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	seen := false
	for {
		f, more := frames.Next()
		switch {
		case strings.HasPrefix(f.Function, "runtime.gopanic"):
			seen = true
		case seen && !strings.HasPrefix(f.Function, "runtime."):
			return fmt.Sprintf("%s:%d", f.Function, f.Line)
		}
		if !more {
			return "an unknown place"
		}
	}
}
