package evidence

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
)

// Extras gives what else belongs to a run's evidence: the canonical plan, the
// policies, the approvals, by the names that they are exported under. nil for
// nothing.
type Extras func(run string) (fs.FS, error)

// Export writes every bundle in dir as a file of its own, for cosign and others:
// out/RUN/CREDENTIAL/NNNN-PHASE-NAME.sigstore.json, and the run's own records in
// out/RUN/run; and out/ledger, so that Import can check what is there. out must be empty or absent; nothing is ever overwritten. It is
// there whole, or as it was: half an export would look like less having happened.
// It verifies nothing.
func Export(ctx context.Context, dir, out string, extras Extras) error {
	out, mode, err := emptyDir(out)
	if err != nil {
		return err
	}
	// What a killed export left has the same name, and goes.
	making := filepath.Join(filepath.Dir(out), "."+filepath.Base(out)+".remint-tmp")
	if err := os.RemoveAll(making); err != nil {
		return err
	}
	if err := os.MkdirAll(making, 0o755); err != nil {
		return err
	}
	err = exportTo(ctx, dir, making, extras)
	if err == nil {
		err = errors.Join(os.Chmod(making, mode), syncTree(making))
	}
	if err == nil {
		err = os.Rename(making, out)
	}
	if err != nil {
		return errors.Join(err, os.RemoveAll(making))
	}
	return syncDir(filepath.Dir(out))
}

func exportTo(ctx context.Context, dir, out string, extras Extras) error {
	runs, err := Runs(dir)
	if err != nil {
		return err
	}
	for _, run := range runs {
		for e, err := range show(dir, run) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return err
			}
			if err := e.export(out); err != nil {
				return err
			}
		}
		if extras == nil {
			continue
		}
		files, err := extras(run)
		if err != nil {
			return fmt.Errorf("what else belongs to run %s cannot be exported: %w", run, err)
		}
		if files != nil {
			if err := exportFiles(files, filepath.Join(out, run)); err != nil {
				return err
			}
		}
	}
	return copyLedger(dir, out)
}

// emptyDir finds the folder, or the place for it, and sees that there is nothing
// in it.
func emptyDir(dir string) (path string, mode fs.FileMode, err error) {
	if path, err = filepath.Abs(dir); err != nil {
		return "", 0, err
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return path, 0o755, nil
	}
	if err != nil {
		return "", 0, err
	}
	entries, err := os.ReadDir(path)
	if err == nil && len(entries) > 0 {
		err = fmt.Errorf("%s is not empty: export writes into a new or empty folder only", dir)
	}
	return path, info.Mode().Perm(), err
}

// syncTree makes the entries of a folder and of those in it durable.
func syncTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(path)
	})
}

// newFile writes a file of an export; its folder's entry is made durable later.
func newFile(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// export writes the entry's bundle into its file.
func (e *Entry) export(out string) error {
	credential := strings.TrimSuffix(filepath.Base(e.File), fileSuffix)
	folder := filepath.Join(out, e.Run, credential)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	name := fmt.Sprintf("%04d-%s"+exportSuffix, e.Line, stepFile(e.Record))
	return newFile(filepath.Join(folder, name), append(e.raw, '\n'))
}

// stepFile is PHASE-NAME for a record, safe as a part of a file's name.
func stepFile(r Record) string {
	phase, name, nth := "run", "", 0
	var key *string
	switch r := r.(type) {
	case *Run:
		name = r.Event
	case *Reset:
		phase, name = "reset", r.Outcome
	case *Step:
		if s, err := addrs.ParseStep(r.Step); err == nil {
			phase, name, nth = s.Phase, s.Name, s.Nth
			if s.HasKey {
				key = &s.Key
			}
		}
	}
	if !addrs.Identifier(phase) || !addrs.Identifier(name) {
		return "record"
	}
	c := addrs.Credential{Type: phase, Name: name, HasKey: key != nil}
	if key != nil {
		c.Key = *key
	}
	out := strings.Replace(c.FileName(), ".", "-", 1)
	if nth > 1 {
		out += "-" + strconv.Itoa(nth)
	}
	return out
}

// exportFiles copies all regular files of an fs.FS.
func exportFiles(files fs.FS, dir string) error {
	return fs.WalkDir(files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file and is not exported", name)
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return copyFile(files, name, to)
	})
}

func copyFile(files fs.FS, name, to string) error {
	from, err := files.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, from)
	return errors.Join(err, f.Sync(), f.Close())
}
