package main

import (
	"fmt"
	"go/ast"
	"go/types"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"
)

// mutant is one small change.
type mutant struct {
	// Key names it by package, file, function, kind and source, so that it keeps
	// its name when lines move.
	Key                       string
	File, Func, Before, After string
	Line                      int
	Outcome                   outcome
}

// schemata is a package with every mutant in it, each behind its switch. A
// mutant's number is its place in mutants.
type schemata struct {
	name, path, dir, pkg string
	// full says that all files of the package were looked at.
	full    bool
	mutants []*mutant
	// files is the changed source, by absolute path.
	files map[string][]byte
}

func (s *schemata) has(key string) bool {
	return slices.ContainsFunc(s.mutants, func(m *mutant) bool { return m.Key == key })
}

// load type-checks a package and puts every mutant of the named files, or of all,
// into it.
func load(path string, only []string) (*schemata, error) {
	pkgs, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedSyntax | packages.NeedTypes | packages.NeedTypesInfo |
			packages.NeedImports | packages.NeedModule,
	}, path)
	if err != nil {
		return nil, err
	}
	if len(pkgs) != 1 || len(pkgs[0].Errors) > 0 || len(pkgs[0].GoFiles) == 0 {
		return nil, fmt.Errorf("not one package that compiles: %v", pkgs)
	}
	p := pkgs[0]
	s := &schemata{path: p.PkgPath, name: p.PkgPath, dir: filepath.Dir(p.GoFiles[0]), pkg: p.Name, full: len(only) == 0, files: map[string][]byte{}}
	if p.Module != nil {
		s.name = strings.TrimPrefix(p.PkgPath, p.Module.Path+"/")
	}
	for _, f := range p.Syntax {
		name := p.Fset.Position(f.Package).Filename
		if len(only) > 0 && !slices.Contains(only, filepath.Base(name)) {
			continue
		}
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		r := &rewriter{s: s, p: p, name: filepath.Base(name), src: src}
		ast.Inspect(f, r.visit)
		s.files[name] = r.rewritten()
		only = slices.DeleteFunc(only, func(o string) bool { return o == r.name })
		if !s.full && len(only) == 0 {
			break
		}
	}
	if !s.full && len(only) > 0 {
		return nil, fmt.Errorf("no such file in it: %s", strings.Join(only, ", "))
	}
	seen := map[string]int{}
	for _, m := range s.mutants {
		if seen[m.Key]++; seen[m.Key] > 1 {
			m.Key += fmt.Sprintf(" #%d", seen[m.Key])
		}
	}
	s.files[filepath.Join(s.dir, "mutant_switch.go")] = []byte(strings.Replace(switchSource, "package PACKAGE", "package "+s.pkg, 1))
	return s, nil
}

// rewriter goes through one file.
type rewriter struct {
	s     *schemata
	p     *packages.Package
	name  string
	src   []byte
	edits []edit
	// stack is the nodes around the one being visited.
	stack []ast.Node
}

// edit puts text around a piece of source.
type edit struct {
	pos, end      int
	before, after string
}

// add makes a mutant of the source of n, and gives its number.
func (r *rewriter) add(kind string, n ast.Node, after string) int {
	before := r.text(n)
	m := &mutant{File: filepath.Join(r.s.name, r.name), Func: r.function(), Before: before, After: after, Line: r.p.Fset.Position(n.Pos()).Line}
	short := before
	if len(short) > 100 {
		short = short[:100] + "…"
	}
	m.Key = fmt.Sprintf("%s %s %s: %s `%s`", r.s.name, r.name, m.Func, kind, short)
	r.s.mutants = append(r.s.mutants, m)
	return len(r.s.mutants) - 1
}

func (r *rewriter) wrap(n ast.Node, before, after string) {
	r.edits = append(r.edits, edit{r.offset(n.Pos()), r.offset(n.End()), before, after})
}

// text is the source of n on one line.
func (r *rewriter) text(n ast.Node) string {
	return strings.Join(strings.Fields(string(r.src[r.offset(n.Pos()):r.offset(n.End())])), " ")
}

// function names the declared function around what is visited.
func (r *rewriter) function() string {
	for _, n := range r.stack {
		if f, ok := n.(*ast.FuncDecl); ok {
			if f.Recv == nil {
				return f.Name.Name
			}
			return types.ExprString(f.Recv.List[0].Type) + "." + f.Name.Name
		}
	}
	return "-"
}

// rewritten is the file with all edits made. Outer edits were noted before the
// inner ones, which orders those that begin or end at the same place.
func (r *rewriter) rewritten() []byte {
	type insert struct {
		at, rank int
		text     string
	}
	var all []insert
	for i, e := range r.edits {
		all = append(all, insert{e.pos, len(r.edits) + i, e.before}, insert{e.end, -i, e.after})
	}
	sort.SliceStable(all, func(i, j int) bool {
		if all[i].at != all[j].at {
			return all[i].at < all[j].at
		}
		return all[i].rank < all[j].rank
	})
	var out []byte
	from := 0
	for _, x := range all {
		out = append(append(out, r.src[from:x.at]...), x.text...)
		from = x.at
	}
	return append(out, r.src[from:]...)
}
