package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/gowebpki/jcs"
)

func sample() Plan {
	return Plan{
		Reason: "scheduled", Mode: "cutover", Requester: "<ann> & \u2028 co", Applyable: true, Trust: SelfAsserted,
		WorkspaceDigest: "sha256:1", PolicyDigest: "sha256:2", TrustDigest: "sha256:3",
		Requirements: Requirements{Approvals: []Approvals{{Count: 1, Group: `"resets":[`}}, Strength: "none"},
		Resets: []Reset{
			{Address: "credential.t.a", Labels: map[string]string{"b": "2", "a": "1"}, Steps: []Step{{Address: "issue.x", Phase: "issue"}}},
			{Address: "credential.t.b", Observed: Observed{Generation: 7}},
		},
	}
}

func written(t *testing.T) []byte {
	t.Helper()
	f, err := New(sample(), []Seen{{Address: "credential.t.a", Sessions: -1}}, time.Unix(1e9, 5))
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	b := written(t)
	f, err := Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := f.Write(&again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(b), again.String()); diff != "" {
		t.Error(diff)
	}
}

// The streamed digest must be what anybody gets by canonicalizing the whole
// `plan` member by RFC 8785.
func TestDigestIsOfTheCanonicalPlan(t *testing.T) {
	var doc struct {
		Digest string          `json:"digest"`
		Plan   json.RawMessage `json:"plan"`
	}
	if err := json.Unmarshal(written(t), &doc); err != nil {
		t.Fatal(err)
	}
	canon, err := jcs.Transform(doc.Plan)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canon)
	if got := "sha256:" + hex.EncodeToString(sum[:]); got != doc.Digest {
		t.Errorf("digest %s, canonical plan has %s", doc.Digest, got)
	}
}

// The short way to the canonical form relies on the order of declaration.
func TestMembersAreDeclaredInOrder(t *testing.T) {
	for _, v := range []any{Reset{}, Runbook{}, Observed{}, Step{}, Seen{}} {
		typ := reflect.TypeOf(v)
		last := ""
		for i := range typ.NumField() {
			name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
			if name <= last {
				t.Errorf("%s: %s is declared after %s", typ, name, last)
			}
			last = name
		}
	}
}

func FuzzOrderedIsCanonical(f *testing.F) {
	f.Add("plain", "key", int64(3))
	f.Add("\u2028<&>\"\\\x00\b\f\n", "\U0001f600", int64(-1))
	f.Add("\ufb33", "\xff", int64(1<<40))
	f.Fuzz(func(t *testing.T, s, key string, n int64) {
		if !utf8.ValidString(s) || !utf8.ValidString(key) {
			return // HCL has no such strings
		}
		n %= 1 << 53
		r := Reset{Address: s, Labels: map[string]string{key: s, s: key, "z": "", "a": ""}, Notes: []string{s, key},
			Observed: Observed{Generation: n, Versions: []string{s}}, Steps: []Step{{Summary: s, Target: key}}}
		fast, err := ordered(r)
		if err != nil {
			t.Fatal(err)
		}
		slow, err := Canonical(r)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(slow), string(fast)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDigestDoesNotDependOnIDOrTime(t *testing.T) {
	a, _ := New(sample(), nil, time.Unix(1, 0))
	b, _ := New(sample(), []Seen{{Address: "x"}}, time.Unix(2, 0))
	if a.Digest != b.Digest || a.ID == b.ID {
		t.Errorf("digests %s and %s, ids %s and %s", a.Digest, b.Digest, a.ID, b.ID)
	}
}

// Every byte of a plan file matters.
func TestEveryFlippedOrCutByteIsNoticed(t *testing.T) {
	b := written(t)
	for i := range b {
		for _, bit := range []byte{0x01, 0x20, 0x80} {
			c := bytes.Clone(b)
			c[i] ^= bit
			if _, err := Read(bytes.NewReader(c)); err == nil {
				t.Fatalf("byte %d (%q to %q) may be flipped unnoticed", i, b[i], c[i])
			}
		}
		if _, err := Read(bytes.NewReader(b[:i])); err == nil {
			t.Fatalf("the file may be cut at %d unnoticed", i)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	b := written(t)
	for name, tc := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":         {nil, ErrFormat},
		"no JSON":       {[]byte("remint {}"), ErrFormat},
		"other version": {[]byte(`{"format_version":"9.0"}`), ErrFormat},
		"duplicate key": {append([]byte(`{"id":"x",`), b[1:]...), ErrAltered},
		"unknown key":   {append([]byte(`{"extra":1,`), b[1:]...), ErrAltered},
		"spaces":        {append([]byte(` `), b...), ErrAltered},
		"trailing":      {append(bytes.Clone(b), "{}"...), ErrAltered},
		"deep":          {bytes.Repeat([]byte("["), 1<<20), ErrFormat},
		"NUL":           {make([]byte, 100), ErrFormat},
		"no version":    {[]byte(`{"name":"x"}`), ErrFormat},
		"number":        {[]byte(`{"format_version":1}`), ErrAltered},
		// With a checksum made to fit, what is read again differs.
		"forged duplicate":       {forged(b, `"reason":`, `"reason":"x","reason":`), ErrAltered},
		"forged duplicate list":  {forged(b, `"resets":[{`, `"resets":[],"resets":[{`), ErrAltered},
		"forged unknown":         {forged(b, `"reason":`, `"extra":{},"reason":`), ErrAltered},
		"forged unknown deep":    {forged(b, `"address":`, `"extra":`+strings.Repeat("[", 1<<20)+`,"address":`), ErrAltered},
		"forged space":           {forged(b, `"reason":`, ` "reason":`), ErrAltered},
		"forged escape":          {forged(b, `"scheduled"`, `"\u0073cheduled"`), ErrAltered},
		"forged null":            {forged(b, `"seen":[{`, `"seen":null,"seem":[{`), ErrAltered},
		"forged number":          {forged(b, `"generation":7`, `"generation":7.0`), ErrAltered},
		"forged huge number":     {forged(b, `"generation":7`, `"generation":1e999999`), ErrAltered},
		"forged, another digest": {forged(b, `"scheduled"`, `"forgotten"`), ErrAltered},
		"forged, an id to obey":  {forged(b, `"id":"`, `"id":"::stop-commands::`), ErrAltered},
		"forged, a hidden id":    {forged(b, `"id":"`, `"id":"\u001b[2J`), ErrAltered},
		"forged, a long id":      {forged(b, `"id":"`, `"id":"`+strings.Repeat("0", 33)), ErrAltered},
		"forged, another line":   {forged(b, "]}\n", "]}\n\n"), ErrAltered},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(bytes.NewReader(tc.in)); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
	}
}

// forged is a plan file changed in one place, with a checksum that fits.
func forged(b []byte, old, by string) []byte {
	const head = len(checksumHead) + 71
	rest := strings.Replace("{"+string(b[head+len(checksumTail):]), old, by, 1)
	sum := sha256.Sum256([]byte(strings.TrimSuffix(rest, "\n")))
	return []byte(checksumHead + "sha256:" + hex.EncodeToString(sum[:]) + checksumTail + rest[1:])
}

// What is too large, or no plan, costs no memory.
func TestReadHoldsNoGarbage(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "plan"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Write(written(t)[:300]); err != nil {
		t.Fatal(err)
	}
	for size, want := range map[int64]error{64 << 20: ErrAltered, MaxSize + 1: ErrFormat} {
		if err := f.Truncate(size); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(f)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, want) {
			t.Errorf("%d bytes: got %v, want %v", size, err, want)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Errorf("%d bytes: %d were allocated", size, got)
		}
	}
}

// Of a forged plan with many elements that Write cannot have written, no more is held than
// of its text: a list of {} would take some hundred times as much.
func TestReadHoldsNoEmptyElements(t *testing.T) {
	b := written(t)
	for name, tc := range map[string]struct{ old, element string }{
		"resets": {`"resets":[`, `{}`}, "decisions": {`"decisions":[`, `{}`}, "seen": {`"seen":[`, `{}`},
		"steps": {`"steps":[`, `{}`}, "others": {`"reason":`, `{}`},
		"resets with an address": {`"resets":[`, `{"address":"credential.a.b","kind":"in_place"}`},
	} {
		by := tc.old + strings.Repeat(tc.element+",", 500_000)
		if tc.old == `"reason":` {
			by = `"requirements":{"approvals":[` + strings.Repeat(`{},`, 500_000) + `{}]},"reason":`
		}
		in := forged(b, tc.old, by)
		if len(in) < 1_000_000 {
			t.Fatalf("%s: the plan has no such list", name)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Read(bytes.NewReader(in))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrAltered) {
			t.Errorf("%s: got %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 4<<20 {
			t.Errorf("%s: %d bytes were allocated for %d", name, got, len(in))
		}
	}
}

func FuzzRead(f *testing.F) {
	file, _ := New(sample(), nil, time.Unix(1e9, 0))
	var b bytes.Buffer
	_ = file.Write(&b)
	f.Add(b.Bytes())
	f.Add([]byte(`{"format_version":"1.0","plan":{"resets":null}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		got, err := Read(bytes.NewReader(in))
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := got.Write(&out); err != nil || !bytes.Equal(in, out.Bytes()) {
			t.Errorf("accepted a file that it would not write: %v", err)
		}
	})
}
