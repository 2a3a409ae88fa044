package trust

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Authors gives the mail addresses of who wrote or committed what the workspace's
// folder has beyond a commit, as the commits up to HEAD say, sorted. What is not
// committed has no author that git knows.
func Authors(ctx context.Context, workspace, commit string) ([]string, error) {
	g := git{dir: workspace}
	// Without the full history, git leaves out a side that a merge made no difference to.
	text, err := g.line(ctx, "log", "--full-history", "--no-mailmap", "--no-show-signature", "--format=%ae%n%ce", commit+"..HEAD", "--", ".")
	if err != nil {
		return nil, fmt.Errorf("who changed the workspace since commit %.12s cannot be told: %w", commit, err)
	}
	out := strings.Split(text, "\n")
	slices.Sort(out)
	return slices.DeleteFunc(slices.Compact(out), func(s string) bool { return s == "" }), nil
}
