package evidence

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"strings"
	"testing"
)

func testRing(t testing.TB, signers ...*Signer) (keyring, map[string]crypto.PublicKey) {
	t.Helper()
	var keys []crypto.PublicKey
	m := map[string]crypto.PublicKey{}
	for _, s := range signers {
		keys, m[s.KeyID()] = append(keys, s.Public()), s.Public()
	}
	ring, err := newKeyring(keys)
	must(t, err)
	return ring, m
}

// resign makes a bundle over any payload.
func resign(t testing.TB, s *Signer, payload string) []byte {
	t.Helper()
	line, err := s.envelop([]byte(payload))
	must(t, err)
	return line
}

// TestSameAsSigstore holds the package's own check of signatures against
// sigstore-go's. Over a corpus of changed bundles, what has the one spelling that
// remint writes is accepted by both or by neither, and nothing that a whole
// verification by sigstore-go refuses is accepted.
func TestSameAsSigstore(t *testing.T) {
	for _, alg := range []Algorithm{ECDSAP256, Ed25519} {
		t.Run(string(alg), func(t *testing.T) {
			s, other := testSigner(t, alg), testSigner(t, alg)
			ring, keys := testRing(t, s)
			verifier, material := sigstoreVerifier(t, keys)
			accepted, compared := 0, 0
			for _, line := range corpus(t, s, other) {
				if _, _, _, err := ring.open(line); err == nil {
					if err := sigstoreAccepts(verifier, line); err != nil {
						t.Fatalf("accepted against sigstore-go (%v): %.300s", err, line)
					}
					accepted++
				}
				e, err := parseEnvelope(line)
				if err != nil {
					continue
				}
				compared++
				if mine, theirs := ring.verify(e), sigstoreSignature(material, line); (mine == nil) != (theirs == nil) {
					t.Fatalf("mine: %v, sigstore-go: %v: %.300s", mine, theirs, line)
				}
			}
			if accepted != 1 || compared < 1000 {
				t.Fatalf("the corpus is poor: %d accepted, %d compared", accepted, compared)
			}
		})
	}
}

// corpus is a sound bundle and thousands that are not.
func corpus(t testing.TB, s, other *Signer) [][]byte {
	t.Helper()
	step := testStep("r1", "credential.htpasswd_user.a", "install.user", 1)
	line, err := s.Sign(step)
	must(t, err)
	stranger, err := other.Sign(step)
	must(t, err)
	out := [][]byte{line, stranger, bytes.Replace(stranger, []byte(other.KeyID()), []byte(s.KeyID()), 1), nil, []byte("{}"), []byte("null")}
	for _, payload := range []string{"", "{}", "\x00", strings.Repeat("x", 1<<20)} {
		out = append(out, resign(t, s, payload))
	}
	for i := range line {
		for _, b := range []byte{line[i] ^ 1, line[i] ^ 0x20, 0, '"', 'A', '=', '\n'} {
			if b != line[i] {
				c := bytes.Clone(line)
				c[i] = b
				out = append(out, c)
			}
		}
		if i%7 == 0 {
			out = append(out, line[:i], append(bytes.Clone(line[:i]), line[i+1:]...), append(append(bytes.Clone(line[:i]), ' '), line[i:]...))
		}
	}
	return out
}

// TestMalleability: whatever is changed in a line, even where the signature does
// not reach, is refused; so a line's digest stands for it.
func TestMalleability(t *testing.T) {
	s := testSigner(t, Ed25519)
	ring, _ := testRing(t, s)
	line, err := s.Sign(testStep("r1", "credential.htpasswd_user.a", "install.user", 1))
	must(t, err)
	if _, _, _, err := ring.open(line); err != nil {
		t.Fatal(err)
	}
	for i := range line {
		for bit := range 8 {
			c := bytes.Clone(line)
			c[i] ^= 1 << bit
			if _, _, _, err := ring.open(c); err == nil {
				t.Fatalf("bit %d of byte %d does not count", bit, i)
			}
		}
	}
}

func TestStatementRefused(t *testing.T) {
	s := testSigner(t, Ed25519)
	ring, _ := testRing(t, s)
	line, err := s.Sign(testStep("r1", "credential.htpasswd_user.a", "install.user", 1))
	must(t, err)
	e, err := parseEnvelope(line)
	must(t, err)
	good := string(e.payload)
	head, _, _ := strings.Cut(good, `"subject":[`)
	digest := strings.Repeat("ab", 32)
	for name, payload := range map[string]string{
		"not JSON":           "hello",
		"NUL":                "\x00",
		"other plan":         strings.Replace(good, `"sha256":"`+digest, `"sha256":"`+strings.Repeat("ac", 32), 1),
		"other record":       strings.Replace(good, `"name":"r1/`, `"name":"r2/`, 1),
		"predicate edited":   strings.Replace(good, `"attempts":1`, `"attempts":2`, 1),
		"unknown member":     strings.Replace(good, `"predicate":{`, `"predicate":{"a":1,`, 1),
		"other type":         strings.Replace(good, StepType, RunType, 1),
		"unknown type":       strings.Replace(good, StepType, "https://example.com/x", 1),
		"space":              good + " ",
		"third subject":      strings.Replace(good, `"subject":[`, `"subject":[{"digest":{"sha256":"`+digest+`"},"name":"x"},`, 1),
		"no subjects":        head + `"subject":[]}`,
		"subject twice":      strings.Replace(good, `,"subject":[`, `,"subject":[],"subject":[`, 1),
		"100,000 subjects":   head + `"subject":[` + strings.Repeat(`{"digest":{"sha256":"`+digest+`"},"name":"plan"},`, 100_000) + `{}]}`,
		"deep":               statementHead + strings.Repeat("[", 200_000) + `,"predicateType":"x","subject":[]}`,
		"predicate is a bit": strings.Replace(good, good[len(statementHead):strings.LastIndex(good, `,"predicateType"`)], "1", 1),
	} {
		if payload == good {
			t.Fatalf("%s: nothing was changed", name)
		}
		if _, _, code, err := ring.open(resign(t, s, payload)); err == nil || code != CodeSubject {
			t.Errorf("%s: %q %v", name, code, err)
		}
	}
}

func FuzzOpen(f *testing.F) {
	s := testSigner(f, Ed25519)
	ring, _ := testRing(f, s)
	line, err := s.Sign(testStep("r1", "credential.htpasswd_user.a", "install.user", 1))
	must(f, err)
	f.Add(line)
	f.Add([]byte(lineHint + linePay + lineSig + lineEnd))
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, _, _, err := ring.open(b); err == nil && !bytes.Equal(b, line) {
			t.Fatalf("a forged line was accepted: %s", b)
		}
	})
}

func FuzzStatement(f *testing.F) {
	s := testSigner(f, Ed25519)
	line, err := s.Sign(testStep("r1", "credential.htpasswd_user.a", "install.user", 1))
	must(f, err)
	e, err := parseEnvelope(line)
	must(f, err)
	f.Add(e.payload)
	f.Add([]byte(statementHead + `1,"predicateType":"x","subject":[]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		st, err := parseStatement(b)
		if err != nil {
			return
		}
		if _, err := st.parseRecord(); err != nil {
			return
		}
		if !bytes.Contains(b, []byte(LineDigest(st.predicate))) {
			t.Fatal("accepted without the predicate's digest")
		}
	})
}

func FuzzBase64(f *testing.F) {
	f.Add([]byte("YWI="))
	f.Fuzz(func(t *testing.T, b []byte) {
		if d, err := unbase64(b); err == nil && base64.StdEncoding.EncodeToString(d) != string(b) {
			t.Fatalf("%q has two spellings", b)
		}
	})
}
