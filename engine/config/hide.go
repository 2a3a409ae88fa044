package config

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/provider"
)

// secretNames are attributes whose literal values no diagnostic quotes, whatever
// block they stand in: a fault beside them, on the same line, would print them into
// the log of a CI. They are added to what the registry declares sensitive.
var secretNames = []string{"codes", "password", "secret", "secrets", "token", "url"}

// MayBeSecret reports whether an attribute has a name under which secrets are written,
// sensitive or not.
func MayBeSecret(name string) bool { return slices.Contains(secretNames, name) }

// sensitiveNames are the names of all sensitive attributes that there are.
func sensitiveNames(r *provider.Registry) []string {
	out := slices.Clone(secretNames)
	if r == nil {
		return out
	}
	add := func(s provider.Schema) {
		for _, a := range s.Attributes {
			if a.Sensitive && !slices.Contains(out, a.Name) {
				out = append(out, a.Name)
			}
		}
	}
	for _, n := range r.Providers() {
		add(r.Provider(n).Schema)
	}
	for _, n := range r.Types() {
		add(r.Type(n).Schema)
	}
	for _, n := range r.Stores() {
		add(r.Store(n).Schema)
	}
	for _, n := range r.Consumers() {
		add(r.Consumer(n).Schema)
	}
	for _, n := range r.Notifiers() {
		add(r.Notifier(n).Schema)
	}
	for _, n := range r.Verifiers() {
		add(r.Verifier(n).Schema)
	}
	return out
}

// hidden is src as diagnostics may quote it: of the same length, with stars for the
// literals that are given to one of names, and for defaults where the file declares
// sensitive variables. tokens are those of src; it need not parse.
func hidden(src []byte, tokens hclsyntax.Tokens, names []string) []byte {
	if declaresSensitive(tokens) {
		names = append(slices.Clone(names), "default")
	}
	var out []byte
	var giving bool // within the value of such an attribute
	depth := 0      // of brackets within it
	bare := false   // words are literals: the value has a quote that HCL does not know
	for i, tok := range tokens {
		if !giving {
			giving = (tok.Type == hclsyntax.TokenEqual || tok.Type == hclsyntax.TokenColon) && i > 0 && tokens[i-1].Type == hclsyntax.TokenIdent && slices.Contains(names, string(tokens[i-1].Bytes))
			depth, bare = 0, false
			continue
		}
		switch tok.Type {
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
			depth--
			giving = depth >= 0
		case hclsyntax.TokenNewline:
			giving = depth > 0
		case hclsyntax.TokenComment: // it holds the end of its line
			giving = depth > 0 || !bytes.HasSuffix(tok.Bytes, []byte("\n"))
		case hclsyntax.TokenApostrophe, hclsyntax.TokenBacktick:
			bare = true
		}
		if giving && (slices.Contains(literals, tok.Type) || bare && tok.Type == hclsyntax.TokenIdent) {
			out = stars(out, src, tok.Range.Start.Byte, tok.Range.End.Byte)
		}
	}
	if n := len(tokens); n > 0 { // what was not looked at is not quoted
		out = stars(out, src, tokens[n-1].Range.End.Byte, len(src))
	}
	if out == nil {
		return src
	}
	return out
}

// stars puts stars over a stretch of out, which is src's copy once it is needed.
func stars(out, src []byte, from, to int) []byte {
	if out == nil && from < to {
		out = bytes.Clone(src)
	}
	for at := from; at < min(to, len(out)); at++ {
		if out[at] != '\n' {
			out[at] = '*'
		}
	}
	return out
}

// literals are the tokens that a written value consists of.
var literals = []hclsyntax.TokenType{
	hclsyntax.TokenQuotedLit, hclsyntax.TokenStringLit, hclsyntax.TokenNumberLit, hclsyntax.TokenInvalid, hclsyntax.TokenBadUTF8,
}

// declaresSensitive looks for `sensitive = true`.
func declaresSensitive(tokens hclsyntax.Tokens) bool {
	for i := 2; i < len(tokens); i++ {
		if string(tokens[i-2].Bytes) == "sensitive" && tokens[i-1].Type == hclsyntax.TokenEqual && string(tokens[i].Bytes) == "true" {
			return true
		}
	}
	return false
}
