package policy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing/fstest"
)

// Library is a folder of Rego in groups, with parameters: what is chosen and
// set in configuration becomes one Source. It is described by library.json in
// its root; a group is the folder of its name, and `lib` is part of all.
type Library struct {
	fsys       fs.FS
	Groups     []Group
	Parameters []Parameter
}

// Group is a part of a library that can be chosen.
type Group struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	// Always is asked whether chosen or not; Default when nothing is chosen.
	Always  bool `json:"always"`
	Default bool `json:"default"`
}

// The files of a library that are not a group's.
const (
	libraryIndex  = "library.json"
	libraryCommon = "lib"
	// parametersFile does not exist in the folder: it is written from what is set.
	parametersFile = "parameters.rego"
)

// OpenLibrary reads a library's description. An error is a defect of the
// library, not of its user.
func OpenLibrary(fsys fs.FS) (*Library, error) {
	raw, err := fs.ReadFile(fsys, libraryIndex)
	if err != nil {
		return nil, err
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	dec.UseNumber()
	l := &Library{fsys: fsys}
	if err := dec.Decode(l); err != nil {
		return nil, fmt.Errorf("%s: %w", libraryIndex, err)
	}
	for _, p := range l.Parameters {
		if _, known := forms[p.Form]; !known {
			return nil, fmt.Errorf("%s: the parameter %s has the form %q, which this program does not know", libraryIndex, p.Name, p.Form)
		}
	}
	return l, nil
}

// Defaults names the groups that are asked when none is chosen.
func (l *Library) Defaults() []string {
	var out []string
	for _, g := range l.Groups {
		if g.Default {
			out = append(out, g.Name)
		}
	}
	return out
}

// declared finds what a module of a library says its package is. The library is
// written by who writes the program, one way.
var declared = regexp.MustCompile(`(?m)^package ([a-z_]+(?:\.[a-z_]+)*)$`)

// Packages are those of the library that are its own: its helpers, of all groups,
// and the parameters. No other source has any business in them.
func (l *Library) Packages() ([]string, error) {
	out := []string{"parameters"}
	err := fs.WalkDir(l.fsys, ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(name, ".rego") || strings.HasSuffix(name, "_test.rego") {
			return err
		}
		text, err := fs.ReadFile(l.fsys, name)
		if err != nil {
			return err
		}
		m := declared.FindSubmatch(text)
		if m == nil {
			return fmt.Errorf("%s declares no package that could be read", name)
		}
		if own := string(m[1]); !strings.HasPrefix(own, "remint.") {
			out = append(out, own)
		}
		return nil
	})
	slices.Sort(out)
	return slices.Compact(out), err
}

// Source is the library with the chosen groups and those that are always
// asked, and with parameters set (by name, as JSON knows them) over their
// defaults. What is not there is ignored: whoever calls has checked the names.
func (l *Library) Source(name string, chosen []string, set map[string]any) (Source, error) {
	dirs := []string{libraryCommon}
	for _, g := range l.Groups {
		if g.Always || slices.Contains(chosen, g.Name) {
			dirs = append(dirs, g.Name)
		}
	}
	parameters, err := l.parameters(set)
	if err != nil {
		return Source{}, err
	}
	files := fstest.MapFS{parametersFile: {Data: parameters}}
	for _, dir := range dirs {
		entries, err := fs.ReadDir(l.fsys, dir)
		if err != nil {
			return Source{}, err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".rego") {
				continue
			}
			file := path.Join(dir, e.Name())
			text, err := fs.ReadFile(l.fsys, file)
			if err != nil {
				return Source{}, err
			}
			files[file] = &fstest.MapFile{Data: text}
		}
	}
	return Source{Name: name, FS: files, Enforcement: Mandatory}, nil
}

// Enforced says what denials of some groups mean: it gives those of their rules that
// are in src, by id, where that is another enforcement than the source's. What denies
// under an id that its METADATA does not say keeps that of the source.
func (l *Library) Enforced(src Source, groups map[string]string) (map[string]string, error) {
	other := func(e string) bool { return e != "" && e != src.Enforcement }
	if !slices.ContainsFunc(slices.Collect(maps.Values(groups)), other) {
		return nil, nil
	}
	rules, diags := Rules(src)
	if diags.HasErrors() {
		return nil, diags.Err()
	}
	out := map[string]string{}
	for _, r := range rules {
		if e := groups[path.Base(r.Folder)]; r.Set == "deny" && r.ID != "" && other(e) {
			out[r.ID] = e
		}
	}
	return out, nil
}

// parameters is the module that rules read them from. JSON is Rego.
func (l *Library) parameters(set map[string]any) ([]byte, error) {
	values := map[string]any{}
	for _, p := range l.Parameters {
		values[p.Name] = p.Default
		if v, ok := set[p.Name]; ok {
			values[p.Name] = v
		}
	}
	var b bytes.Buffer
	b.WriteString("# What the workspace sets, and the defaults of the rest.\npackage parameters\n")
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, err := json.Marshal(values[name])
		if err != nil {
			return nil, fmt.Errorf("parameter %s: %w", name, err)
		}
		fmt.Fprintf(&b, "\n%s := %s\n", name, v)
	}
	return b.Bytes(), nil
}
