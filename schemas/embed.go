// Package schemas holds the JSON schemas of the documents that remint writes,
// generated from the Go types.
package schemas

import "embed"

// FS holds NAME.schema.json for plan, events, evidence-run, evidence-step,
// evidence-reset, evidence-approval, evidence-resolution and policy-input.
//
//go:embed *.schema.json
var FS embed.FS
