package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"unicode/utf8"
)

// What a bundle may hold at most; maxTotalSize bounds all of it, unpacked.
const (
	maxBundleFile    = 1 << 20
	maxBundleEntries = maxFiles + 10
)

// contents gathers the files of a bundle.
type contents struct {
	files   []file
	seen    map[string]bool
	entries int
	total   int64
}

// unpack reads a tarball or a folder. What it gives is not verified: only names,
// sizes, and that it is text.
func unpack(place string) ([]file, error) {
	info, err := os.Stat(place)
	if err != nil {
		return nil, fmt.Errorf("it cannot be read: %w", cause(err))
	}
	c := &contents{seen: map[string]bool{}}
	switch {
	case info.IsDir():
		err = c.folder(place)
	case info.Mode().IsRegular():
		err = c.tarball(place)
	default:
		err = errors.New("it is neither a folder nor a tarball")
	}
	return c.files, err
}

func (c *contents) folder(place string) error {
	root, err := os.OpenRoot(place)
	if err != nil {
		return cause(err)
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%s cannot be read: %w", name, cause(err))
		case d.IsDir():
			return c.count()
		case !d.Type().IsRegular():
			return fmt.Errorf("%s is not a regular file", name)
		}
		f, err := root.Open(name)
		if err != nil {
			return fmt.Errorf("%s cannot be read: %w", name, cause(err))
		}
		defer f.Close()
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file", name)
		}
		return c.add(name, f)
	})
}

func (c *contents) tarball(place string) error {
	f, err := os.Open(place)
	if err != nil {
		return fmt.Errorf("it cannot be opened: %w", cause(err))
	}
	defer f.Close()
	return c.archive(io.LimitReader(f, maxTotalSize+1))
}

// archive reads a compressed tarball to its very end, where the checksum stands.
func (c *contents) archive(r io.Reader) error {
	const no = "it is no tarball that can be read: %w"
	gz, err := gzip.NewReader(r)
	if err != nil {
		return fmt.Errorf(no, err)
	}
	const padding = 1024 * maxBundleEntries // headers, and what fills blocks up
	plain := &io.LimitedReader{R: gz, N: maxTotalSize + padding}
	for t := tar.NewReader(plain); ; {
		head, err := t.Next()
		switch {
		case plain.N <= 0:
			return errTooLarge
		case errors.Is(err, io.EOF):
			if _, err := io.Copy(io.Discard, plain); err != nil {
				return fmt.Errorf(no, err)
			}
			if plain.N <= 0 {
				return errTooLarge
			}
			return nil
		case err != nil:
			return fmt.Errorf(no, err)
		case head.Typeflag == tar.TypeDir:
			err = c.count()
		case head.Typeflag == tar.TypeReg:
			err = c.add(strings.TrimPrefix(head.Name, "/"), t)
		default:
			err = fmt.Errorf("%.200q in it is not a regular file", head.Name)
		}
		if err != nil && plain.N <= 0 {
			return errTooLarge
		}
		if err != nil {
			return err
		}
	}
}

var errTooLarge = fmt.Errorf("it holds more than %d files or %d MiB", maxFiles, maxTotalSize>>20)

func (c *contents) count() error {
	if c.entries++; c.entries > maxBundleEntries {
		return errTooLarge
	}
	return nil
}

// add takes one file. Two files of one name, or a name that leads elsewhere, could
// mean one thing to who verifies and another to who reads.
func (c *contents) add(name string, r io.Reader) error {
	if err := c.count(); err != nil {
		return err
	}
	const longest = 1024
	if len(name) > longest {
		return fmt.Errorf("it has a file whose name has %d bytes; the longest that is read is %d", len(name), longest)
	}
	name = path.Clean(name)
	switch {
	case !fs.ValidPath(name) || name == "." || strings.ContainsAny(name, "\\\x00"):
		return fmt.Errorf("it has a file of the name %q, which is none", name)
	case c.seen[name]:
		return fmt.Errorf("it has two files of the name %s", name)
	}
	if why := unwanted(name); why != "" {
		return fmt.Errorf("%s: %s", name, why)
	}
	text, err := io.ReadAll(io.LimitReader(r, maxBundleFile+1))
	switch c.total += int64(len(text)); {
	case err != nil:
		return fmt.Errorf("%s cannot be read: %w", name, cause(err))
	case len(text) > maxBundleFile:
		return fmt.Errorf("%s is larger than %d KiB", name, maxBundleFile>>10)
	case c.total > maxTotalSize:
		return errTooLarge
	case !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0:
		return fmt.Errorf("%s is not UTF-8 text", name)
	}
	c.seen[name] = true
	c.files = append(c.files, file{name: name, text: text})
	return nil
}

// unwanted says why a file of OPA's format is not taken; "" if it may be.
func unwanted(name string) string {
	switch base := path.Base(name); {
	case strings.HasSuffix(base, ".wasm"), base == "plan.json", base == "plan.pb":
		return "compiled policies are not asked, since nobody can read them; build the bundle with `opa build -t rego`"
	case base == "patch.json":
		return "a delta bundle cannot be signed; build a whole one"
	case base == ".manifest.pb":
		return "the manifest must be JSON, in .manifest"
	case base == "data.yaml", base == "data.yml", base == "data.json" && name != base:
		return notData
	}
	return ""
}

const notData = "data is not read; write it as a rule in a .rego file, as in `exempt := {\"a\", \"b\"}`"
