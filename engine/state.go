package engine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine/config"
	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/journal"
	"github.com/remint-dev/remint/engine/journal/postgresql"
	"github.com/remint-dev/remint/engine/journal/sqlite"
)

// state opens the state; without create, a state that is not there is nil.
func (e *Engine) state(ctx context.Context, w *config.Workspace, create bool) (journal.Journal, diag.Diagnostics) {
	open := e.fileState
	if w.Settings.SharedState != nil {
		open = e.sharedState
	}
	j, diags := open(ctx, w, create)
	if j != nil && e.opts.WrapJournal != nil {
		j = e.opts.WrapJournal(j)
	}
	return j, diags
}

// fileState opens the state in a file of this machine.
func (e *Engine) fileState(ctx context.Context, w *config.Workspace, create bool) (journal.Journal, diag.Diagnostics) {
	path := w.Settings.StatePath.Absolute
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) && !create {
		return nil, nil
	}
	if create {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return nil, diag.Errored(0, "The state cannot be opened", "The folder of %s cannot be made: %s.", w.Settings.StatePath.Written, reason(err))
		}
	}
	j, err := sqlite.Open(ctx, path, sqlite.Options{Now: e.opts.Now})
	if err != nil {
		return nil, diag.Errored(0, "The state cannot be opened", "%s.", about(w.Settings.StatePath, err))
	}
	return j, nil
}

// sharedState opens the state that several machines share.
func (e *Engine) sharedState(ctx context.Context, w *config.Workspace, create bool) (journal.Journal, diag.Diagnostics) {
	s := w.Settings.SharedState
	if s.URL.IsZero() {
		return nil, stateFault(s, "Its url depends on a variable that has no value here. Give it one with -var, -var-file or REMINT_VAR_….")
	}
	if diags := checkURL(s); diags.HasErrors() {
		return nil, diags
	}
	j, err := postgresql.Open(ctx, s.URL.RevealString(), postgresql.Options{Schema: s.Schema, Create: create, Hurry: e.opts.Hurry})
	switch {
	case errors.Is(err, journal.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, stateFault(s, capital(strings.TrimSuffix(err.Error(), "."))+".")
	}
	return j, nil
}

// checkURL finds what can be found without connecting.
func checkURL(s *config.SharedState) diag.Diagnostics {
	if err := postgresql.Check(s.URL.RevealString(), s.Schema); err != nil {
		return stateFault(s, "The url of the state does not fit: "+err.Error()+".")
	}
	return nil
}

func stateFault(s *config.SharedState, detail string) diag.Diagnostics {
	rng := s.Range
	return diag.Diagnostics{{Severity: diag.Error, Summary: "The state cannot be opened", Detail: detail, Range: &rng}}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
