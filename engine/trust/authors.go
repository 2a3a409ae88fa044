package trust

import (
	"context"
	"fmt"
	"net/mail"
	"slices"
	"strings"

	"github.com/remint-dev/remint/engine/addrs"
)

// Authorship is who wrote what a workspace has beyond its trust base, as commits say.
type Authorship struct {
	// By are mail addresses: of who wrote or committed a commit, and of whom it names as
	// Co-authored-by; and, of an address that a forge gives to hide one, the account's
	// name as identities are written. They are sorted.
	By []string
	// Unknown says why there may be others, "" where all are known.
	Unknown string
}

// byLines are the lines of a commit, in git's format, that name its authors.
const byLines = "%ae%n%ce%n%(trailers:key=Co-authored-by,valueonly)"

// Authors tells who wrote or committed what the workspace's folder has beyond a commit,
// up to HEAD. What is not committed has no author that git knows: whoever applies it is
// the operator.
func Authors(ctx context.Context, workspace, commit string) (Authorship, error) {
	g := git{dir: workspace}
	// Without the full history, git leaves out a side that a merge made no difference to.
	text, err := g.line(ctx, "log", "--full-history", "--no-mailmap", "--no-show-signature", "--format="+byLines, commit+"..HEAD", "--", ".")
	if err != nil {
		return Authorship{}, fmt.Errorf("who changed the workspace since commit %.12s cannot be told: %w", commit, err)
	}
	out := Authorship{By: addresses(strings.Split(text, "\n"))}
	if shallow, err := g.line(ctx, "rev-parse", "--is-shallow-repository"); err != nil || shallow != "false" {
		out.Unknown = shallowText
	}
	return out, nil
}

const shallowText = "the clone is shallow: it may lack commits of the change (git fetch --unshallow)"

// addresses takes the mail addresses out of lines, each once, sorted. A line that is
// none, as "Ann <ann@example.com>" in a trailer may be, counts as it stands.
func addresses(lines []string) []string {
	var out []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if a, err := mail.ParseAddress(line); err == nil && strings.HasSuffix(line, ">") {
			line = a.Address
		} else if _, rest, ok := strings.Cut(line, "<"); ok {
			line, _, _ = strings.Cut(rest, ">")
		}
		if line != "" {
			out = append(out, line)
		}
		if account := addrs.Account(line); account != "" {
			out = append(out, account)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
