package evidence

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
)

// What cannot be shown says why.
func TestShowSaysWhy(t *testing.T) {
	sound := newForgery().file(t)
	approval, err := SignApproval(sound.signer, testApproval())
	must(t, err)
	first := sound.lines(t, "r1/"+forgedFile)[0]
	pay := bytes.Index(first, []byte(linePay)) + len(linePay)
	_, signature, _ := bytes.Cut(first, []byte(lineSig))
	statement := slices.Concat(first[:pay], []byte(base64.StdEncoding.EncodeToString([]byte(`{"_type":"x"}`))), []byte(lineSig), signature)
	for name, tc := range map[string]struct {
		damage func(w *world, path string)
		says   string
		is     error
	}{
		"the file is gone": {func(_ *world, path string) { must(t, os.Remove(path)) }, "no such file", fs.ErrNotExist},
		"a line that is too long": {func(_ *world, path string) {
			must(t, errors.Join(os.WriteFile(path, []byte(lineHint), 0o644), os.Truncate(path, maxLine+64<<10)))
		}, "longer than 40 MiB", errLong},
		"a line that begins as ours": {func(w *world, _ string) { w.put(t, "r1/"+RunFile, []byte(lineHint+"x")) }, "not a Sigstore bundle", nil},
		"another statement":          {func(w *world, _ string) { w.put(t, "r1/"+RunFile, statement) }, "line 1: ", nil},
		"no record":                  {func(w *world, _ string) { w.put(t, "r1/"+RunFile, approval) }, "line 1: ", nil},
	} {
		w := sound.clone(t)
		tc.damage(w, w.path("r1", RunFile))
		n, last := 0, error(nil)
		for e, err := range Show(w.dir, "r1") {
			if n++; e != nil || n > 1 {
				t.Errorf("%s: %+v was shown", name, e)
			}
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), tc.says) || tc.is != nil && !errors.Is(last, tc.is) {
			t.Errorf("%s: %v", name, last)
		}
	}
}

// A head is printed as it is, so only one that is nothing but text is.
func TestCheckpointIsText(t *testing.T) {
	w := newForgery().file(t)
	head, err := Checkpoint(w.dir)
	must(t, err)
	if _, err := note.Open(head, note.VerifierList(w.ledger)); err != nil {
		t.Error(err)
	}
	for name, b := range map[string][]byte{
		"cut":                  head[:10],
		"empty":                {},
		"an escape sequence":   append([]byte("\x1b[2J"), head...),
		"one after its end":    append(bytes.Clone(head), "\u202e\n"...),
		"invisible in between": bytes.Replace(head, []byte("\n"), []byte("\u200b\n"), 1),
	} {
		must(t, os.WriteFile(w.path("ledger/checkpoint"), b, 0o644))
		if got, err := Checkpoint(w.dir); err == nil || got != nil || !strings.Contains(err.Error(), "remint evidence verify") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	must(t, os.Remove(w.path("ledger/checkpoint")))
	if got, err := Checkpoint(w.dir); !errors.Is(err, fs.ErrNotExist) || got != nil {
		t.Errorf("none: %q, %v", got, err)
	}
}
