package config

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/remint-dev/remint/engine/provider"
)

// secretNames are attributes whose values no diagnostic quotes, whatever block they
// stand in: a fault beside them, on the same line, would print them into the log of a
// CI. They are added to what the registry declares sensitive.
var secretNames = []string{"codes", "password", "secret", "secrets", "token", "url"}

// environments hold what programs are told, and so passwords among other things.
const environments = "env"

// MayBeSecret reports whether an attribute has a name under which secrets are written,
// sensitive or not.
func MayBeSecret(name string) bool { return slices.Contains(secretNames, name) }

// ownNames are the attributes and blocks that the language itself has; those of
// providers, stores and the like are in the registry. What is missing here is not
// quoted, and nothing else.
var ownNames = []string{
	// blocks
	"allow", "approval", "approvals", "approver", "assert", "break_glass", "consumer", "credential", "decision_log", "decisions", "evidence",
	"library", "locals", "mock", "notifier", "override", "parameters", "policy", "provider", "remint", "result", "retry", "run", "runbook",
	"seal", "signer", "state", "store", "validation", "variable", "verifier",
	// attributes
	"address", "addresses", "age", "algorithm", "all", "approved_by", "asserted", "attempts", "bound", "bundle", "claims", "condition", "controls",
	"default", "delay", "depends_on", "description", "directory", "enabled", "enforcement", "environment", "error_message", "exists",
	"expect_denied", "expect_errors", "fails", "fenced", "field", "final", "for_each", "group", "groups", "identities", "identity", "in_use_by",
	"issuer", "labels", "max_age", "max_expires", "max_targets", "methods", "mode", "new_accepted", "not_after", "notified", "notify", "now",
	"on_failure", "operator", "owner", "path", "proof", "public_key", "reason", "recipients", "reloaded", "requester", "required_version",
	"resets", "review_within", "revoked_at", "schema", "scope", "sensitive", "sessions", "sessions_ended", "stores_confirmed", "strength",
	"subject", "ticket", "timeout", "to", "trusted_root", "type", "unattended", "variables", "versions", "via", "when", "where",
}

// names say what of a file may be quoted.
type names struct {
	// secret are attributes whose values may not.
	secret []string
	// known are all attributes and blocks that there are: what is given to another name
	// may be anything, as when the name of a secret is misspelt.
	known []string
}

// namesIn are the names that there are with what a registry declares.
func namesIn(r *provider.Registry) names {
	n := names{secret: append(slices.Clone(secretNames), environments), known: append(slices.Clone(ownNames), secretNames...)}
	add := func(s provider.Schema) {
		for _, a := range s.Attributes {
			if a.Sensitive && !slices.Contains(n.secret, a.Name) {
				n.secret = append(n.secret, a.Name)
			}
			if !slices.Contains(n.known, a.Name) {
				n.known = append(n.known, a.Name)
			}
		}
	}
	if r == nil {
		return n
	}
	for _, name := range r.Providers() {
		add(r.Provider(name).Schema)
	}
	for _, name := range r.Types() {
		add(r.Type(name).Schema)
		add(r.Type(name).Issue.Schema)
	}
	for _, name := range r.Stores() {
		add(r.Store(name).Schema)
	}
	for _, name := range r.Consumers() {
		add(r.Consumer(name).Schema)
	}
	for _, name := range r.Notifiers() {
		add(r.Notifier(name).Schema)
	}
	for _, name := range r.Verifiers() {
		add(r.Verifier(name).Schema)
	}
	return n
}

// privateKeys are what no file of a workspace has a reason to hold, in whatever place:
// up to its end, or that of the file if there is none. Each begins with a word that is
// looked for quickly.
var privateKeys = []*regexp.Regexp{
	regexp.MustCompile(`(?s)----[- ]BEGIN[A-Z0-9 ]*PRIVATE KEY(?:.*?----[- ]END[A-Z0-9 ]*PRIVATE KEY[- ]*|.*)`),
	regexp.MustCompile(`AGE-(?:SECRET-KEY|PLUGIN)-[A-Z0-9-]+`),
	regexp.MustCompile(`age-(?:secret-key|plugin)-[a-z0-9-]+`),
}

// hidden is src as diagnostics may quote it: of the same length, with stars for what is
// given to a secret's or an unknown name, for defaults where the file declares sensitive
// variables, and for private keys. tokens are those of src; it need not parse.
func hidden(src []byte, tokens hclsyntax.Tokens, n names) []byte {
	if declaresSensitive(tokens) {
		n.secret = append(slices.Clone(n.secret), "default")
	}
	h := hider{src: src, tokens: tokens, names: n}
	h.run()
	for _, key := range privateKeys {
		for _, at := range key.FindAllIndex(src, -1) {
			h.stars(at[0], at[1])
		}
	}
	if n := len(tokens); n > 0 { // what was not looked at is not quoted
		h.stars(tokens[n-1].Range.End.Byte, len(src))
	}
	if h.out == nil {
		return src
	}
	return h.out
}

// hider goes over the tokens of a file, which may be broken anywhere.
type hider struct {
	names
	src    []byte
	tokens hclsyntax.Tokens
	out    []byte    // nil while it is src
	open   []bracket // what is open at a token
	giving bool      // within a value that is hidden
	within int       // what was open where that began
	ahead  bool      // more of it must come, on a further line if need be
	rest   bool      // its end was passed, and it may have been another one: to the end of the line
}

// bracket is what an open bracket holds.
type bracket byte

const (
	values  bracket = iota // of a list, a call, a template
	members                // of an object
	body                   // of a block
	free                   // of a block whose names are the user's own, or none of a secret's
)

func (h *hider) run() {
	begins := true // a statement, or a member of an object
	for i := 0; i < len(h.tokens); i++ {
		tok := h.tokens[i]
		if h.giving {
			if i = h.hide(i); !h.giving {
				begins = true
			}
			continue
		}
		if begins && tok.Type != hclsyntax.TokenNewline && tok.Type != hclsyntax.TokenComment {
			begins = false
			if next, block := h.statement(i); next > i {
				i, begins = next-1, block
				continue
			}
		}
		h.bracket(tok, members)
		switch tok.Type {
		case hclsyntax.TokenEqual, hclsyntax.TokenColon:
			if h.given(i) {
				h.give(true)
			}
		case hclsyntax.TokenNewline: // a bracket before may have no end
			begins = true
		case hclsyntax.TokenComma, hclsyntax.TokenOBrace, hclsyntax.TokenCBrace:
			begins = h.inside() != values
		case hclsyntax.TokenComment:
			begins = begins || endsLine(tok)
		}
	}
}

// inside is what the innermost open bracket holds; the file itself is a body.
func (h *hider) inside() bracket {
	if n := len(h.open); n > 0 {
		return h.open[n-1]
	}
	return body
}

// bracket opens or closes one; a brace holds what brace says.
func (h *hider) bracket(tok hclsyntax.Token, brace bracket) {
	switch tok.Type {
	case hclsyntax.TokenOBrace:
		h.open = append(h.open, brace)
	case hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		h.open = append(h.open, values)
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		h.open = h.open[:max(len(h.open)-1, 0)]
	}
}

// statement looks at what begins with the token at i: an attribute, a block, or what was
// meant to be one. It gives the token to go on with, and whether a block begins there.
func (h *hider) statement(i int) (next int, block bool) {
	words, first, end := []string(nil), i, i
	for ; end < len(h.tokens) && slices.Contains(header, h.tokens[end].Type); end++ {
		if t := h.tokens[end]; t.Type == hclsyntax.TokenIdent || t.Type == hclsyntax.TokenQuotedLit {
			if words = append(words, string(t.Bytes)); len(words) == 1 {
				first = end + 1
			}
		}
	}
	if len(words) == 0 || end == len(h.tokens) {
		return i, false
	}
	secret := slices.ContainsFunc(words, func(w string) bool { return slices.Contains(h.secret, w) })
	unknown := h.inside() == body && !slices.Contains(h.known, words[0])
	switch t := h.tokens[end]; {
	case t.Type == hclsyntax.TokenOBrace && h.inside() != members: // a block
		if !slices.Contains(h.secret, words[0]) {
			holds := body
			if words[0] == "locals" || words[0] == "parameters" {
				holds = free
			}
			h.bracket(t, holds)
			return end + 1, true
		}
		h.give(false)
		return end, false
	case t.Type == hclsyntax.TokenEqual || t.Type == hclsyntax.TokenColon && !dotted(h.tokens, end):
		if secret || unknown {
			if len(words) > 1 && h.tokens[first].Type != hclsyntax.TokenDot { // a value stands before it as well
				h.give(false)
				return first, false
			}
			h.give(true)
			return end + 1, false
		}
	case slices.Contains(h.secret, words[0]) || unknown: // nothing gives the value to it
		h.give(false)
		return first, false
	}
	return i, false
}

// header are the tokens of which names and labels consist.
var header = []hclsyntax.TokenType{
	hclsyntax.TokenIdent, hclsyntax.TokenOQuote, hclsyntax.TokenQuotedLit, hclsyntax.TokenCQuote, hclsyntax.TokenDot,
	hclsyntax.TokenOParen, hclsyntax.TokenCParen,
}

// given reports whether the equals sign or colon at i gives a value to a secret's name,
// wherever it stands.
func (h *hider) given(i int) bool {
	if i == 0 || h.tokens[i].Type == hclsyntax.TokenColon && dotted(h.tokens, i) { // of a conditional
		return false
	}
	t := h.tokens[i-1]
	return t.Type == hclsyntax.TokenIdent && slices.Contains(h.secret, string(t.Bytes))
}

// dotted reports whether what stands before the token at i is the end of a path.
func dotted(tokens hclsyntax.Tokens, i int) bool {
	return i > 1 && tokens[i-1].Type == hclsyntax.TokenIdent && tokens[i-2].Type == hclsyntax.TokenDot
}

// give begins a value that is hidden; ahead is whether any must come.
func (h *hider) give(ahead bool) {
	h.giving, h.within, h.ahead, h.rest = true, len(h.open), ahead, false
}

// hide puts stars over the token at i of such a value, and finds its end: that of the
// line, where nothing is open. It gives the last token that it looked at.
func (h *hider) hide(i int) int {
	tok := h.tokens[i]
	h.bracket(tok, members)
	h.rest = h.rest || len(h.open) < h.within
	joined := i > 0 && h.tokens[i-1].Range.End.Byte == tok.Range.Start.Byte
	switch {
	case tok.Type == hclsyntax.TokenNewline, endsLine(tok):
		h.ahead = h.ahead && (!joined || !endsLine(tok)) // a//b is a value to who wrote it
		h.giving = h.ahead || !h.rest && len(h.open) > h.within
	default:
		h.ahead = slices.Contains(onward, tok.Type)
	}
	if n := reference(h.tokens[i:]); n > 0 && (!joined || slices.Contains(signs, h.tokens[i-1].Type)) {
		return i + n - 1
	}
	if !slices.Contains(signs, tok.Type) {
		h.stars(tok.Range.Start.Byte, tok.Range.End.Byte)
	}
	return i
}

// endsLine reports whether a token is a comment that holds the end of its line.
func endsLine(tok hclsyntax.Token) bool {
	return tok.Type == hclsyntax.TokenComment && bytes.HasSuffix(tok.Bytes, []byte("\n"))
}

// onward are tokens that no value ends with.
var onward = []hclsyntax.TokenType{
	hclsyntax.TokenEqual, hclsyntax.TokenColon, hclsyntax.TokenEqualOp, hclsyntax.TokenPlus, hclsyntax.TokenQuestion,
}

// signs are what is shown of a hidden value: they say how it is made up.
var signs = []hclsyntax.TokenType{
	hclsyntax.TokenOBrace, hclsyntax.TokenCBrace, hclsyntax.TokenOBrack, hclsyntax.TokenCBrack, hclsyntax.TokenOParen, hclsyntax.TokenCParen,
	hclsyntax.TokenOQuote, hclsyntax.TokenCQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenCHeredoc,
	hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl, hclsyntax.TokenTemplateSeqEnd, hclsyntax.TokenComma, hclsyntax.TokenNewline,
}

// reference is how many tokens of a beginning only say where a value is: var.admin_url.
func reference(tokens hclsyntax.Tokens) int {
	if len(tokens) < 3 || tokens[0].Type != hclsyntax.TokenIdent || !slices.Contains([]string{"var", "local", "each", "issue"}, string(tokens[0].Bytes)) {
		return 0
	}
	n := 1
	for n+1 < len(tokens) && tokens[n].Type == hclsyntax.TokenDot && tokens[n+1].Type == hclsyntax.TokenIdent {
		n += 2
	}
	if n == 1 {
		return 0
	}
	return n
}

// stars puts stars over a stretch of out.
func (h *hider) stars(from, to int) {
	if h.out == nil && from < to {
		h.out = bytes.Clone(h.src)
	}
	for at := from; at < min(to, len(h.out)); at++ {
		if h.out[at] != '\n' {
			h.out[at] = '*'
		}
	}
}

// declaresSensitive looks for `sensitive = true`, and for whatever else is not false.
func declaresSensitive(tokens hclsyntax.Tokens) bool {
	for i, tok := range tokens {
		if string(tok.Bytes) != "sensitive" || tok.Type != hclsyntax.TokenIdent && tok.Type != hclsyntax.TokenQuotedLit {
			continue
		}
		i++
		for i < len(tokens) && slices.Contains([]hclsyntax.TokenType{hclsyntax.TokenCQuote, hclsyntax.TokenEqual, hclsyntax.TokenColon}, tokens[i].Type) {
			i++
		}
		if i == len(tokens) || string(tokens[i].Bytes) != "false" {
			return true
		}
	}
	return false
}
