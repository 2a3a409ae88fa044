package postgresql

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/remint-dev/remint/engine/provider"
)

// fenceSetting is the role's custom setting that holds the mark.
const fenceSetting = "remint.fence"

// noPassword is the version in the mark of a role whose password was removed.
const noPassword = "none"

// Fence writes the token into the mark, in a transaction as every change's: it waits
// for one that is going on, and is itself refused where a later holder has been there.
// An ALTER ROLE that alters nothing locks the role.
func (p *instance) Fence(ctx context.Context, m provider.Mutation) error {
	_, err := p.change(ctx, m, change{})
	return err
}

// mark is what remint leaves in fenceSetting of a role: the greatest fencing
// token seen, the version it set last, and the label of that change.
type mark struct {
	fence   int64
	version string
	label   string
}

// String is the setting's text: "FENCE VERSION LABEL".
func (m mark) String() string {
	return strings.TrimRight(fmt.Sprintf("%d %s %s", m.fence, m.version, m.label), " ")
}

// parseMark reads what String writes; a bare number is a fence. The empty text
// is no mark. ok is false for anything else: then nobody knows who was last.
func parseMark(text string) (m mark, ok bool) {
	if text == "" {
		return mark{}, true
	}
	number, rest, _ := strings.Cut(text, " ")
	fence, err := strconv.ParseInt(number, 10, 64)
	if err != nil || fence < 0 {
		return mark{}, false
	}
	version, label, _ := strings.Cut(rest, " ")
	return mark{fence: fence, version: version, label: label}, true
}

// plainLabel is label where it can stand in a mark as it is, else "".
func plainLabel(label string) string {
	for i := range len(label) {
		if c := label[i]; c < ' ' || c > '~' || c == '\'' || c == '\\' {
			return ""
		}
	}
	if len(label) > 200 {
		return ""
	}
	return label
}
