package evidence

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Entry is one record as it lies in the evidence directory, not verified.
type Entry struct {
	Run string `json:"run"`
	// File is relative to the evidence directory, Line counts from 1.
	File   string `json:"file"`
	Line   int    `json:"line"`
	SHA256 string `json:"sha256"`
	KeyID  string `json:"key_id"`
	Type   string `json:"predicate_type"`
	Record Record `json:"record"`
	// Signed is the person's signed word that the record carries, if it does.
	Signed *Word `json:"signed,omitempty"`
	// Size is how many bytes the record takes there.
	Size int `json:"-"`

	raw []byte
}

// list is what lies in an evidence directory. Nothing is filed through a link, and so
// nothing is read through one: it may lead where there is nothing to find fault with.
func list(dir string) ([]fs.DirEntry, error) {
	switch info, err := os.Lstat(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no evidence directory %s", dir)
	case err != nil:
		return nil, err
	case info.Mode()&fs.ModeSymlink != 0:
		return nil, fmt.Errorf("%s is a symbolic link, and evidence is not read through one: name the directory itself", dir)
	}
	return os.ReadDir(dir)
}

// Runs lists the runs in an evidence directory, oldest name first.
func Runs(dir string) ([]string, error) {
	entries, err := list(dir)
	if err != nil {
		return nil, err
	}
	var runs []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != ledgerDir && safeName(e.Name()) {
			runs = append(runs, e.Name())
		}
	}
	return runs, nil
}

// Begun reports whether anything was ever filed in an evidence directory: whether
// it has a run, or a ledger with anything in it. One that is absent or empty, as a
// process killed early leaves it, is not begun.
func Begun(dir string) (bool, error) {
	runs, runsErr := os.ReadDir(dir)
	ledger, ledgerErr := os.ReadDir(filepath.Join(dir, ledgerDir))
	for _, err := range []error{runsErr, ledgerErr} {
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
	}
	isRun := func(e fs.DirEntry) bool { return e.IsDir() && e.Name() != ledgerDir }
	return len(ledger) > 0 || slices.ContainsFunc(runs, isRun), nil
}

// Show iterates over a run's records without verifying them: first the run's
// own, then each credential's. It ends with the first error.
func Show(dir, run string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		for e, err := range show(dir, run) {
			if e != nil {
				e.raw = nil // whoever keeps the entries does not keep their lines
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// show is Show, with the lines.
func show(dir, run string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		if !safeName(run) || run == ledgerDir {
			yield(nil, fmt.Errorf("%q is not the name of a run", run))
			return
		}
		files, err := os.ReadDir(filepath.Join(dir, run))
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("there is no evidence of run %s in %s", run, dir)
		}
		if err != nil {
			yield(nil, err)
			return
		}
		names := []string{RunFile}
		for _, f := range files {
			if strings.HasSuffix(f.Name(), fileSuffix) && f.Name() != RunFile {
				names = append(names, f.Name())
			}
		}
		for _, n := range names {
			for e, err := range showFile(dir, run, n) {
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
	}
}

func showFile(dir, run, name string) iter.Seq2[*Entry, error] {
	return func(yield func(*Entry, error) bool) {
		f, err := openRegular(filepath.Join(dir, run, name))
		if err != nil {
			yield(nil, err)
			return
		}
		defer func() { _ = f.Close() }()
		r := &lineReader{r: bufio.NewReaderSize(f, 64<<10), head: []byte(lineHint)}
		for n := 1; ; n++ {
			line, err := r.next()
			if errors.Is(err, io.EOF) && len(line) == 0 {
				return
			}
			var e *Entry
			if err == nil {
				e, err = parseEntry(line)
			}
			if err != nil {
				yield(nil, fmt.Errorf("%s/%s, line %d: %w; `remint evidence verify` tells what is wrong", run, name, n, err))
				return
			}
			e.Run, e.File, e.Line = run, run+"/"+name, n
			if !yield(e, nil) {
				return
			}
		}
	}
}

func parseEntry(line []byte) (*Entry, error) {
	env, err := parseEnvelope(line)
	if err != nil {
		return nil, err
	}
	s, err := parseStatement(env.payload)
	if err != nil {
		return nil, err
	}
	r, err := s.parseRecord()
	if err != nil {
		return nil, err
	}
	return &Entry{SHA256: LineDigest(line), Size: len(line), KeyID: env.hint, Type: s.typ, Record: r, Signed: wordOf(r), raw: line}, nil
}

// Summary is a run at a glance, as its own records tell it, not verified.
type Summary struct {
	Run       string    `json:"run"`
	PlanID    string    `json:"plan_id"`
	OpenedAt  time.Time `json:"opened_at"`
	Operator  string    `json:"operator"`
	Requester string    `json:"requester"`
	Reason    string    `json:"reason"`
	Mode      string    `json:"mode"`
	// Outcome is empty while the run is open.
	Outcome  string    `json:"outcome"`
	ClosedAt time.Time `json:"closed_at,omitzero"`
	Resets   int       `json:"resets"`
	// Trust says where its judges come from: self-asserted, pinned or base.
	Trust string `json:"trust"`
}

// List sums up every run in an evidence directory. It reads only the runs' own
// files and verifies nothing.
func List(dir string) ([]Summary, error) {
	runs, err := Runs(dir)
	if err != nil {
		return nil, err
	}
	out := []Summary{}
	for _, run := range runs {
		s := Summary{Run: run}
		for e, err := range showFile(dir, run, RunFile) {
			if err != nil {
				return nil, err
			}
			if r, ok := e.Record.(*Run); ok {
				s.take(r)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// Judges says where the judges of a run come from, as its first record does; "" where
// that cannot be read. It verifies nothing.
func Judges(dir, run string) string {
	for e, err := range showFile(dir, run, RunFile) {
		if err != nil {
			return ""
		}
		if r, ok := e.Record.(*Run); ok {
			return r.Trust
		}
	}
	return ""
}

func (s *Summary) take(r *Run) {
	switch r.Event {
	case "opened":
		s.PlanID, s.OpenedAt, s.Operator, s.Requester = r.PlanID, r.Recorded, r.Operator, r.Requester
		s.Reason, s.Mode, s.Resets, s.Trust = r.Reason, r.Mode, len(r.Addresses), r.Trust
	case "closed":
		s.Outcome, s.ClosedAt = r.Outcome, r.Recorded
	}
}

// RunRecord gives the entry's record where that is one of the run itself.
func (e *Entry) RunRecord() (*Run, bool) {
	if e == nil {
		return nil, false
	}
	r, ok := e.Record.(*Run)
	return r, ok
}
