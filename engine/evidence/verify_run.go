package evidence

import "github.com/remint-dev/remint/engine/addrs"

// whole checks a run as a whole, from what its files said: that it was opened
// and closed, and that its files are exactly those that its last record links to.
func (v *verification) whole(run string, files []*recordFile) {
	own := &recordFile{run: run, name: RunFile}
	byAddress := map[string]*recordFile{}
	for _, f := range files {
		switch {
		case f.name == RunFile:
			own = f
		case f.address != "":
			byAddress[f.address] = f
		case f.found == 0:
			v.find(CodeMissing, f.path(), 0, "the file has no records")
		}
	}
	v.mu.Lock()
	v.report.Resets += len(byAddress)
	v.mu.Unlock()
	for _, f := range files {
		if f.digest != "" && own.digest != "" && (f.digest != own.digest || f.planID != own.planID) {
			v.find(CodeSubject, f.path(), 0, "the records are about another plan than the run's own")
		}
	}
	v.undecided(own, byAddress)
	if own.opened != nil {
		v.judgedFrom(own.opened.Trust)
	} else {
		v.find(CodeMissing, own.path(), 0, "the record that opened the run is gone")
	}
	if own.closed == nil {
		v.find(CodeOpen, own.path(), 0, "the run is open: there is no record that closed it (resume it; if it was closed, that record was removed)")
		return
	}
	linked := map[string]bool{}
	for _, l := range own.closed.Resets {
		if linked[l.Address] {
			v.find(CodeChain, own.path(), own.lines, "the closing record links to %s twice", l.Address)
		}
		linked[l.Address] = true
		v.link(own, l, byAddress[l.Address])
	}
	for address, f := range byAddress {
		if !linked[address] {
			v.find(CodeChain, f.path(), 0, "the run's closing record knows nothing of this file")
		}
	}
	if own.opened == nil || own.denied {
		return
	}
	for _, a := range own.opened.Addresses {
		if !linked[a] {
			v.find(CodeMissing, own.path(), own.lines, "the run was opened for %s, but its closing record does not say what became of it", a)
		}
	}
}

// link checks one link of a run's closing record; f is nil if there is no file.
func (v *verification) link(own *recordFile, l ResetLink, f *recordFile) {
	name := l.Address
	if c, err := addrs.ParseCredential(l.Address); err == nil {
		name = own.run + "/" + c.FileName() + fileSuffix
	}
	switch {
	case l.Record == "" && f != nil:
		v.find(CodeChain, f.path(), 0, "the run's closing record says that nothing was begun here")
	case l.Record == "":
	case f == nil:
		v.find(CodeMissing, name, 0, "the file is gone: the run's closing record links to it")
	case f.last == "":
		v.find(CodeMissing, f.path(), f.lines, "the last record of the reset is gone or damaged: the run's closing record links to it")
	case f.last != l.Record:
		v.find(CodeChain, f.path(), f.lines, "this is not the last record that the run's closing record links to")
	case f.lastOutcome != l.Outcome:
		v.find(CodeChain, f.path(), f.lines, "the run's closing record says %s of this reset, its own last record %s", l.Outcome, f.lastOutcome)
	}
}
