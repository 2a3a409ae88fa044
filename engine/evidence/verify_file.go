package evidence

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"path/filepath"

	"github.com/remint-dev/remint/engine/addrs"
)

// recordFile is one file of a run, and what its lines said.
type recordFile struct {
	run, name string

	lines   int
	found   int // findings in this file
	planID  string
	digest  string // of the plan
	address string
	// links are to the lines so far, as a Reset must give them.
	links []RecordLink
	// last is the line digest of the reset's record, if that is the last line;
	// lastOutcome is its outcome.
	last, lastOutcome string
	// asked is the question of the reset's record, if that is the last line; ended is
	// whether the last step's answer ends the reset.
	asked asked
	// over is set by a reset record after which nothing can come.
	over  bool
	ended bool
	// opened and closed are the run's own records.
	opened, closed *Run
	denied         bool
	// undecided are what no decision allowed; overridden is whether the run has overrides,
	// or broke the glass.
	undecided  []undecided
	overridden bool
	// denials are those that the run was begun in spite of, named what overrides name,
	// and broken is whether it broke the glass.
	denials []stands
	named   map[Denial]bool
	broken  bool
}

func (f *recordFile) path() string { return f.run + "/" + f.name }

// file checks the lines of a file, each by itself and against those before it.
func (v *verification) file(ctx context.Context, f *recordFile) error {
	file, err := openRegular(filepath.Join(v.Dir, f.run, f.name))
	if err != nil {
		v.find(CodeFile, f.path(), 0, "the file cannot be read: %v", reason(err))
		return nil
	}
	defer func() { _ = file.Close() }()
	r := &lineReader{r: bufio.NewReaderSize(file, 64<<10), head: []byte(lineHint), large: v.large}
	defer r.done()
	defer func() { f.links = nil }()
	for f.found < maxFileFindings {
		if err := ctx.Err(); err != nil {
			return err
		}
		line, err := r.next()
		switch {
		case errors.Is(err, io.EOF) && len(line) == 0:
			return nil
		case errors.Is(err, errForeign):
			f.lines++
			f.links = append(f.links, RecordLink{Sequence: f.lines})
			f.last = ""
			v.bad(f, f.lines, CodeFormat, "%v", err)
			continue
		case errors.Is(err, io.EOF):
			v.bad(f, f.lines+1, CodeFormat, "the last line is cut")
			return nil
		case err != nil:
			v.bad(f, f.lines+1, CodeFormat, "%v: the rest of the file was not read", reason(err))
			return nil
		}
		f.lines++
		v.line(f, line)
	}
	v.bad(f, f.lines, CodeFormat, "too much is wrong: the rest of the file was not read")
	return nil
}

func (v *verification) bad(f *recordFile, line int, code Code, format string, args ...any) {
	f.found++
	v.find(code, f.path(), line, format, args...)
}

// line checks the line that f.lines counts last.
func (v *verification) line(f *recordFile, line []byte) {
	sum := sha256.Sum256(line)
	digest := hex.EncodeToString(sum[:])
	before := f.asked
	f.last, f.asked = "", asked{}
	link := RecordLink{Sequence: f.lines, Record: digest}
	defer func() { f.links = append(f.links, link) }()

	ledgered := v.claim(sum)
	r, hint, code, err := v.ring.open(line)
	if err != nil {
		v.bad(f, f.lines, code, "%v", err)
		return
	}
	v.signed(hint)
	if !ledgered {
		v.bad(f, f.lines, CodeUnledgered, "record %s is not in the ledger: the run was interrupted while this was filed (resume it), or the ledger was cut or is an older copy, or the record was signed again", ID(r))
	}
	c := r.common()
	if c.Run != f.run {
		v.bad(f, f.lines, CodePlace, "this is a record of run %s", c.Run)
		return
	}
	if f.digest == "" {
		f.digest, f.planID = c.PlanDigest, c.PlanID
	} else if f.digest != c.PlanDigest || f.planID != c.PlanID {
		v.bad(f, f.lines, CodeSubject, "this record is about another plan than the first one of the file")
	}
	if c.Sequence != f.lines {
		v.bad(f, f.lines, CodeSequence, "this is record %d of the file, but its line is number %d: records were removed, repeated or moved", c.Sequence, f.lines)
	}
	switch r := r.(type) {
	case *Run:
		v.runRecord(f, r)
	case *Step:
		link.Step, link.Outcome = r.Step, r.Outcome
		v.after(f)
		v.place(f, r.Address)
		v.assertedStep(f, r, before)
		v.judgedStep(f, r)
	case *Reset:
		link.Outcome = r.Outcome // and no step: it is about the reset as a whole
		v.after(f)
		if v.place(f, r.Address) {
			v.chain(f, r)
			f.last, f.lastOutcome = digest, r.Outcome
			v.assertedReset(f, r, before)
			v.judgedReset(f, r)
			f.asked = asked{r.Question, digest}
			f.over = r.Outcome != halted
		}
	}
}

// halted is the one outcome of a reset after which a resume goes on.
const halted = "halted"

// after finds fault with a record of a reset that had come to its end.
func (v *verification) after(f *recordFile) {
	if f.over {
		v.bad(f, f.lines, CodeSequence, "a record after the one that ended the reset")
	}
}

// open parses a line and checks its signature and subjects. It gives the hint of
// the key that signed it.
func (ring keyring) open(line []byte) (r Record, hint string, code Code, err error) {
	e, err := parseEnvelope(line)
	if err != nil {
		return nil, "", CodeFormat, err
	}
	if err := ring.verify(e); err != nil {
		if errors.Is(err, ErrKey) {
			return nil, "", CodeKey, err
		}
		return nil, "", CodeSignature, err
	}
	s, err := parseStatement(e.payload)
	if err != nil {
		return nil, "", CodeSubject, err
	}
	r, err = s.parseRecord()
	if err != nil {
		return nil, "", CodeSubject, err
	}
	return r, e.hint, "", nil
}

// place checks that a credential's record lies in the credential's file.
func (v *verification) place(f *recordFile, address string) bool {
	c, err := addrs.ParseCredential(address)
	if err != nil || c.FileName()+fileSuffix != f.name {
		v.bad(f, f.lines, CodePlace, "this is a record of %s, which has another file", address)
		return false
	}
	f.address = address
	return true
}

// chain checks a reset's links to all lines before it.
func (v *verification) chain(f *recordFile, r *Reset) {
	if r.Total != f.lines {
		v.bad(f, f.lines, CodeTotal, "the reset's record speaks of %d records, but there are %d up to it", r.Total, f.lines)
	}
	if len(r.Records) != len(f.links) {
		v.bad(f, f.lines, CodeChain, "the reset's record links to %d records, but %d stand before it", len(r.Records), len(f.links))
		return
	}
	for i, l := range r.Records {
		got := f.links[i]
		if l.Sequence != got.Sequence || l.Record != got.Record {
			v.bad(f, i+1, CodeChain, "this is not the record that the reset's record (line %d) links to: it was edited, signed again or exchanged", f.lines)
		} else if got.Outcome != "" && (l.Step != got.Step || l.Outcome != got.Outcome) {
			v.bad(f, f.lines, CodeChain, "the reset's record says %s of record %d (step %q), which itself says otherwise", l.Outcome, i+1, l.Step)
		}
	}
}

// runRecord checks a record of the run itself.
func (v *verification) runRecord(f *recordFile, r *Run) {
	if f.name != RunFile {
		v.bad(f, f.lines, CodePlace, "this is a record of the run itself, which has a file of its own")
		return
	}
	if f.closed != nil {
		v.bad(f, f.lines, CodeSequence, "a record after the one that closed the run")
	}
	v.approvalRecord(f, r)
	v.overrideRecord(f, r)
	v.judgedRun(f, r)
	v.glassRecord(f, r)
	switch r.Event {
	case "opened":
		f.opened = r
	case "denied":
		f.denied = true
	case "closed":
		f.closed = r
		if r.Total != f.lines {
			v.bad(f, f.lines, CodeTotal, "the closing record speaks of %d records, but there are %d", r.Total, f.lines)
		}
	}
}
