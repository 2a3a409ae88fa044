package config

import (
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"golang.org/x/mod/semver"
)

// checkVersion holds the program against a constraint like ">= 0.1.0, < 2".
func (l *loader) checkVersion(constraint string, at hclsyntax.Expression) {
	for _, part := range strings.Split(constraint, ",") {
		part = strings.TrimSpace(part)
		version := strings.TrimLeft(part, "=!<>~ ")
		op := strings.TrimSpace(strings.TrimSuffix(part, version))
		v := "v" + strings.TrimPrefix(version, "v")
		if !semver.IsValid(v) || op != "" && !slices.Contains([]string{"=", "!=", ">", ">=", "<", "<=", "~>"}, op) {
			l.fault(at.Range(), "Not a version constraint", "%s is none. Write one like \">= 0.1.0\" or \">= 0.1.0, < 2.0.0\"; the operators are = != > >= < <= ~>.", quoted(part))
			return
		}
		have := "v" + strings.TrimPrefix(l.opts.Version, "v")
		if !semver.IsValid(have) { // a build from source
			continue
		}
		if !satisfies(have, op, v, strings.Count(version, ".")) {
			l.fault(at.Range(), "Another version of remint is required", "This workspace requires %s, and this is remint %s. Use a version that fits.", addrsVisible(constraint), l.opts.Version)
			return
		}
	}
}

func satisfies(have, op, v string, dots int) bool {
	c := semver.Compare(have, v)
	switch op {
	case "!=":
		return c != 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case "~>": // the last number given may grow
		if dots < 2 {
			return c >= 0 && semver.Major(have) == semver.Major(v)
		}
		return c >= 0 && semver.MajorMinor(have) == semver.MajorMinor(v)
	}
	return c == 0
}
