package config

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

const (
	// maxDepth of brackets, braces, blocks and templates within each other.
	maxDepth = 100
	// maxOperators that are pending at once: each is a stack frame of the parser.
	maxOperators = 2000
	// maxExponent of a number, in powers of ten. Turning 1e10000000 into text
	// takes a minute.
	maxExponent = 308
)

// scan looks through src's tokens for what must not reach the parser. tokens
// counts over all files. The tokens come back for whoever wants them: all, those
// of a beginning, or none of what is no text.
func scan(src []byte, name string, tokens *int) (hclsyntax.Tokens, hcl.Diagnostics) {
	if at, what := textFault(src); what != "" {
		return nil, hcl.Diagnostics{refusal("Not plain text", what, rangeAt(src, name, at))}
	}
	list := lex(src, name, maxTokens-*tokens)
	if *tokens += len(list); *tokens > maxTokens {
		return list, hcl.Diagnostics{refusal("The workspace is too large", fmt.Sprintf("It has more than %d words and signs. Move tables of credentials into a CSV file and use for_each.", maxTokens), rangeAt(src, name, 0))}
	}
	var s scanner
	for i, tok := range list {
		if d := s.token(tok, i > 0 && list[i-1].Type == hclsyntax.TokenDot); d != nil {
			return list, hcl.Diagnostics{d}
		}
	}
	return list, nil
}

// lex gives the tokens of src, or those of a part of it that are more than
// allowed, or nested too deeply. A token takes a hundred times the room of the one
// byte that it may have, so that a large file is lexed in longer and longer parts.
func lex(src []byte, name string, allowed int) hclsyntax.Tokens {
	for at, n := 0, 0; ; {
		at = min(max(at*2, 1<<17), at+max(allowed-n, 0)+1<<16, len(src))
		list, _ := hclsyntax.LexConfig(src[:at], name, hcl.InitialPos) // the parser reports the lexer's findings
		if n = len(list); at == len(src) || n > allowed || tooDeep(list) {
			return list
		}
	}
}

// tooDeep reports whether nesting and operators alone are reason to refuse. Of what is not all of
// a file nothing else can be said: its end may be in the middle of anything.
func tooDeep(list hclsyntax.Tokens) bool {
	var s scanner
	for _, tok := range list {
		_ = s.token(tok, true) // what it finds is looked for in the whole file
		if len(s.levels) > maxDepth || s.pending > maxOperators {
			return true
		}
	}
	return false
}

// scanner counts what is open at a token.
type scanner struct {
	levels  []level
	pending int // operators on all levels together
}

// level is one open bracket, brace, template or string.
type level struct {
	brace     bool
	operators int
}

func (s *scanner) token(tok hclsyntax.Token, afterDot bool) *hcl.Diagnostic {
	switch tok.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
		hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		if tok.Type == hclsyntax.TokenTemplateControl || tok.Type == hclsyntax.TokenOBrack {
			s.operator() // %{ if } nests until its %{ endif }, x[…][…] binds to the left
		}
		s.levels = append(s.levels, level{brace: tok.Type == hclsyntax.TokenOBrace})
		if len(s.levels) > maxDepth {
			return refusal("Nested too deeply", fmt.Sprintf("More than %d brackets, braces, strings or blocks are open here. Split it with locals.", maxDepth), tok.Range)
		}
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen,
		hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
		if n := len(s.levels); n > 0 {
			s.pending -= s.levels[n-1].operators
			s.levels = s.levels[:n-1]
		}
	case hclsyntax.TokenComma:
		s.reset()
	case hclsyntax.TokenNewline:
		if n := len(s.levels); n == 0 || s.levels[n-1].brace {
			s.reset()
		}
	case hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPercent,
		hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
		hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq,
		hclsyntax.TokenQuestion, hclsyntax.TokenDot:
		s.operator()
	case hclsyntax.TokenNumberLit:
		if !afterDot && !reasonableNumber(tok.Bytes) {
			return refusal("The number is out of range", fmt.Sprintf("Numbers have at most 100 digits and an exponent of at most %d.", maxExponent), tok.Range)
		}
	case hclsyntax.TokenIdent:
		return asciiOnly(tok)
	}
	if s.pending > maxOperators {
		return refusal("Too many operators", fmt.Sprintf("This expression has more than %d operators. Split it with locals.", maxOperators), tok.Range)
	}
	return nil
}

// operator counts one on the innermost level; the file itself is a level too.
func (s *scanner) operator() {
	if len(s.levels) == 0 {
		s.levels = append(s.levels, level{brace: true})
	}
	s.levels[len(s.levels)-1].operators++
	s.pending++
}

func (s *scanner) reset() {
	if n := len(s.levels); n > 0 {
		s.pending -= s.levels[n-1].operators
		s.levels[n-1].operators = 0
	}
}

// reasonableNumber reports whether a literal is short and of modest size.
func reasonableNumber(lit []byte) bool {
	if len(lit) > 110 {
		return false
	}
	i := bytes.IndexAny(lit, "eE")
	if i < 0 {
		return true
	}
	n, err := strconv.Atoi(string(bytes.TrimPrefix(lit[i+1:], []byte("+"))))
	return err == nil && n <= maxExponent && n >= -maxExponent
}

// asciiOnly refuses identifiers with letters that look like others.
func asciiOnly(tok hclsyntax.Token) *hcl.Diagnostic {
	for i, r := range string(tok.Bytes) {
		if r < utf8.RuneSelf {
			continue
		}
		script := "a letter that is not ASCII"
		for _, s := range []string{"Cyrillic", "Greek", "Armenian", "Cherokee", "Latin"} {
			if unicode.Is(unicode.Scripts[s], r) {
				script = "a " + s + " letter"
			}
		}
		return refusal("A letter that could deceive", fmt.Sprintf("Character %d of this name, %U, is %s that may look like another one. Names are made of a-z, A-Z, 0-9, _ and -.",
			utf8.RuneCount(tok.Bytes[:i])+1, r, script), tok.Range)
	}
	return nil
}

func refusal(summary, detail string, r hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: summary, Detail: detail, Subject: &r}
}

// rangeAt is the place of one byte.
func rangeAt(src []byte, name string, at int) hcl.Range {
	line := bytes.Count(src[:at], []byte("\n")) + 1
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	p := hcl.Pos{Line: line, Column: utf8.RuneCount(src[start:at]) + 1, Byte: at}
	q := p
	if at < len(src) {
		q.Byte, q.Column = at+1, p.Column+1
	}
	return hcl.Range{Filename: name, Start: p, End: q}
}
