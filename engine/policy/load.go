package policy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/remint-dev/remint/engine/diag"
)

// What a policy folder may hold at most.
const (
	maxFileSize  = 256 << 10
	maxTotalSize = 8 << 20
	maxFiles     = 1000
	maxEntries   = 10_000
)

// file is one Rego file as read. name is as the user would type it, path where it lies
// in its source.
type file struct {
	name, path string
	text       []byte
}

// texts are the sources by shown name, for snippets.
type texts map[string][]byte

// folder is what was read of one source.
type folder struct {
	source  Source
	modules []file
	tests   []file
	texts   texts
	// index is the source's place among all.
	index int
}

// load reads the Rego files of a source. Everything that is there and is not
// understood is a fault: a rule in a file that nobody reads would be no rule.
func load(src Source) (*folder, diag.Diagnostics) {
	f := &folder{source: src, texts: texts{}}
	var diags diag.Diagnostics
	entries, total := 0, 0
	refuse := func(name, format string, args ...any) {
		diags = append(diags, denied("Policy file refused", "Policy %q, file %s: %s", src.Name, f.shown(name), fmt.Sprintf(format, args...))...)
	}
	err := fs.WalkDir(src.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entries++; entries > maxEntries {
			return fmt.Errorf("it has more than %d entries", maxEntries)
		}
		what := classify(name, d)
		if src.Revision != "" && name == dataFile { // of a bundle that was verified: it is empty
			return nil
		}
		switch what.kind {
		case skip:
			if d.IsDir() && d.Name() == ".git" {
				return fs.SkipDir
			}
			return nil
		case refused:
			refuse(name, "%s", what.why)
			return nil
		}
		text, err := read(src.FS, name)
		if err != nil {
			refuse(name, "%v", err)
			return nil
		}
		if total += len(text); total > maxTotalSize || len(f.texts) >= maxFiles {
			return fmt.Errorf("it has more than %d files or %d MiB of Rego", maxFiles, maxTotalSize>>20)
		}
		one := file{name: f.shown(name), path: name, text: text}
		f.texts[one.name] = text
		if what.kind == test {
			f.tests = append(f.tests, one)
		} else {
			f.modules = append(f.modules, one)
		}
		return nil
	})
	if err != nil {
		diags = append(diags, denied("Policy folder cannot be read", "Policy %q: %v.", src.Name, cause(err))...)
	}
	sort.Slice(f.modules, func(i, j int) bool { return f.modules[i].name < f.modules[j].name })
	return f, diags
}

// Files are what is read of a source, by name: its Rego, as it is read; and of a signed
// bundle, whose every file its signer chose, all of it. What else lies in a folder, as
// .git and .env do, is not for anybody to keep or to hand on.
func Files(src Source) (map[string]string, diag.Diagnostics) {
	if src.Revision != "" {
		return signedFiles(src)
	}
	f, diags := load(src)
	if diags.HasErrors() {
		return nil, diags
	}
	files := map[string]string{}
	for _, one := range slices.Concat(f.modules, f.tests) {
		files[one.path] = string(one.text)
	}
	return files, nil
}

// signedFiles are the files of a bundle, which was bounded when it was opened.
func signedFiles(src Source) (map[string]string, diag.Diagnostics) {
	files := map[string]string{}
	err := fs.WalkDir(src.FS, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := fs.ReadFile(src.FS, name)
		files[name] = string(text)
		return err
	})
	if err != nil {
		return nil, denied("Policy bundle cannot be read", "Policy %q: %v.", src.Name, cause(err))
	}
	return files, nil
}

func (f *folder) shown(name string) string { return path.Join(f.source.Path, name) }

type kind int

const (
	skip kind = iota
	module
	test
	refused
)

type class struct {
	kind kind
	why  string
}

// hidden reports whether a path leads into a folder whose name begins with a dot.
func hidden(name string) bool {
	dir := path.Dir(name)
	return dir != "." && (strings.HasPrefix(dir, ".") || strings.Contains(dir, "/."))
}

// classify says what an entry of a policy folder is. In folders that are hidden, as tools
// make them, nothing is read: Rego there is refused, and all else is theirs.
func classify(name string, d fs.DirEntry) class {
	base := d.Name()
	lower := strings.ToLower(base)
	switch {
	case d.IsDir():
		return class{kind: skip}
	case hidden(name) && strings.HasSuffix(lower, ".rego"):
		return class{refused, "it lies in a folder whose name begins with a dot, where nothing is read; move it, or it would not be asked."}
	case hidden(name):
		return class{kind: skip}
	case !d.Type().IsRegular():
		return class{refused, "it is not a regular file. Links and devices are not followed; put the file itself here."}
	case strings.HasSuffix(lower, ".rego"):
		if strings.HasPrefix(base, ".") || !strings.HasSuffix(base, ".rego") {
			return class{refused, "Rego files are named NAME.rego, in lower case and without a dot in front; rename it, or it would not be asked."}
		}
		if strings.HasSuffix(base, "_test.rego") {
			return class{kind: test}
		}
		return class{kind: module}
	case strings.HasPrefix(base, "."), strings.HasSuffix(lower, ".md"):
		return class{kind: skip}
	case strings.HasSuffix(lower, ".json"), strings.HasSuffix(lower, ".yaml"), strings.HasSuffix(lower, ".yml"):
		return class{refused, "data files are not read. Write the data as a rule in a .rego file, as in `exempt := {\"a\", \"b\"}`."}
	default:
		return class{refused, "a policy folder holds .rego and .md files only; move it elsewhere."}
	}
}

// read reads one file that must be short UTF-8 text, with LF line ends.
func read(fsys fs.FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("it cannot be opened: %w", cause(err))
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, fmt.Errorf("it is not a regular file")
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("it cannot be read: %w", cause(err))
	case len(text) > maxFileSize:
		return nil, fmt.Errorf("it is larger than %d KiB; split it", maxFileSize>>10)
	case !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0:
		return nil, fmt.Errorf("it is not UTF-8 text")
	}
	return bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n")), nil
}

// cause strips the path off a file system's error; it is named already.
func cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}
