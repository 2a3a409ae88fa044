package trust

import (
	"strings"
	"testing"
)

// FuzzParsePlace: whatever -trust is given, it is refused, or names something that is
// not what is checked out, inside of the repository, and reads the same again.
func FuzzParsePlace(f *testing.F) {
	for _, s := range []string{"", "base", "git:", "git:origin/main", "git:v1.0:deploy/prod", "git:HEAD", "git:@", "git:head~1", "git:@{u}", "git:-x", "git:a..b", "git:a:../b", "git:a:b/../../c", "git:a:\x00", "git:a:/", "git:a b", "git:refs/heads/HEAD", "git:main@{1}:x"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := ParsePlace(s)
		if err != nil {
			return
		}
		again, err := ParsePlace(p.String())
		if err != nil || again != p {
			t.Errorf("%q is %+v, and read again %+v, %v", s, p, again, err)
		}
		if p.Dir != "" {
			return
		}
		if p.Ref == "" || strings.HasPrefix(p.Ref, "-") || strings.EqualFold(p.Ref, "HEAD") || strings.ContainsAny(p.Ref, " :\x00\n") {
			t.Errorf("%q was taken for a name of git's", p.Ref)
		}
		for _, part := range strings.Split(p.Path, "/") {
			if part == ".." {
				t.Errorf("%q leads out", p.Path)
			}
		}
	})
}
