package config

import (
	"bytes"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/remint-dev/remint/engine/diag"
	"github.com/remint-dev/remint/engine/provider"
)

// Format is src in the language's own layout. It changes nothing but white
// space, refuses what cannot be parsed, and is idempotent. The registry tells what of it
// a fault may quote.
func Format(src []byte, filename string, registry *provider.Registry) ([]byte, diag.Diagnostics) {
	files := diag.Sources{filename: &hcl.File{Bytes: src}}
	if len(src) > maxFileSize {
		return nil, diag.Diagnostics{fault("The file is too large", "Files of more than 4 MB are not read.", hcl.Range{Filename: filename, Start: hcl.InitialPos, End: hcl.InitialPos}, nil)}
	}
	var tokens int
	list, found := scan(src, filename, &tokens)
	if list == nil { // it is no text, and not quoted
		return nil, diag.FromHCL(found, nil)
	}
	files[filename].Bytes = hidden(src, list, namesIn(registry))
	if !found.HasErrors() {
		_, found = hclsyntax.ParseConfig(src, filename, hcl.InitialPos)
	}
	if found.HasErrors() {
		return nil, diag.FromHCL(found, files)
	}
	out := hclwrite.Format(src)
	return append(bytes.TrimRight(out, "\n"), '\n'), nil
}
