// Package policies is the built-in policy library: Rego that every plan,
// approval and result is judged by, beside a workspace's own. library.json says
// which groups and parameters there are, catalogues what published controls
// the rules speak of.
package policies

import "embed"

// FS holds the Rego that is asked. Its tests stand beside it and are not in it.
//
//go:embed library.json catalogues/*.json
//go:embed lib/credentials.rego lib/finding.rego lib/proof.rego
//go:embed baseline/plan.rego baseline/reach.rego baseline/result.rego
//go:embed production/plan.rego production/approval.rego production/result.rego production/verification.rego
//go:embed production/isolation.rego production/machine.rego production/privilege.rego production/third_party.rego
//go:embed human/plan.rego
//go:embed privileged/plan.rego privileged/result.rego
//go:embed incident/plan.rego incident/result.rego
var FS embed.FS
