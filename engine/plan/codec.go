package plan

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"time"

	"github.com/gowebpki/jcs"
	"golang.org/x/sync/errgroup"

	"github.com/remint-dev/remint/engine/addrs"
)

// New wraps p into a file with a random id, and digests it.
func New(p Plan, seen []Seen, now time.Time) (*File, error) {
	p.normalize()
	digest, err := p.ComputeDigest()
	if err != nil {
		return nil, err
	}
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return nil, errors.New("the system gives no random numbers")
	}
	if seen == nil {
		seen = []Seen{}
	}
	return &File{
		FormatVersion: FormatVersion,
		ID:            hex.EncodeToString(id),
		CreatedAt:     now.UTC().Truncate(time.Second),
		Digest:        digest, Plan: p, Seen: seen,
	}, nil
}

// normalize makes nil and empty the same, so that a plan read back is equal to
// the one written.
func (p *Plan) normalize() {
	p.Decisions = orEmpty(p.Decisions)
	p.Resets = orEmpty(p.Resets)
	if p.Selection != nil {
		p.Selection.Addresses = orEmpty(p.Selection.Addresses)
	}
	p.Requirements.Approvals = orEmpty(p.Requirements.Approvals)
	if p.Requirements.Strength == "" {
		p.Requirements.Strength = "none"
	}
	for i := range p.Requirements.Approvals {
		p.Requirements.Approvals[i].Addresses = orEmpty(p.Requirements.Approvals[i].Addresses)
	}
	for i := range p.Decisions {
		p.Decisions[i].Controls = orEmpty(p.Decisions[i].Controls)
	}
	for i := range p.Resets {
		r := &p.Resets[i]
		if r.Labels == nil {
			r.Labels = map[string]string{}
		}
		r.DependsOn, r.Notes = orEmpty(r.DependsOn), orEmpty(r.Notes)
		r.Observed.Versions, r.Steps = orEmpty(r.Observed.Versions), orEmpty(r.Steps)
		for j := range r.Steps { // lists of steps may be shared: only what is nil is written
			if st := &r.Steps[j]; st.DependsOn == nil || st.Controls == nil {
				st.DependsOn, st.Controls = orEmpty(st.DependsOn), orEmpty(st.Controls)
			}
		}
	}
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// ComputeDigest is sha256 over the RFC 8785 form of p. A canonical object is
// its canonical members in order, so resets are canonicalized one by one and
// memory stays bounded by the largest of them.
func (p *Plan) ComputeDigest() (string, error) {
	h := sha256.New()
	if err := p.writeCanonical(h); err != nil {
		return "", err
	}
	return sum(h), nil
}

// writeCanonical writes the RFC 8785 form of p.
func (p *Plan) writeCanonical(w io.Writer) error {
	head := *p
	head.Resets = []Reset{}
	b, err := Canonical(head)
	if err != nil {
		return err
	}
	// In a canonical plan "resets" appears as a member once: strings in it
	// escape their quotes, so the marker cannot occur inside one.
	marker := []byte(`"resets":[`)
	at := bytes.Index(b, marker)
	if at < 0 {
		return errors.New("a plan without resets member")
	}
	at += len(marker)
	if _, err := w.Write(b[:at]); err != nil {
		return err
	}
	if err := writeList(w, p.Resets); err != nil {
		return err
	}
	_, err = w.Write(b[at:])
	return err
}

// chunk is how many elements are canonicalized before they are written.
const chunk = 1024

// writeList writes the canonical elements of a list with commas between them.
// Elements are canonicalized side by side, a chunk at a time.
func writeList[T any](w io.Writer, list []T) error {
	for from := 0; from < len(list); from += chunk {
		part := list[from:min(from+chunk, len(list))]
		done := make([][]byte, len(part))
		var group errgroup.Group
		group.SetLimit(runtime.GOMAXPROCS(0))
		const slice = 64
		for at := 0; at < len(part); at += slice {
			group.Go(func() error {
				for i := at; i < min(at+slice, len(part)); i++ {
					b, err := ordered(part[i])
					if err != nil {
						return err
					}
					done[i] = b
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		for i, b := range done {
			if from+i > 0 {
				if _, err := io.WriteString(w, ","); err != nil {
					return err
				}
			}
			if _, err := w.Write(b); err != nil {
				return err
			}
		}
	}
	return nil
}

// ordered is Canonical for values whose members are declared in the order of
// their names. What encoding/json makes of them is canonical already, unless it
// had to escape something, or a map's keys sort differently in UTF-16: plans are
// long, and going over them again costs more than making them.
func ordered(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("not representable as JSON: %w", err)
	}
	b := bytes.TrimSuffix(buf.Bytes(), []byte("\n"))
	for i, c := range b {
		if c >= 0x80 || c == '\\' && b[i+1] != '"' {
			return jcs.Transform(b)
		}
	}
	return b, nil
}

// Canonical is the RFC 8785 form of any JSON-ready value.
func Canonical(v any) ([]byte, error) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, fmt.Errorf("not representable as JSON: %w", err)
	}
	return jcs.Transform(buf.Bytes())
}

func sum(h hash.Hash) string { return "sha256:" + hex.EncodeToString(h.Sum(nil)) }

// "checksum" sorts before every other member: it goes in right after the brace.
const (
	checksumHead = `{"checksum":"`
	checksumTail = `",`
)

// Write writes the file: one line of JSON in one form, so that equal files are
// equal bytes, and any flipped byte is noticed. It is the canonical form, but for
// characters that could deceive who sees the file in a terminal or a review: they
// are \u escapes.
func (f *File) Write(w io.Writer) error {
	f.Plan.normalize()
	h := sha256.New()
	size := &counting{}
	if err := f.encode(visible{io.MultiWriter(h, size)}); err != nil {
		return err
	}
	if size.n > MaxSize-256 {
		return fmt.Errorf("it would have %d bytes, and more than %d MB are not read: plan fewer credentials at a time (-where)", size.n, MaxSize>>20)
	}
	f.Checksum = sum(h)
	if _, err := io.WriteString(w, checksumHead+f.Checksum+checksumTail); err != nil {
		return err
	}
	if err := f.encode(visible{&skipFirst{w: w}}); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// counting counts what is written to it.
type counting struct{ n int64 }

// Write counts b.
func (c *counting) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return len(b), nil
}

// visible escapes what could deceive. What is written to it is whole runes.
type visible struct{ w io.Writer }

// Write passes b on.
func (v visible) Write(b []byte) (int, error) {
	if _, err := v.w.Write(addrs.VisibleJSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// skipFirst drops the first byte that is written to it.
type skipFirst struct {
	w       io.Writer
	skipped bool
}

// Write passes b on.
func (s *skipFirst) Write(b []byte) (int, error) {
	if s.skipped || len(b) == 0 {
		return s.w.Write(b)
	}
	s.skipped = true
	n, err := s.w.Write(b[1:])
	return n + 1, err
}

// encode writes the canonical form of everything but the checksum.
func (f *File) encode(w io.Writer) error {
	b, err := Canonical(map[string]any{"created_at": f.CreatedAt, "digest": f.Digest, "format_version": f.FormatVersion, "id": f.ID})
	if err != nil {
		return err
	}
	// created_at, digest, format_version, id < plan < seen
	if _, err := w.Write(append(b[:len(b)-1:len(b)-1], `,"plan":`...)); err != nil {
		return err
	}
	if err := f.Plan.writeCanonical(w); err != nil {
		return err
	}
	if _, err := io.WriteString(w, `,"seen":[`); err != nil {
		return err
	}
	if err := writeList(w, f.Seen); err != nil {
		return err
	}
	_, err = io.WriteString(w, "]}")
	return err
}
