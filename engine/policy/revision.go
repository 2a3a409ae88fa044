package policy

import (
	"cmp"
	"fmt"
	"strconv"
	"time"
)

// OPA's revisions are opaque. Here one must never go back, so it needs an order: a
// revision is a decimal number without zeros in front, or a time (RFC 3339). What is
// neither, such as the id of a commit, is refused.

const revisionForms = "a number such as 42, or a time such as 2026-11-29T23:00:00Z"

// revision is one that was understood; at is zero for a number.
type revision struct {
	n  uint64
	at time.Time
}

func parseRevision(s string) (revision, error) {
	if n, err := strconv.ParseUint(s, 10, 63); err == nil && strconv.FormatUint(n, 10) == s {
		return revision{n: n}, nil
	}
	if at, err := time.Parse(time.RFC3339, s); err == nil && at.Year() > 1 {
		return revision{at: at}, nil
	}
	if s == "" {
		return revision{}, fmt.Errorf("it has no revision; it must be %s", revisionForms)
	}
	return revision{}, fmt.Errorf("its revision %.100q has no order; it must be %s", s, revisionForms)
}

// CheckRevision refuses what has no order.
func CheckRevision(s string) error {
	_, err := parseRevision(s)
	return err
}

// CompareRevisions is negative when a is before b, zero when they are equal. A number
// and a time cannot be compared.
func CompareRevisions(a, b string) (int, error) {
	x, err := parseRevision(a)
	if err != nil {
		return 0, err
	}
	y, err := parseRevision(b)
	if err != nil {
		return 0, err
	}
	if x.at.IsZero() != y.at.IsZero() {
		return 0, fmt.Errorf("one of the revisions %s and %s is a number and the other a time; keep to one form", a, b)
	}
	return cmp.Or(cmp.Compare(x.n, y.n), x.at.Compare(y.at)), nil
}
