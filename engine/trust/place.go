package trust

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Place says where a trust base is: a directory, or a tree of the git repository
// that holds the workspace.
type Place struct {
	// Dir is the directory; "" for git.
	Dir string
	// Ref is a branch, tag or commit, and Path the folder in the repository; without
	// Path it is the workspace's own folder.
	Ref, Path string
	hasPath   bool
}

var refName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/@{}^~+-]*$`)

// ParsePlace reads what -trust was given.
func ParsePlace(s string) (Place, error) {
	rest, git := strings.CutPrefix(s, "git:")
	if !git {
		if s == "" {
			return Place{}, errors.New("it names nothing: write -trust=DIR or -trust=git:REF[:PATH]")
		}
		return Place{Dir: s}, nil
	}
	var p Place
	p.Ref, p.Path, p.hasPath = strings.Cut(rest, ":")
	if n := named(p.Ref); strings.EqualFold(n, "HEAD") || n == "@" || n == "" && strings.HasPrefix(p.Ref, "@{") {
		return Place{}, fmt.Errorf("%s is whatever is checked out here, so that the workspace would judge itself: name a protected branch, as in git:origin/main", p.Ref)
	}
	if !refName.MatchString(p.Ref) || strings.Contains(p.Ref, "..") {
		return Place{}, fmt.Errorf("%q is no name of a branch, tag or commit: write -trust=git:REF[:PATH], as in git:origin/main", p.Ref)
	}
	p.Path = strings.Trim(p.Path, "/")
	for _, part := range strings.Split(p.Path, "/") {
		if part == ".." || strings.ContainsRune(part, 0) {
			return Place{}, errors.New("its path leads out of the repository: write it from the repository's root")
		}
	}
	return p, nil
}

// String is the place as it was written.
func (p Place) String() string {
	if p.Dir != "" {
		return p.Dir
	}
	if p.hasPath {
		return "git:" + p.Ref + ":" + p.Path
	}
	return "git:" + p.Ref
}

// CheckPin finds fault with what REMINT_TRUST was set to.
func CheckPin(pin string) error {
	digits, ok := strings.CutPrefix(pin, "sha256:")
	if pin == "" || ok && len(digits) == 64 && strings.Trim(digits, "0123456789abcdef") == "" {
		return nil
	}
	return errors.New("it must be sha256: and 64 small hexadecimal digits, as `remint trust show` prints them; -trust says where the trust base is")
}
