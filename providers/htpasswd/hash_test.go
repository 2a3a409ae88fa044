package htpasswd

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remint-dev/remint/engine/provider"
)

// TestProbeReadsWhatApacheWrites compares with Apache's own program, whatever
// the format.
func TestProbeReadsWhatApacheWrites(t *testing.T) {
	long := strings.Repeat("0123456789abcdef", 8) // bcrypt looks at 72 bytes
	for flag, exact := range map[string]bool{"-m": true, "-2": true, "-5": true, "-s": true, "-B": true, "-d": false} {
		for _, right := range []string{"secret-password", "pässwörd: with ünicode", "x", long} {
			if flag == "-d" && right == long {
				continue // refused by Apache's program
			}
			path := filepath.Join(t.TempDir(), "f")
			apache(t, "-cb", flag, path, "bob", right)
			s := opened(t, path)
			for _, tried := range []string{right, right + "!", "", "another-password"} {
				want := provider.Unclear
				if exact {
					want = provider.Refused
					if verifies(t, path, "bob", tried) {
						want = provider.Accepted
					}
				}
				if p := probe(t, s, "bob", tried); p.Verdict != want {
					t.Errorf("htpasswd %s: probe of %q is %s (%s), want %s", flag, tried, p.Verdict, p.Detail, want)
				}
			}
		}
	}
}

func TestHashesThatProveNothing(t *testing.T) {
	const good = "$2y$05$Da4IkuebmZBmeEY5SUdxC.M1nuTHRWJG8nklut.5rZXupYXIRBrqq" // pw
	for name, c := range map[string]struct {
		lines, password string
		want            provider.Verdict
	}{
		"plain text":                  {"bob:pw", "pw", provider.Unclear},
		"yescrypt":                    {"bob:$y$j9T$abc$def", "pw", provider.Unclear},
		"salt beyond apr1's":          {"bob:$apr1$123456789$IoXHpvt6orBztUhXvDq320", "pw", provider.Unclear},
		"bcrypt of 17 hours":          {"bob:$2y$31" + good[6:], "pw", provider.Unclear},
		"sha-crypt of hours":          {"bob:$5$rounds=999999999$salt$" + strings.Repeat("x", 43), "pw", provider.Unclear},
		"cut bcrypt":                  {"bob:" + good[:50], "pw", provider.Unclear},
		"NUL in the password":         {"bob:" + good, "pw\x00x", provider.Unclear},
		"locked":                      {"bob:!", "!", provider.Refused},
		"locked with a star":          {"bob:*", "*", provider.Refused},
		"no hash":                     {"bob:", "", provider.Refused},
		"no such user":                {"alice:" + good, "pw", provider.Refused},
		"first line counts":           {"bob:" + good + "\nbob:!", "pw", provider.Accepted},
		"a later line would accept":   {"bob:!\nbob:" + good, "pw", provider.Unclear},
		"a later line cannot be read": {"bob:!\nbob:plain", "pw", provider.Unclear},
		"all lines refuse":            {"bob:!\nbob:" + good, "other", provider.Refused},
		"indented, as Apache reads":   {"  bob:" + good + "  ", "pw", provider.Accepted},
		"further fields":              {"bob:" + good + ":Bob B.", "pw", provider.Accepted},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "f")
			write(t, path, c.lines+"\n")
			if p := probe(t, opened(t, path), "bob", c.password); p.Verdict != c.want {
				t.Errorf("%s (%s), want %s", p.Verdict, p.Detail, c.want)
			}
		})
	}
}

// TestRevokedEntryIsNoPassword tries the locked field itself, as a program
// that falls back to plain text would.
func TestRevokedEntryIsNoPassword(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	apache(t, "-cbB", path, "bob", "the-old-password")
	s := opened(t, path)
	for range 2 {
		if _, err := s.Revoke(context.Background(), provider.Mutation{Credential: user("bob")}, nil); err != nil {
			t.Fatal(err)
		}
	}
	locked := hashIn(t, path, "bob")
	if len(locked) < 20 {
		t.Errorf("the locked field %q could be guessed where plain text is accepted", locked)
	}
	for _, tried := range []string{"the-old-password", locked, "!", ""} {
		if verifies(t, path, "bob", tried) {
			t.Errorf("Apache accepts %q", tried)
		}
	}
	apache(t, "-bB", path, "bob", "set-by-apache")
	if !verifies(t, path, "bob", "set-by-apache") {
		t.Error("Apache's own program cannot set a password on a locked entry")
	}
}

func TestVersionsNameTheSaltOnly(t *testing.T) {
	s := &site{known: schemes()}
	version := func(hash string) string { return s.parse(hash).version() }
	const salt = "$2y$05$Da4IkuebmZBmeEY5SUdxC."
	one, two := version(salt+strings.Repeat("a", 31)), version(salt+strings.Repeat("b", 31))
	if one != two || one == "unknown" {
		t.Errorf("the version depends on more than the salt: %q, %q", one, two)
	}
	if v := version("plain-text-password"); v != "unknown" {
		t.Errorf("a field of unknown kind, which may be the password itself, shows in the version %q", v)
	}
	if a, b := version("{SHA}GpHWL3ymc5liWkNopqtdSjuqYHM="), version("{SHA}XpHWL3ymc5liWkNopqtdSjuqYHM="); a != b {
		t.Errorf("an unsalted hash shows in its version: %q, %q", a, b)
	}
}

func TestSetRefusesWhatBcryptCannotHold(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	write(t, path, others)
	s := opened(t, path)
	for name, secret := range map[string]string{"empty": "", "73 bytes": strings.Repeat("x", 73), "NUL": "abc\x00defghijk"} {
		_, err := s.Set(context.Background(), provider.Mutation{Credential: user("bob")}, password(secret))
		if provider.ClassOf(err, "") != provider.Permanent || secret != "" && strings.Contains(err.Error(), secret) {
			t.Errorf("%s: error %v, want a permanent one without the secret", name, err)
		}
	}
	for _, name := range []string{"", "a:b", "a\nb", "#a", " a", "a ", "a\x00", strings.Repeat("x", 256)} {
		_, err := s.Set(context.Background(), provider.Mutation{Credential: user(name)}, password("the-new-password"))
		if provider.ClassOf(err, "") != provider.Permanent {
			t.Errorf("user %q: error %v, want a permanent one", name, err)
		}
	}
	if got := content(t, path); got != others {
		t.Errorf("the file changed: %q", got)
	}
}

// FuzzHash: whatever a line's second field holds, a password is tried against it
// or there is doubt; nothing that costs more than about a second is tried.
func FuzzHash(f *testing.F) {
	for _, seed := range []string{
		"$2y$05$Da4IkuebmZBmeEY5SUdxC.M1nuTHRWJG8nklut.5rZXupYXIRBrqq", "$apr1$abc$gdBvEvV1Y6vwiPXh5r6rB0", "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
		"$5$rounds=1000$salt$Ux.Xc6sjAFFIoL3W9QX5HkyIfOdwiYoL0GbOVOlQMp.", "$5$rounds=999999999$s$" + strings.Repeat("a", 43), "ab01FAX.bQRSU", "", "!x", "*", "$2y$31$" + strings.Repeat("a", 53),
	} {
		f.Add(seed, "pw")
	}
	s := &site{known: schemes()}
	f.Fuzz(func(t *testing.T, hash, password string) {
		e := s.parse(hash)
		if e.scheme != nil && e.scheme.name == "bcrypt" && e.work > 6 || e.work > 5000 {
			return // slow, and nothing new
		}
		verdict, why := e.try(password)
		if verdict == provider.Accepted && (e.locked() || e.doubt() != "") || why == "" {
			t.Errorf("%q: %v, %q", hash, verdict, why)
		}
		if v := e.version(); v == "" || strings.Contains(v, hash) && len(hash) > 20 {
			t.Errorf("%q has version %q", hash, v)
		}
	})
}
