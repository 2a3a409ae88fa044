package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// The bounds on what is read. They stand before the parser, which overflows its
// stack on deep nesting, and keep a stranger's workspace from costing memory.
const (
	maxFileSize  = 4 << 20
	maxTotalSize = 16 << 20
	maxTokens    = 400_000 // in all files together: some 180 MB once they are parsed
)

// suffix is what a workspace's files end in.
const suffix = ".remint.hcl"

// readWorkspace reads and parses every *.remint.hcl of the directory. Bodies
// come in the order of file names.
func (l *loader) readWorkspace() []*hclsyntax.Body {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		l.diags = l.diags.Errorf("The workspace cannot be read", "The directory %s cannot be read: %s.", l.opts.Dir, cause(err))
		return nil
	}
	var names []string
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), suffix) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		l.diags = l.diags.Errorf("No workspace here", "The directory %s has no *%s file. `remint init` makes a workspace that runs; -chdir=DIR uses another directory.", l.opts.Dir, suffix)
		return nil
	}
	slices.Sort(names)
	var bodies []*hclsyntax.Body
	total := 0
	for _, name := range names {
		src, err := readCapped(filepath.Join(l.dir, name), maxFileSize)
		if err == nil && total+len(src) > maxTotalSize {
			err = fmt.Errorf("the workspace is larger than %d MB; move tables of credentials into a CSV file and use for_each", maxTotalSize>>20)
		}
		if err != nil {
			l.diags = append(l.diags, fault("A file cannot be used", fmt.Sprintf("%s: %s.", l.opts.Label+name, err), hcl.Range{Filename: l.opts.Label + name, Start: hcl.InitialPos, End: hcl.InitialPos}, l.files))
			continue
		}
		total += len(src)
		if body := l.parse(src, l.opts.Label+name); body != nil {
			bodies = append(bodies, body)
		}
	}
	return bodies
}

// parse scans, then parses one file. Nil when it cannot be parsed at all.
func (l *loader) parse(src []byte, name string) *hclsyntax.Body {
	if l.tokens > maxTokens { // said once already
		return nil
	}
	tokens, found := scan(src, name, &l.tokens)
	quoted := hidden(src, tokens, l.names)
	if tokens != nil { // what is no text is not quoted
		l.files[name] = &hcl.File{Bytes: quoted}
	}
	if len(found) > 0 {
		l.broken = true
		l.hcl(found)
		return nil
	}
	file, diags := hclsyntax.ParseConfig(src, name, hcl.InitialPos)
	if file == nil || file.Body == nil {
		l.hcl(diags)
		return nil
	}
	l.raw[name] = src
	l.files[name] = &hcl.File{Body: file.Body, Bytes: quoted, Nav: file.Nav}
	l.hcl(diags)
	body := file.Body.(*hclsyntax.Body)
	if diags.HasErrors() {
		l.broken = true // what is missing may be in what could not be read
	}
	l.guard(body)
	return body
}

// readCapped reads a regular file of at most limit bytes.
func readCapped(path string, limit int64) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, cause(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	if info.Size() > limit {
		return nil, fmt.Errorf("it has %d bytes, and more than %d MB are not read", info.Size(), limit>>20)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	src, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, cause(err)
	}
	if int64(len(src)) > limit {
		return nil, fmt.Errorf("it has more than %d MB", limit>>20)
	}
	return src, nil
}

// cause is the part of a file error that is not the path.
func cause(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// textFault finds what keeps src from being text, with its place.
func textFault(src []byte) (offset int, what string) {
	if bytes.HasPrefix(src, []byte("\xef\xbb\xbf")) {
		return 0, "The file begins with a byte order mark. Save it as UTF-8 without one."
	}
	if bytes.HasPrefix(src, []byte("\xff\xfe")) || bytes.HasPrefix(src, []byte("\xfe\xff")) {
		return 0, "The file is UTF-16. Save it as UTF-8."
	}
	if i := bytes.IndexByte(src, 0); i >= 0 {
		return i, "There is a NUL byte here. Remove it."
	}
	for i := 0; i < len(src); {
		if src[i] == '\r' && (i+1 == len(src) || src[i+1] != '\n') {
			return i, "There is a carriage return here that ends no line. Remove it, or end lines with a line feed."
		}
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			return i, "The bytes here are not UTF-8. Save the file as UTF-8."
		}
		i += n
	}
	return 0, ""
}
