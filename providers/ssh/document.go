package ssh

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/remint-dev/remint/internal/atomicfile"
)

// document is an authorized_keys file, line by line, each with its own ending,
// so that joining them gives the file back byte for byte.
type document struct {
	lines   []line
	changed bool
}

// line is one line of the file.
type line struct {
	raw []byte // with its line ending
	// key is nil for blank lines, comments, and what sshd would not read.
	key         ssh.PublicKey
	fingerprint string
	options     string
	comment     string // without the mark
	mark        mark
	authority   bool      // trusts certificates that the key signed, not the key
	expires     time.Time // zero: never
	unread      bool      // neither blank nor comment nor key
	// kept are the options that a revoked key of comment had.
	kept bool
}

// Bounds on what is taken into memory, far beyond what sshd is used with.
const (
	maxSize  = atomicfile.MaxSize
	maxLines = 300_000
)

// parse splits the file. It fails for bytes that sshd and remint would read
// differently, and for files beyond the bounds.
func parse(data []byte) (document, error) {
	var doc document
	if len(data) > maxSize {
		return document{}, fmt.Errorf("it is larger than %d MiB: that cannot be right", maxSize>>20)
	}
	for n := 1; len(data) > 0; n++ {
		if n > maxLines {
			return document{}, fmt.Errorf("it has more than %d lines: that cannot be right", maxLines)
		}
		end := bytes.IndexByte(data, '\n') + 1
		if end == 0 {
			end = len(data)
		}
		raw := data[:end:end]
		data = data[end:]
		if bytes.IndexByte(raw, 0) >= 0 {
			return document{}, fmt.Errorf("line %d has a NUL byte in it, after which sshd reads no further: remove it", n)
		}
		doc.lines = append(doc.lines, parseLine(raw))
	}
	return doc, nil
}

func parseLine(raw []byte) line {
	l := line{raw: raw}
	text := strings.Trim(string(raw), " \t\r\n")
	if text == "" {
		return l
	}
	if text[0] == '#' {
		if opts, comment, ok := cutKept(text); ok {
			l.options, l.comment, l.kept = opts, comment, true
		}
		return l
	}
	key, comment, options, _, err := ssh.ParseAuthorizedKey(raw)
	if _, isCertificate := key.(*ssh.Certificate); err != nil || isCertificate {
		l.unread = true
		return l
	}
	l.key, l.fingerprint = key, ssh.FingerprintSHA256(key)
	l.comment, l.mark = cutMark(comment)
	if len(options) > 0 {
		l.options, _ = cutOptions(text)
	}
	l.authority = hasOption(l.options, "cert-authority")
	l.expires = expiry(l.options)
	return l
}

// bytes joins the lines.
func (d *document) bytes() []byte {
	var b bytes.Buffer
	for _, l := range d.lines {
		b.Write(l.raw)
	}
	return b.Bytes()
}

// of lists the lines of the credential, newest first as far as their marks
// tell; without marks, what stands lower was added later.
func (d *document) of(comment string) []line {
	var out []line
	for _, l := range slices.Backward(d.lines) {
		if l.key != nil && !l.authority && l.comment == comment {
			out = append(out, l)
		}
	}
	slices.SortStableFunc(out, func(a, b line) int { return b.mark.created.Compare(a.mark.created) })
	return out
}

// with lists the lines that have the key of that fingerprint, whatever their
// comment.
func (d *document) with(fingerprint string) []line {
	var out []line
	for _, l := range d.lines {
		if l.key != nil && l.fingerprint == fingerprint {
			out = append(out, l)
		}
	}
	return out
}

// add appends a line, in the manner of the lines before it.
func (d *document) add(text string) {
	ending := "\n"
	if n := len(d.lines); n > 0 {
		last := &d.lines[n-1]
		if n > 1 && bytes.HasSuffix(d.lines[n-2].raw, []byte("\r\n")) || bytes.HasSuffix(last.raw, []byte("\r\n")) {
			ending = "\r\n"
		}
		if !bytes.HasSuffix(last.raw, []byte("\n")) {
			last.raw = append(bytes.Clone(last.raw), ending...)
		}
	}
	d.lines = append(d.lines, parseLine([]byte(text+ending)))
	d.changed = true
}

// remove drops the lines that match.
func (d *document) remove(match func(line) bool) (removed []line) {
	d.lines = slices.DeleteFunc(d.lines, func(l line) bool {
		if !match(l) {
			return false
		}
		removed = append(removed, l)
		return true
	})
	d.changed = d.changed || len(removed) > 0
	return removed
}

// keptOptions are what an earlier Revoke left for the next key of comment.
func (d *document) keptOptions(comment string) string {
	for _, l := range d.lines {
		if l.kept && l.comment == comment {
			return l.options
		}
	}
	return ""
}
