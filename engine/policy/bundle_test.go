package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/remint-dev/remint/engine/diag"
)

// pair is a key as people have it.
type pair struct{ private, public string }

func pairOf(t testing.TB, key crypto.Signer) pair {
	t.Helper()
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	text := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	return pair{text("PRIVATE KEY", private), text("PUBLIC KEY", public)}
}

func curve(t testing.TB, c elliptic.Curve) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(c, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return pairOf(t, key)
}

// entry is a file as a tarball has it.
type entry struct {
	name, text string
	kind       byte
}

// packed is a tarball of entries.
func packed(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var out bytes.Buffer
	gz := gzip.NewWriter(&out)
	w := tar.NewWriter(gz)
	for _, e := range entries {
		head := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.text)), Typeflag: max(e.kind, tar.TypeReg)}
		if head.Typeflag == tar.TypeSymlink {
			head.Linkname, head.Size, e.text = e.text, 0, ""
		}
		if err := w.WriteHeader(head); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// signedBy makes the entry with the signature over files, as OPA makes it.
func signedBy(t testing.TB, key, algorithm, hash string, claims map[string]any, files ...entry) entry {
	t.Helper()
	hasher, err := bundle.NewSignatureHasher(bundle.HashingAlgorithm(hash))
	if err != nil {
		t.Fatal(err)
	}
	var infos []bundle.FileInfo
	for _, f := range files {
		var value any = []byte(f.text)
		if strings.HasSuffix(f.name, ".json") || strings.HasSuffix(f.name, ".manifest") {
			if err := json.Unmarshal([]byte(f.text), &value); err != nil {
				t.Fatal(err)
			}
		}
		sum, err := hasher.HashFile(value)
		if err != nil {
			t.Fatal(err)
		}
		infos = append(infos, bundle.NewFile(strings.TrimPrefix(f.name, "/"), hex.EncodeToString(sum), hash))
	}
	config := bundle.NewSigningConfig(key, algorithm, "")
	if claims != nil {
		b, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		config.ClaimsPath = filepath.Join(t.TempDir(), "claims.json")
		if err := os.WriteFile(config.ClaimsPath, b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	token, err := bundle.GenerateSignedToken(infos, config, "whatever")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(bundle.SignaturesConfig{Signatures: []string{token}})
	if err != nil {
		t.Fatal(err)
	}
	return entry{name: "/.signatures.json", text: string(b)}
}

const goodRego = "package remint.plan\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if input.ticket == \"denied\"\n"

// sound are the files of a bundle that is taken.
func sound(revision string) []entry {
	return []entry{
		{name: "/data.json", text: "{}"}, {name: "/rules/a.rego", text: goodRego},
		{name: "/.manifest", text: `{"revision":"` + revision + `","roots":[""],"rego_version":1}`},
	}
}

func openBytes(t testing.TB, tarball []byte, s Signing) (Source, diag.Diagnostics) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b.tar.gz")
	if err := os.WriteFile(file, tarball, 0o600); err != nil {
		t.Fatal(err)
	}
	// A busy machine must not meet another bound than the one that is meant.
	return Options{Limits: Limits{Compile: time.Minute, Memory: 1 << 30}}.OpenBundle(context.Background(), Bundle{Name: "house", Enforcement: Mandatory, Path: "b.tar.gz", File: file, Signing: s})
}

// What is signed by the pinned key is asked, whether it is a tarball or a folder,
// and with each kind of key.
func TestBundleIsAsked(t *testing.T) {
	_, edwards, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	long, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]pair{
		"ES256": curve(t, elliptic.P256()), "ES384": curve(t, elliptic.P384()), "ES512": curve(t, elliptic.P521()),
		"EdDSA": pairOf(t, edwards), "RS256": pairOf(t, long),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(dir, "in/sub"), 0o755); err != nil {
				t.Fatal(err)
			}
			for file, text := range map[string]string{"in/a.rego": goodRego, "in/sub/a_test.rego": "package remint.plan_test\n\ntest_a if true\n", "in/README.md": "x"} {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			built, diags := Options{}.BuildBundle(context.Background(), Source{Name: "in", FS: os.DirFS(filepath.Join(dir, "in")), Enforcement: Mandatory, Path: "in"}, "7", []byte(key.private))
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			src, diags := openBytes(t, built, Signing{PublicKey: key.public, Algorithm: name})
			if diags.HasErrors() || src.Revision != "7" {
				t.Fatalf("revision %q, %v", src.Revision, diags.Err())
			}
			// The same, unpacked.
			files := &contents{seen: map[string]bool{}}
			if err := files.archive(bytes.NewReader(built)); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(dir, "out")
			for _, f := range files.files {
				if err := os.MkdirAll(filepath.Dir(filepath.Join(out, f.name)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(out, f.name), f.text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			folder, diags := Options{}.OpenBundle(context.Background(), Bundle{Name: "house", Enforcement: Mandatory, Path: "out", File: out, Signing: Signing{PublicKey: key.public}})
			if diags.HasErrors() {
				t.Fatal(diags.Err())
			}
			for _, src := range []Source{src, folder} {
				set, diags := Compile(context.Background(), []Source{src})
				if diags.HasErrors() {
					t.Fatal(diags.Err())
				}
				in := anInput()
				in.Ticket = "denied"
				verdict, diags := set.Eval(context.Background(), in)
				set.Close()
				if diags.HasErrors() || !verdict.Denied() {
					t.Errorf("%+v, %v", verdict, diags.Err())
				}
				if diff := cmp.Diff(map[string]string{"house": "7"}, set.Revisions()); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// `opa sign --bundle DIR` signs names that begin with DIR.
func TestBundleSignedByItsPath(t *testing.T) {
	key := curve(t, elliptic.P256())
	files := sound("7")
	under := func(list []entry) []entry {
		out := slices.Clone(list)
		for i := range out {
			out[i].name = "/some/where" + out[i].name
		}
		return out
	}
	signature := signedBy(t, key.private, "ES256", "SHA-256", nil, under(files)...)
	if src, diags := openBytes(t, packed(t, append(files, signature)...), Signing{PublicKey: key.public}); diags.HasErrors() || src.Revision != "7" {
		t.Errorf("%q, %v", src.Revision, diags.Err())
	}
	mixed := signedBy(t, key.private, "ES256", "SHA-256", nil, append(under(files), files[1])...)
	if _, diags := openBytes(t, packed(t, append(files, mixed)...), Signing{PublicKey: key.public}); !strings.Contains(diags.Err().Error(), "was signed and is missing") {
		t.Error(diags.Err())
	}
}

// A revision is part of what a plan is made under: the same rules at another
// revision are another policy.
func TestRevisionIsDigested(t *testing.T) {
	digests := map[string]bool{}
	for _, revision := range []string{"", "1", "2"} {
		src := source(one(good))
		src.Revision = revision
		set, diags := Compile(context.Background(), []Source{src})
		if diags.HasErrors() {
			t.Fatal(diags.Err())
		}
		set.Close()
		digests[set.Digest()] = true
	}
	if len(digests) != 3 {
		t.Errorf("%d digests of 3", len(digests))
	}
}

// Each of these bundles is refused with one sentence that says why.
func TestBundleRefused(t *testing.T) {
	key, other := curve(t, elliptic.P256()), curve(t, elliptic.P256())
	files := sound("7")
	signed := func(files ...entry) entry { return signedBy(t, key.private, "ES256", "SHA-256", nil, files...) }
	with := func(list []entry, more ...entry) []entry { return append(slices.Clone(list), more...) }
	and := func(more ...entry) []entry { // a bundle with more in it, all of it signed
		list := with(files, more...)
		return with(list, signed(list...))
	}
	manifest := func(text string) []entry {
		list := []entry{files[0], files[1], {name: "/.manifest", text: text}}
		return with(list, signed(list...))
	}
	for name, tc := range map[string]struct {
		entries []entry
		signing Signing
		want    string
		or      string // what it may say instead
	}{
		"unsigned":                {entries: files, want: "it is not signed"},
		"no signature in it":      {entries: with(files, entry{name: "/.signatures.json", text: "{}"}), want: "it is not signed"},
		"a damaged signature":     {entries: with(files, entry{name: "/.signatures.json", text: "{"}), want: "damaged"},
		"a plugin's signature":    {entries: with(files, entry{name: "/.signatures.json", text: `{"plugin":"mine","signatures":["x"]}`}), want: "not signed as"},
		"another's key":           {entries: with(files, signedBy(t, other.private, "ES256", "SHA-256", nil, files...)), want: "not signed as"},
		"two signatures":          {entries: with(files, signed(files...), entry{name: "/x/.signatures.json", text: signed(files...).text}), want: "x/.signatures.json is not among those"},
		"the key as a secret":     {entries: with(files, signedBy(t, key.public, "HS256", "SHA-256", nil, files...)), want: "not signed as"},
		"no algorithm":            {entries: with(files, entry{name: "/.signatures.json", text: unsecured(t, signed(files...).text)}), want: "not signed as"},
		"an algorithm of no use":  {entries: with(files, signed(files...)), signing: Signing{Algorithm: "RS256"}, want: "does not fit"},
		"another scope":           {entries: with(files, signed(files...)), signing: Signing{Scope: "write"}, want: "scope mismatch"},
		"a scope that is unasked": {entries: with(files, signedBy(t, key.private, "ES256", "SHA-256", map[string]any{"scope": "x"}, files...)), want: "scope mismatch"},
		"a short hash":            {entries: with(files, signedBy(t, key.private, "ES256", "MD5", nil, files...)), want: "can be forged"},
		"an altered file":         {entries: with([]entry{files[0], {name: "/rules/a.rego", text: goodRego + "\n"}, files[2]}, signed(files...)), want: "digest mismatch"},
		"an altered manifest":     {entries: with([]entry{files[0], files[1], sound("8")[2]}, signed(files...)), want: "digest mismatch"},
		"a file more":             {entries: with(files, signed(files...), entry{name: "/b.rego", text: goodRego}), want: "b.rego is not among those that were signed"},
		"a hidden file more":      {entries: with(files, signed(files...), entry{name: "/.x", text: "x"}), want: "not among those that were signed"},
		"a file less":             {entries: with(files[:1], files[2], signed(files...)), want: `"rules/a.rego" was signed and is missing`},
		"a file renamed":          {entries: with([]entry{files[0], {name: "/rules/b.rego", text: goodRego}, files[2]}, signed(files...)), want: "b.rego is not among those"},
		"one name twice":          {entries: with(files, signed(files...), files[1]), want: "two files of the name rules/a.rego"},
		"one name in two forms":   {entries: with(files, signed(files...), entry{name: "rules/./a.rego", text: "package x"}), want: "two files of the name"},
		"a name that leads out":   {entries: with(files, signed(files...), entry{name: "../a.rego", text: goodRego}), want: "which is none"},
		"a link":                  {entries: with(files, signed(files...), entry{name: "/b.rego", text: "/etc/passwd", kind: tar.TypeSymlink}), want: "not a regular file"},
		"wasm":                    {entries: and(entry{name: "/policy.wasm", text: "\x00asm"}), want: "compiled policies are not asked"},
		"a compiled plan":         {entries: and(entry{name: "/plan.json", text: "{}"}), want: "compiled policies are not asked"},
		"a delta":                 {entries: and(entry{name: "/patch.json", text: `{"data":[]}`}), want: "a delta bundle cannot be signed"},
		"data with a secret":      {entries: with([]entry{{name: "/data.json", text: `{"token":"hunter2-canary"}`}, files[1], files[2]}, signed(entry{name: "/data.json", text: `{"token":"hunter2-canary"}`}, files[1], files[2])), want: "data is not read"},
		"data in a folder":        {entries: and(entry{name: "/x/data.json", text: `{"token":"hunter2-canary"}`}), want: "data is not read"},
		"data in YAML":            {entries: and(entry{name: "/data.yaml", text: "a: 1"}), want: "data is not read"},
		"another manifest":        {entries: and(entry{name: "/.manifest.pb", text: ""}), want: "must be JSON"},
		"two manifests":           {entries: and(entry{name: "/x/.manifest", text: "{}"}), want: "multiple manifest files"},
		"no manifest":             {entries: with(files[:2], signed(files[:2]...)), want: "it has no revision"},
		"no revision":             {entries: manifest("{}"), want: "it has no revision"},
		"the id of a commit":      {entries: manifest(`{"revision":"64a2cfc0"}`), want: "has no order"},
		"a number with zeros":     {entries: manifest(`{"revision":"007"}`), want: "has no order"},
		"Rego of before":          {entries: manifest(`{"revision":"1","rego_version":0}`), want: "another version of Rego"},
		"a file's Rego of before": {entries: manifest(`{"revision":"1","file_rego_versions":{"/rules/*.rego":0}}`), want: "another version of Rego"},
		"wasm by reference":       {entries: manifest(`{"revision":"1","wasm":[{"entrypoint":"a","module":"b"}]}`), want: "does not exist"},
		"other roots":             {entries: manifest(`{"revision":"1","roots":["elsewhere"]}`), want: "do not permit"},
		"no text":                 {entries: and(entry{name: "/b.rego", text: "package x # \xff"}), want: "not UTF-8"},
		"a file too large":        {entries: and(entry{name: "/b.md", text: strings.Repeat("x", maxBundleFile+1)}), want: "larger than"},
		"a bomb":                  {entries: bomb(), want: "it holds more than"},
		"nested too deep": {entries: func() []entry {
			list := []entry{files[0], {name: "/a.rego", text: "package remint.plan\ndeny contains x if { x := " + strings.Repeat("[", 120_000) + "1" + strings.Repeat("]", 120_000) + "}\n"}, files[2]}
			return with(list, signed(list...))
		}(), want: "recursion depth exceeded", or: "too deep a stack"}, // the race detector's frames are larger
		"Rego that does not parse": {entries: func() []entry {
			list := []entry{files[0], {name: "/a.rego", text: "package remint.plan\ndeny contains {"}, files[2]}
			return with(list, signed(list...))
		}(), want: "Policy does not parse"},
		"an http.send": {entries: func() []entry {
			list := []entry{files[0], {name: "/a.rego", text: "package remint.plan\n\ndeny contains {\"id\": \"a\", \"msg\": \"m\"} if http.send({\"method\": \"get\", \"url\": \"http://127.0.0.1\"}).status_code == 200\n"}, files[2]}
			return with(list, signed(list...))
		}(), want: "nothing of the network"},
		"a helper of the library's": {entries: func() []entry {
			list := []entry{files[0], {name: "/a.rego", text: "package lib\n\nreset_kinds := set()\n"}, files[2]}
			return with(list, signed(list...))
		}(), want: "never say anything"},
	} {
		t.Run(name, func(t *testing.T) {
			if tc.signing.PublicKey == "" {
				tc.signing.PublicKey = key.public
			}
			src, diags := openBytes(t, packed(t, tc.entries...), tc.signing)
			if !diags.HasErrors() { // what is authentic is compiled as any other Rego
				var set *Set
				set, diags = Compile(context.Background(), []Source{src})
				set.Close()
			}
			if diags.Exit() != diag.ExitDenied {
				t.Fatalf("exit %v: %v", diags.Exit(), diags.Err())
			}
			got := diags.Err().Error()
			said := strings.Contains(got, tc.want) || tc.or != "" && strings.Contains(got, tc.or)
			if !said || !strings.Contains(got, "house") {
				t.Errorf("got %s\nwant %q in it", got, tc.want)
			}
			if strings.Contains(got, "canary") {
				t.Errorf("it quotes data: %s", got)
			}
		})
	}
}

// unsecured is a signature's token with alg none and no signature.
func unsecured(t *testing.T, text string) string {
	t.Helper()
	var s bundle.SignaturesConfig
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(s.Signatures[0], ".")
	b, err := json.Marshal(bundle.SignaturesConfig{Signatures: []string{"eyJhbGciOiJub25lIn0." + parts[1] + "."}})
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// bomb is a great deal of nothing, which is small when it is packed.
func bomb() []entry {
	var out []entry
	text := strings.Repeat(" ", maxBundleFile)
	for i := range 40 {
		out = append(out, entry{name: "/" + strings.Repeat("x", i+1) + ".md", text: text})
	}
	return out
}

// What is no bundle at all is refused as well.
func TestNoBundle(t *testing.T) {
	key := curve(t, elliptic.P256())
	for name, b := range map[string][]byte{"empty": nil, "text": []byte("no"), "a tar that is not packed": bytes.Repeat([]byte{0}, 1024), "cut off": packed(t, sound("1")...)[:100]} {
		if _, diags := openBytes(t, b, Signing{PublicKey: key.public}); diags.Exit() != diag.ExitDenied || !strings.Contains(diags.Err().Error(), "no tarball that can be read") {
			t.Errorf("%s: %v", name, diags.Err())
		}
	}
}

// A tarball in which any byte was changed holds what was signed, or is refused.
func TestEveryByteOfABundle(t *testing.T) {
	key := curve(t, elliptic.P256())
	files := sound("7")
	whole := packed(t, append(files, signedBy(t, key.private, "ES256", "SHA-256", nil, files...))...)
	taken := 0
	for at := range whole {
		for _, bit := range []byte{1, 128} {
			b := bytes.Clone(whole)
			b[at] ^= bit
			if sameOrRefused(t, b, key.public) {
				taken++
			}
		}
	}
	if taken > 40 { // the name, time and system of gzip's header are nobody's
		t.Errorf("%d changes were taken", taken)
	}
}

// sameOrRefused reads a tarball in this process, and reports whether it was taken.
func sameOrRefused(t *testing.T, tarball []byte, public string) bool {
	t.Helper()
	c := &contents{seen: map[string]bool{}}
	if c.archive(bytes.NewReader(tarball)) != nil {
		return false
	}
	revision, diags := Bundle{Name: "house", Path: "b", Signing: Signing{PublicKey: public}}.read(c.files)
	if diags.HasErrors() {
		return false
	}
	got := map[string]string{}
	for _, f := range c.files {
		if f.name != signaturesFile && f.name != ".manifest" && f.name != dataFile { // JSON: only what it says counts
			got[f.name] = string(f.text)
		}
	}
	if want := map[string]string{"rules/a.rego": goodRego}; revision != "7" || !maps.Equal(got, want) {
		t.Errorf("taken with revision %q and %v", revision, got)
	}
	return true
}

var fuzzKey = sync.OnceValue(func() crypto.Signer {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return key
})

// FuzzBundle: whatever a tarball holds, it is what was signed, or it is refused.
func FuzzBundle(f *testing.F) {
	key := pairOf(f, fuzzKey())
	files := sound("7")
	signature := signedBy(f, key.private, "ES256", "SHA-256", nil, files...)
	f.Add(packed(f, append(files, signature)...))
	f.Add(packed(f, files...))
	f.Add(packed(f, append(files, signature, entry{name: "/x", text: "/etc", kind: tar.TypeSymlink})...))
	f.Add(packed(f))
	f.Add([]byte("\x1f\x8b"))
	f.Fuzz(func(t *testing.T, b []byte) { sameOrRefused(t, b, key.public) })
}

// Revisions are ordered as numbers or as times, and as nothing else.
func TestRevisions(t *testing.T) {
	for _, tc := range []struct {
		a, b string
		want int
		err  bool
	}{
		{"9", "10", -1, false}, {"10", "9", 1, false}, {"0", "0", 0, false}, {"9223372036854775807", "1", 1, false},
		{"2026-11-29T23:00:00Z", "2026-11-30T00:00:00Z", -1, false}, {"2026-11-29T23:00:00Z", "2026-11-30T00:00:00+01:00", 0, false},
		{"2026-11-29T23:00:00.5Z", "2026-11-29T23:00:00Z", 1, false},
		{"7", "2026-11-29T23:00:00Z", 0, true}, {"", "1", 0, true}, {"1", "abc", 0, true}, {"+1", "1", 0, true}, {"-1", "1", 0, true},
		{"01", "1", 0, true}, {"1.0.0", "1", 0, true}, {"9223372036854775808", "1", 0, true}, {"1 ", "1", 0, true}, {"0001-01-01T00:00:00Z", "1", 0, true},
	} {
		got, err := CompareRevisions(tc.a, tc.b)
		if got != tc.want || (err != nil) != tc.err {
			t.Errorf("%q, %q: %d, %v", tc.a, tc.b, got, err)
		}
	}
}
