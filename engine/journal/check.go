package journal

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Check finds what no state could hold. Every implementation asks it first, so
// that all of them refuse the same.
func (b *Batch) Check() error {
	var texts []string
	for _, r := range b.Records {
		if r.Run == "" || r.Kind == "" {
			return errors.New("a record needs a run and a kind")
		}
		texts = append(texts, r.Run, r.Address, r.Step)
	}
	for _, x := range b.Seal {
		if x.Run == "" || x.Name == "" || len(x.Ciphertext) == 0 {
			return errors.New("what is sealed needs a run, a name and a ciphertext")
		}
		texts = append(texts, x.Run, x.Address, x.Name)
	}
	for _, x := range b.Bundles {
		if x.ID == "" || x.Run == "" || x.File == "" || len(x.Line) == 0 {
			return errors.New("a bundle needs an id, a run, a file and a line")
		}
		texts = append(texts, x.ID, x.Run, x.File)
	}
	for _, x := range b.Finished {
		if x.Address == "" || x.Run == "" {
			return errors.New("a finished reset needs an address and a run")
		}
		texts = append(texts, x.Address)
	}
	for _, t := range texts {
		if strings.ContainsRune(t, 0) {
			return fmt.Errorf("%q holds a NUL character", t)
		}
	}
	return nil
}

// Check finds what keeps a run from being opened in any state.
func (r Run) Check() error {
	if r.PlanID == "" {
		return errors.New("a run needs a plan id")
	}
	return CheckRunID(r.ID)
}

// CheckRunID refuses names that could not be part of a file's name.
func CheckRunID(run string) error {
	if run == "" || len(run) > 128 {
		return errors.New("a run's id must have 1 to 128 characters")
	}
	for _, c := range []byte(run) {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return fmt.Errorf("%q cannot be a run's id: only letters, digits, dashes and underscores can", run)
		}
	}
	return nil
}

// Runs names the runs that a batch writes to. What marks bundles as filed is about
// none: that is said of files, whoever holds the run by then.
func (b *Batch) Runs() []string {
	var out []string
	add := func(run string) {
		if !slices.Contains(out, run) {
			out = append(out, run)
		}
	}
	for _, r := range b.Records {
		add(r.Run)
	}
	for _, list := range [][]Sealed{b.Seal, b.Erase} {
		for _, x := range list {
			add(x.Run)
		}
	}
	for _, f := range b.Finished {
		add(f.Run)
	}
	for _, x := range b.Bundles {
		add(x.Run)
	}
	if b.Close != nil {
		add(b.Close.Run)
	}
	return out
}
