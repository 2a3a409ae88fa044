package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	slashpath "path"
	"path/filepath"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// reader is the function file: it reads text inside the workspace and nothing else.
type reader struct {
	root *os.Root
	real string // where root is, behind symbolic links
	seen map[string]string
	left int64
}

func newReader(dir string) (*reader, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return &reader{root: root, real: real, seen: map[string]string{}, left: maxBytes}, nil
}

func (r *reader) close() { _ = r.root.Close() }

func (r *reader) function() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			s, err := r.read(args[0].AsString())
			if err != nil {
				return cty.DynamicVal, function.NewArgError(0, err)
			}
			return cty.StringVal(s), nil
		},
	})
}

// read gives a file's text. A name is refused by what it is and by what it
// holds: private keys are not configuration.
func (r *reader) read(name string) (string, error) {
	if s, ok := r.seen[name]; ok {
		return s, nil
	}
	if err := readable(name); err != nil {
		return "", err
	}
	if real, err := filepath.EvalSymlinks(filepath.Join(r.real, filepath.FromSlash(name))); err == nil { // what a link hides counts as well
		if rel, err := filepath.Rel(r.real, real); err == nil && filepath.IsLocal(rel) {
			if err := readable(filepath.ToSlash(rel)); err != nil {
				return "", fmt.Errorf("%s leads to %s: %w", quoted(name), quoted(rel), err)
			}
		}
	}
	f, err := r.root.OpenFile(filepath.FromSlash(name), os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe must not block
	if err != nil {
		var errno syscall.Errno
		switch {
		case errors.Is(err, os.ErrNotExist):
			return "", fmt.Errorf("there is no file %s in the workspace", quoted(name))
		case errors.Is(err, os.ErrPermission):
			return "", fmt.Errorf("%s cannot be read: permission denied to the user remint runs as", quoted(name))
		case errors.As(err, &errno):
			return "", fmt.Errorf("%s cannot be read: %w", quoted(name), errno)
		}
		return "", fmt.Errorf("%s cannot be read: %w; it must be inside the workspace", quoted(name), cause(err))
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return "", fmt.Errorf("%s is not a regular file", quoted(name))
	}
	b, err := io.ReadAll(io.LimitReader(f, r.left+1))
	if err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", quoted(name), cause(err))
	}
	if r.left -= int64(len(b)); r.left < 0 {
		return "", fmt.Errorf("with %s the files that this workspace reads have more than %d MB", quoted(name), maxBytes>>20)
	}
	switch {
	case bytes.IndexByte(b, 0) >= 0 || !utf8.Valid(b):
		return "", fmt.Errorf("%s is not UTF-8 text", quoted(name))
	case bytes.Contains(b, []byte("PRIVATE KEY-----")) || bytes.Contains(b, []byte("AGE-SECRET-KEY-")) || bytes.Contains(b, []byte("PRIVATE+KEY+")):
		return "", fmt.Errorf("%s holds a private key, which is never read into configuration", quoted(name))
	}
	r.seen[name] = string(b)
	return r.seen[name], nil
}

// readable refuses names outside of the workspace, in .git, in .remint, and
// in folders of keys unless they end in .pub.
func readable(name string) error {
	if strings.IndexByte(name, 0) >= 0 || !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%s is not a relative path inside the workspace", quoted(name))
	}
	clean := slashpath.Clean(name)
	for _, part := range strings.Split(slashpath.Dir(clean)+"/"+slashpath.Base(clean), "/") {
		switch p := strings.ToLower(part); {
		case p == ".git" || p == ".remint":
			return fmt.Errorf("files in %s are not for configuration", part)
		case p == "keys" && !strings.HasSuffix(strings.ToLower(clean), ".pub"):
			return fmt.Errorf("of the files in %s only *.pub may be read", part)
		}
	}
	return nil
}
