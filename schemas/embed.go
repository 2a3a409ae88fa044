// Package schemas holds the JSON schemas of the documents that remint writes,
// generated from the Go types.
package schemas

import "embed"

// FS holds NAME.schema.json for plan, events, evidence-run, evidence-step,
// evidence-reset, evidence-approval, evidence-resolution, verification,
// policy-input and decision.
//
//go:embed *.schema.json
var FS embed.FS
