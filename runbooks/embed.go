// Package runbooks holds the built-in runbooks, one per credential type.
package runbooks

import "embed"

// FS holds them as *.remint.hcl files, each named for the type that it resets.
//
//go:embed *.remint.hcl
var FS embed.FS
