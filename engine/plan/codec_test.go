package plan

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"reflect"
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
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(bytes.NewReader(tc.in)); !errors.Is(err, tc.want) {
				t.Errorf("got %v, want %v", err, tc.want)
			}
		})
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
