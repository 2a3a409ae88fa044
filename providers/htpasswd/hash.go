package htpasswd

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"

	"github.com/tg123/go-htpasswd"
	"golang.org/x/crypto/bcrypt"

	"github.com/remint-dev/remint/engine/provider"
)

// scheme is one way in which a password is stored.
type scheme struct {
	name string
	// shape is the whole field, strictly: what a server might read otherwise
	// is left undecided. Group 1 is the work to verify, group 2 the salt.
	shape   *regexp.Regexp
	matches func(hash, password string) bool
}

// Bounds on the work of one verification, of about a second.
const mostRounds = 1_000_000

// schemes are those that remint can verify: all that Apache's htpasswd writes,
// but the traditional crypt, which looks at eight characters.
func schemes() []scheme {
	const b64 = `[./0-9A-Za-z]`
	return []scheme{
		{"bcrypt", regexp.MustCompile(`^\$2[aby]\$(\d\d)\$(` + b64 + `{22})` + b64 + `{31}$`), func(hash, password string) bool {
			return bcrypt.CompareHashAndPassword([]byte(hash), []byte(password)) == nil
		}},
		{"apr1", regexp.MustCompile(`^\$(?:apr)?1\$()(` + b64 + `{1,8})\$` + b64 + `{22}$`), with(htpasswd.AcceptMd5)},
		{"sha256-crypt", regexp.MustCompile(`^\$5\$(?:rounds=(\d{4,9})\$)?(` + b64 + `{1,16})\$` + b64 + `{43}$`), with(htpasswd.AcceptCryptSha)},
		{"sha512-crypt", regexp.MustCompile(`^\$6\$(?:rounds=(\d{4,9})\$)?(` + b64 + `{1,16})\$` + b64 + `{86}$`), with(htpasswd.AcceptCryptSha)},
		{"sha1", regexp.MustCompile(`^\{SHA\}()()[+/0-9A-Za-z]{27}=$`), with(htpasswd.AcceptSha)},
		{"crypt", regexp.MustCompile(`^()(` + b64 + `{2})` + b64 + `{11}$`), nil},
	}
}

func with(parse htpasswd.PasswdParser) func(hash, password string) bool {
	return func(hash, password string) bool {
		p, err := parse(hash)
		return err == nil && p != nil && p.MatchesPassword(password)
	}
}

// entry is what a line's second field says.
type entry struct {
	hash   string
	scheme *scheme // nil: unknown, or locked
	work   int
	salt   string
}

func (s *site) parse(hash string) entry {
	for i := range s.known {
		if m := s.known[i].shape.FindStringSubmatch(hash); m != nil {
			work, _ := strconv.Atoi(m[1])
			return entry{hash: hash, scheme: &s.known[i], work: work, salt: m[2]}
		}
	}
	return entry{hash: hash}
}

// locked tells whether no password can match: there is none, or the field
// begins with a character that no scheme's does, as in /etc/shadow.
func (e entry) locked() bool { return e.hash == "" || e.hash[0] == '!' || e.hash[0] == '*' }

// doubt says why no password can be tried against the entry, if so.
func (e entry) doubt() string {
	switch {
	case e.locked():
		return ""
	case e.scheme == nil:
		return "the entry's hash is of a kind that remint cannot verify"
	case e.scheme.matches == nil:
		return "the entry's traditional crypt hash covers eight characters only, and remint does not verify it"
	case e.scheme.name == "bcrypt" && e.work > highestCost, e.work > mostRounds:
		return "verifying the entry's hash would take too long, for its cost is out of bounds"
	}
	return ""
}

// try compares one password with the entry.
func (e entry) try(password string) (provider.Verdict, string) {
	doubt := e.doubt()
	switch {
	case e.locked():
		return provider.Refused, "the entry is locked: no password matches it"
	case doubt != "":
		return provider.Unclear, doubt
	case strings.ContainsRune(password, 0):
		return provider.Unclear, "the password contains a NUL byte, at which servers stop reading"
	case e.scheme.matches(e.hash, password):
		return provider.Accepted, e.scheme.name + " hash matches"
	}
	return provider.Refused, e.scheme.name + " hash does not match"
}

// version names the entry by its random salt: stable, and of no use for
// guessing the password, as a digest of the whole hash would be.
func (e entry) version() string {
	switch {
	case e.scheme == nil:
		return "unknown"
	case e.salt == "":
		return e.scheme.name + "-unsalted"
	}
	sum := sha256.Sum256([]byte("remint htpasswd version " + e.salt))
	return e.scheme.name + "-" + hex.EncodeToString(sum[:8])
}

// hashOf stores password as Apache's `htpasswd -B` does.
func hashOf(password []byte, cost int) (string, error) {
	switch {
	case len(password) == 0:
		return "", provider.Errorf(provider.Permanent, "the new password is empty: issue one with the field `value`")
	case len(password) > longestPassword:
		return "", provider.Errorf(provider.Permanent, "the new password has %d bytes, and bcrypt looks at %d: issue a shorter one", len(password), longestPassword)
	case strings.ContainsRune(string(password), 0):
		return "", provider.Errorf(provider.Permanent, "the new password contains a NUL byte, at which servers stop reading: issue another")
	}
	h, err := bcrypt.GenerateFromPassword(password, cost)
	if err != nil {
		return "", provider.Errorf(provider.Permanent, "bcrypt cannot hash the new password at cost %d", cost)
	}
	// Go writes $2a$, Apache $2y$; for every password they mean the same.
	return "$2y$" + strings.TrimPrefix(string(h), "$2a$"), nil
}

// lock is a field that no password matches. It is random, so that it is no
// password either for programs that fall back to comparing plain text.
func lock() string { return "!" + rand.Text() }
