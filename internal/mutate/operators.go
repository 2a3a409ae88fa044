package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// visit notes the mutants that begin at n. Nothing is done by trial: a change is
// made only where the types say that it compiles.
func (r *rewriter) visit(n ast.Node) bool {
	if n == nil {
		r.stack = r.stack[:len(r.stack)-1]
		return true
	}
	r.stack = append(r.stack, n)
	switch n := n.(type) {
	case *ast.GenDecl:
		if n.Tok == token.CONST || len(r.stack) == 2 { // constants, and what is set up before main
			r.stack = r.stack[:len(r.stack)-1]
			return false
		}
	case *ast.BlockStmt:
		r.drops(n.List)
	case *ast.IfStmt:
		r.condition(n.Cond)
	case *ast.ForStmt:
		if n.Cond != nil && r.plainBool(n.Cond) {
			r.wrap(n.Cond, "((", fmt.Sprintf(") && !mutantOn(%d))", r.add("never", n.Cond, "false")))
		}
	case *ast.RangeStmt:
		i := r.add("never", n.X, "an empty range")
		r.edits = append(r.edits, edit{r.offset(n.Body.Lbrace) + 1, r.offset(n.Body.Lbrace) + 1, fmt.Sprintf("if mutantOn(%d) { break };", i), ""})
	case *ast.CaseClause:
		if sw, ok := r.stack[len(r.stack)-3].(*ast.SwitchStmt); ok && sw.Tag == nil {
			for _, x := range n.List {
				r.condition(x)
			}
		} else {
			r.body(n.Body)
		}
		r.drops(n.Body)
	case *ast.CommClause:
		r.body(n.Body)
		r.drops(n.Body)
	case *ast.ReturnStmt:
		r.returns(n)
	case *ast.UnaryExpr:
		if n.Op == token.NOT {
			r.negate(n)
		}
	case *ast.BinaryExpr:
		r.binary(n)
	}
	return true
}

// condition makes mutants that always and never hold. The condition is still
// evaluated, and the switch asked only where it makes a difference.
func (r *rewriter) condition(x ast.Expr) {
	if !r.plainBool(x) {
		return
	}
	op := token.ILLEGAL
	if b, ok := ast.Unparen(x).(*ast.BinaryExpr); ok {
		op = b.Op
	}
	// Where an operand is left out, who notices that notices these too.
	if op != token.LAND {
		r.wrap(x, "((", fmt.Sprintf(") || mutantOn(%d))", r.add("always", x, "true")))
	}
	if op != token.LOR {
		r.wrap(x, "((", fmt.Sprintf(") && !mutantOn(%d))", r.add("never", x, "false")))
	}
}

// binary changes an operator: an operand of && or || is left out, an end of a
// range is moved by one, arithmetic is turned round.
func (r *rewriter) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.LAND, token.LOR:
		r.negate(n)
		for _, x := range []ast.Expr{n.X, n.Y} {
			if inner, ok := ast.Unparen(x).(*ast.BinaryExpr); (ok && inner.Op == n.Op) || !r.plainBool(x) {
				continue
			}
			i := r.add("without", x, fmt.Sprintf("%s with %t for it", r.text(n), n.Op == token.LAND))
			if n.Op == token.LAND {
				r.wrap(x, "((", fmt.Sprintf(") || mutantOn(%d))", i))
			} else {
				r.wrap(x, "((", fmt.Sprintf(") && !mutantOn(%d))", i))
			}
		}
	case token.EQL, token.NEQ:
		r.negate(n)
	case token.LSS, token.GTR, token.LEQ, token.GEQ:
		r.negate(n)
		if r.constant(n) || !pure(n) {
			return
		}
		x, y := r.text(n.X), r.text(n.Y)
		if strict := n.Op == token.LSS || n.Op == token.GTR; strict {
			r.wrap(n, "(", fmt.Sprintf(" || mutantOn(%d) && %s == %s)", r.add("boundary", n, x+" "+n.Op.String()+"= "+y), x, y))
		} else {
			r.wrap(n, "(", fmt.Sprintf(" && !(%s == %s && mutantOn(%d)))", x, y, r.add("boundary", n, x+" "+n.Op.String()[:1]+" "+y)))
		}
	case token.ADD, token.SUB, token.MUL, token.QUO:
		t := r.p.TypesInfo.TypeOf(n)
		basic, ok := t.Underlying().(*types.Basic)
		name, nameable := r.typeName(t, n.Pos())
		if !ok || !nameable || r.constant(n) || basic.Info()&types.IsUntyped != 0 || basic.Info()&types.IsComplex != 0 {
			return
		}
		change, after := "mutantNegative", "its negative"
		switch {
		case basic.Info()&types.IsString != 0:
			change, after = "mutantZero", `""`
		case n.Op == token.MUL || n.Op == token.QUO:
			change, after = "mutantOne", "1"
		}
		i := r.add("arithmetic", n, fmt.Sprintf("%s %s %s", r.text(n.X), n.Op, after))
		r.wrap(n.Y, fmt.Sprintf("%s[%s](%d, ", change, name, i), ")")
	}
}

// negate turns a condition round that no branch hangs on directly; those have
// mutants of their own.
func (r *rewriter) negate(x ast.Expr) {
	for i := len(r.stack) - 2; i >= 0; i-- {
		switch parent := r.stack[i].(type) {
		case *ast.ParenExpr:
			continue
		case *ast.BinaryExpr:
			if parent.Op == token.LAND || parent.Op == token.LOR {
				return
			}
		case *ast.UnaryExpr, *ast.IfStmt, *ast.ForStmt, *ast.ReturnStmt:
			return
		case *ast.CaseClause:
			return
		}
		break
	}
	if r.plainBool(x) {
		r.wrap(x, fmt.Sprintf("(mutantOn(%d) != (", r.add("negated", x, "!("+r.text(x)+")")), "))")
	}
}

// drops makes a mutant without it of every statement that others can do without.
func (r *rewriter) drops(list []ast.Stmt) {
	for i, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt:
			if call, ok := s.X.(*ast.CallExpr); ok && types.ExprString(call.Fun) == "panic" {
				continue
			}
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE {
				continue
			}
		case *ast.BranchStmt:
			if s.Tok != token.BREAK && s.Tok != token.CONTINUE {
				continue
			}
		case *ast.ReturnStmt:
			if r.signature().Results().Len() > 0 || i == len(list)-1 && r.functionBody(list) {
				continue
			}
		case *ast.DeferStmt:
			if name := types.ExprString(s.Call.Fun); name == "cancel" || strings.HasSuffix(name, ".Stop") {
				continue // gives back a timer early: no test could tell, and vet asks for it
			}
		case *ast.IncDecStmt, *ast.GoStmt, *ast.SendStmt:
		default:
			continue
		}
		r.wrap(s, fmt.Sprintf("if !mutantOn(%d) { ", r.add("drop", s, "nothing")), " }")
	}
}

// body makes a mutant without the statements of a case. A single statement has
// one of its own, and a body that ends the function cannot be left out.
func (r *rewriter) body(list []ast.Stmt) {
	if len(list) < 2 {
		return
	}
	switch last := list[len(list)-1].(type) {
	case *ast.AssignStmt, *ast.IncDecStmt, *ast.DeferStmt, *ast.GoStmt, *ast.SendStmt, *ast.RangeStmt:
	case *ast.ExprStmt:
		if call, ok := last.X.(*ast.CallExpr); ok && types.ExprString(call.Fun) == "panic" {
			return
		}
	default:
		return
	}
	whole := &ast.BlockStmt{Lbrace: list[0].Pos(), Rbrace: list[len(list)-1].End() - 1}
	r.wrap(whole, fmt.Sprintf("if !mutantOn(%d) { ", r.add("drop case", whole, "nothing")), " }")
}

// returns gives back zero values, no error among them. What stands beside an error
// means nothing, and is left alone.
func (r *rewriter) returns(n *ast.ReturnStmt) {
	results := r.signature().Results()
	if results.Len() != len(n.Results) {
		return
	}
	last := len(n.Results) - 1
	fails := last > 0 && types.Identical(results.At(last).Type(), types.Universe.Lookup("error").Type()) && isError(n.Results[last])
	for i, x := range n.Results {
		t := results.At(i).Type()
		if fails && i < last {
			continue
		}
		if types.Identical(t, types.Typ[types.Bool]) {
			r.wrap(x, fmt.Sprintf("(mutantOn(%d) != (", r.add("return", x, "!("+r.text(x)+")")), "))")
			continue
		}
		name, ok := r.typeName(t, n.Pos())
		if !ok || r.zero(x) {
			continue
		}
		r.wrap(x, fmt.Sprintf("mutantZero[%s](%d, ", name, r.add("return", x, "the zero value")), ")")
	}
}

// isError says whether x is an error wherever it is returned, so far as names tell.
func isError(x ast.Expr) bool {
	id, named := x.(*ast.Ident)
	return !named || id.Name == "err" || strings.HasPrefix(id.Name, "err") || id.Name == "bad"
}

// zero says whether x is a zero value already.
func (r *rewriter) zero(x ast.Expr) bool {
	if lit, ok := x.(*ast.CompositeLit); ok && len(lit.Elts) == 0 {
		return true
	}
	tv := r.p.TypesInfo.Types[x]
	return tv.IsNil() || tv.Value != nil && (tv.Value.ExactString() == "0" || tv.Value.ExactString() == `""`)
}

// signature is that of the function around what is visited.
func (r *rewriter) signature() *types.Signature {
	for i := len(r.stack) - 1; i >= 0; i-- {
		switch f := r.stack[i].(type) {
		case *ast.FuncLit:
			return r.p.TypesInfo.TypeOf(f).(*types.Signature)
		case *ast.FuncDecl:
			return r.p.TypesInfo.Defs[f.Name].Type().(*types.Signature)
		}
	}
	return types.NewSignatureType(nil, nil, nil, nil, nil, false)
}

// functionBody says whether list is that of the function itself.
func (r *rewriter) functionBody(list []ast.Stmt) bool {
	var body *ast.BlockStmt
	switch f := r.stack[max(len(r.stack)-2, 0)].(type) {
	case *ast.FuncLit:
		body = f.Body
	case *ast.FuncDecl:
		body = f.Body
	}
	return body != nil && len(list) > 0 && len(body.List) == len(list) && body.List[0] == list[0]
}

// typeName is how the source at pos says t, if it can.
func (r *rewriter) typeName(t types.Type, pos token.Pos) (string, bool) {
	name := types.TypeString(t, func(p *types.Package) string {
		if p == r.p.Types {
			return ""
		}
		return p.Name()
	})
	tv, err := types.Eval(r.p.Fset, r.p.Types, pos, name)
	return name, err == nil && tv.IsType() && types.Identical(tv.Type, t) && !strings.Contains(name, "{")
}

func (r *rewriter) constant(x ast.Expr) bool { return r.p.TypesInfo.Types[x].Value != nil }

// plainBool says whether x is a bool that is decided at run time.
func (r *rewriter) plainBool(x ast.Expr) bool {
	t := r.p.TypesInfo.TypeOf(x)
	return !r.constant(x) && (types.Identical(t, types.Typ[types.Bool]) || types.Identical(t, types.Typ[types.UntypedBool]))
}

func (r *rewriter) offset(p token.Pos) int { return r.p.Fset.Position(p).Offset }

// pure says whether evaluating x twice is the same as once.
func pure(x ast.Expr) bool {
	yes := true
	ast.Inspect(x, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			yes = yes && (types.ExprString(n.Fun) == "len" || types.ExprString(n.Fun) == "cap")
		case *ast.UnaryExpr:
			yes = yes && n.Op != token.ARROW
		case *ast.FuncLit:
			yes = false
		}
		return yes
	})
	return yes
}
