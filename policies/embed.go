// Package policies is the built-in policy library: Rego that every plan,
// approval and result is judged by, beside a workspace's own.
package policies

import "embed"

// FS holds the Rego that is asked. Its tests stand beside it and are not in it.
//
//go:embed plan.rego result.rego finding.rego
var FS embed.FS
