package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/policy"
	"github.com/remint-dev/remint/internal/atomicfile"
)

// policyOptions has decisions logged where the workspace wants it.
func (e *Engine) policyOptions(w *config.Workspace) policy.Options {
	path := w.Settings.DecisionLog
	if path.Absolute == "" {
		return policy.Options{}
	}
	return policy.Options{Log: func(r policy.Record) error {
		r.Labels["version"] = e.opts.Version
		line, err := json.Marshal(r)
		if err == nil {
			err = appendLine(path.Absolute, line)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path.Written, err)
		}
		return nil
	}}
}

// appendLine adds one line to a file at once, so that those of several processes
// do not mix. It is opened each time: who rotates it need not tell anybody.
func appendLine(path string, line []byte) error {
	f, err := atomicfile.Open(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			return pe.Err
		}
		return err
	}
	_, err = f.Write(append(line, '\n'))
	return errors.Join(err, f.Close())
}
