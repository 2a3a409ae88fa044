package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/remint-dev/remint/engine/provider"
)

// paths resolves and confines paths. Directories are looked up once.
type paths struct {
	dir, real string
	resolved  map[string]string // directory to its real path
	// keep are what nothing may be written to or into: real path to what it is.
	keep map[string]string
}

func newPaths(dir string) *paths {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
	}
	return &paths{dir: dir, real: real, resolved: map[string]string{}, keep: map[string]string{}}
}

// fresh is p without what it has looked up, for another goroutine.
func (p *paths) fresh() *paths {
	return &paths{dir: p.dir, real: p.real, resolved: map[string]string{}, keep: p.keep}
}

// resolve makes a written path absolute. A relative one must stay inside the
// workspace, by its letters and by where symbolic links lead.
func (p *paths) resolve(written string) (provider.Path, error) {
	out := provider.Path{Written: written}
	switch {
	case written == "":
		return out, errors.New("must not be empty")
	case strings.IndexByte(written, 0) >= 0:
		return out, errors.New("must not contain a NUL character")
	case filepath.IsAbs(written):
		out.Absolute = filepath.Clean(written)
		return out, nil
	case !filepath.IsLocal(written):
		return out, fmt.Errorf("must stay inside the workspace, and %s leads out of it; write an absolute path if that is meant", quoted(written))
	}
	out.Absolute = filepath.Join(p.dir, written)
	if real := p.follow(out.Absolute); !within(real, p.real) {
		return out, fmt.Errorf("must stay inside the workspace, and a symbolic link leads %s out of it; write an absolute path if that is meant", quoted(written))
	}
	return out, nil
}

// protect keeps a path from being written to.
func (p *paths) protect(path, what string) {
	if path != "" {
		p.keep[p.follow(path)] = what
	}
}

// writable finds what speaks against writing to a path.
func (p *paths) writable(path provider.Path) error {
	real := p.follow(path.Absolute)
	for dir := real; ; dir = filepath.Dir(dir) {
		if what, kept := p.keep[dir]; kept {
			return fmt.Errorf("must not lead into %s, and %s does", what, quoted(path.Written))
		}
		switch base := strings.ToLower(filepath.Base(dir)); {
		case base == ".git" || base == ".remint":
			return fmt.Errorf("must not lead into %s, and %s does", base, quoted(path.Written))
		case dir == filepath.Dir(dir):
			return p.noSource(real, path.Written)
		}
	}
}

func (p *paths) noSource(real, written string) error {
	name := strings.ToLower(filepath.Base(real))
	if strings.HasSuffix(name, suffix) || strings.HasSuffix(name, varSuffix) {
		return fmt.Errorf("must not be a file of the workspace's own language, as %s is", quoted(written))
	}
	if real == p.real {
		return errors.New("must name a file, not the workspace itself")
	}
	return nil
}

// follow is the real path of what exists of path, with the rest appended.
func (p *paths) follow(path string) string {
	path = filepath.Clean(path)
	if target, err := os.Lstat(path); err == nil && target.Mode()&os.ModeSymlink != 0 {
		if real, err := filepath.EvalSymlinks(path); err == nil {
			return real
		}
		if to, err := os.Readlink(path); err == nil { // it dangles
			if !filepath.IsAbs(to) {
				to = filepath.Join(p.followDir(filepath.Dir(path), 0), to)
			}
			return p.followDir(to, 1)
		}
	}
	return filepath.Join(p.followDir(filepath.Dir(path), 0), filepath.Base(path))
}

// followDir is follow for a directory, remembered.
func (p *paths) followDir(dir string, depth int) string {
	if real, ok := p.resolved[dir]; ok {
		return real
	}
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		real = dir
		if parent := filepath.Dir(dir); parent != dir && depth < 255 {
			real = filepath.Join(p.followDir(parent, depth+1), filepath.Base(dir))
		}
	}
	p.resolved[dir] = real
	return real
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}
