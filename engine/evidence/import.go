package evidence

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// exportSuffix ends the names of exported bundles.
const exportSuffix = ".sigstore.json"

// Import rebuilds the evidence directory that an export was made of, in a new private
// folder, so that Verify can check it: the bundles of each folder in their order, and
// the ledger. The plans, policies and documents beside them are no records, and are left
// out. It believes nothing of what it reads. The caller removes the folder.
func Import(ctx context.Context, export string) (dir string, err error) {
	entries, err := os.ReadDir(export)
	if err != nil {
		return "", err
	}
	if dir, err = os.MkdirTemp("", "remint-evidence-"); err != nil {
		return "", errors.New("no folder can be made to read it into")
	}
	defer func() {
		if err != nil {
			_ = os.RemoveAll(dir)
		}
	}()
	for _, e := range entries {
		switch {
		case !e.IsDir() || !safeName(e.Name()):
		case e.Name() == ledgerDir:
			err = copyLedger(export, dir)
		default:
			err = importRun(ctx, filepath.Join(export, e.Name()), filepath.Join(dir, e.Name()))
		}
		if err != nil {
			return "", err
		}
	}
	return dir, nil
}

func importRun(ctx context.Context, from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.Mkdir(to, 0o700); err != nil {
		return err
	}
	for _, e := range entries {
		// A credential's folder is TYPE.NAME…, the run's own is as its file is.
		if name := e.Name(); e.IsDir() && safeName(name) && (strings.Contains(name, ".") || name+fileSuffix == RunFile) {
			if err := importFile(ctx, filepath.Join(from, name), filepath.Join(to, name+fileSuffix)); err != nil {
				return err
			}
		}
	}
	return nil
}

// importFile puts the bundles of a folder into one file, by their numbers.
func importFile(ctx context.Context, from, to string) error {
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	number := func(e fs.DirEntry) int {
		digits, _, _ := strings.Cut(e.Name(), "-")
		n, err := strconv.Atoi(digits)
		if err != nil {
			return 0
		}
		return n
	}
	entries = slices.DeleteFunc(entries, func(e fs.DirEntry) bool { return number(e) == 0 || !strings.HasSuffix(e.Name(), exportSuffix) })
	slices.SortFunc(entries, func(a, b fs.DirEntry) int {
		return cmp.Or(cmp.Compare(number(a), number(b)), strings.Compare(a.Name(), b.Name()))
	})
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err = ctx.Err(); err == nil {
			err = importLine(filepath.Join(from, e.Name()), out)
		}
		if err != nil {
			return errors.Join(err, out.Close())
		}
	}
	return out.Close()
}

func importLine(path string, out io.Writer) error {
	f, err := openRegular(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	line, err := io.ReadAll(io.LimitReader(f, maxLine+2))
	if err == nil && len(line) > maxLine+1 {
		err = fmt.Errorf("%s: %w", path, errLong)
	}
	if err == nil {
		_, err = out.Write(append(bytes.TrimSuffix(line, []byte("\n")), '\n'))
	}
	return err
}
