package rule_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"

	"kindred/internal/serving/rule"
)

// sqlWords is all that an expression's SQL may consist of: every text that somebody has written is a parameter.
var sqlWords = regexp.MustCompile(`^(?:\(|\)|\[\]|,| |::|->>|->|=|<>|<=|>=|<|>|\$[0-9]+|f\.(?:id|available|name|categories)|` +
	`p\.(?:brand|currency|url|image|price|stock|attributes|first_seen)|coalesce|starts_with|jsonb_typeof|` +
	`CASE|WHEN|THEN|END|NOT|AND|OR|ANY|COLLATE "C"|'(?:string|number|boolean)'|text|numeric|boolean|timestamptz|false|true)*$`)

// marked is a text that no error has by itself.
const marked = "zq"

// FuzzCompile: whatever compiles is in the stated subset by a reading of its own, holds no more than its
// bounds, is CEL to both of CEL's parsers, has one spelling, and gives SQL without a word of its own.
func FuzzCompile(f *testing.F) {
	for _, text := range []string{
		`product.price < 20.0 && "trains" in product.categories && product.available`,
		`!(product.brand in ['a', "b"] || product.attributes["x y"] != -5.5e-3) || product.attributes.in`,
		`product.first_seen >= timestamp("2026-03-01T12:00:00Z")`, `product.name.startsWith(r"\d")`,
		`product.brand == "'); DROP TABLE kindred.product_state; --"`, `product.attributes["' || pg_sleep(9) || '"] == 1`,
		"product.attributes.`a-b` == 0x1Fu", `product.name.matches("(a+)+$")`, `[1].map(x, x)[0] == product.stock`,
		`product.stock + 1 < 5`, `product.price in [1, 2.5, 3u]`, `((((product.available))))`, `$1 == product.id`,
		`product.id == """a"b"""`, `has(product.price)`, `product.brand == "\u0041\x41\101"`, `product.price < - 5.`,
		`zq.a == 5`, `product.zq`, `zq(product.price)`, `"zq" == zq`, `zq zq`, `"zq`, `0zq`, `as.zq`, `product.a.zq()`,
		`true ? product.available : false`, `product.attributes[product.id]`, `.product.available`, `product.?price`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := rule.Compile(text)
		if err != nil {
			if !regexp.MustCompile(`^column [1-9][0-9]*: .`).MatchString(err.Error()) {
				t.Fatalf("%q: %v", text, err)
			}
			if strings.Contains(text, marked) && strings.Contains(err.Error(), marked) {
				t.Fatalf("%q is repeated by %v", text, err)
			}
			return
		}
		if len(text) > rule.MaxBytes {
			t.Fatalf("%d bytes are accepted", len(text))
		}
		for _, pratt := range []bool{true, false} {
			p, err := parser.NewParser(parser.EnablePrattParser(pratt))
			if err != nil {
				t.Fatal(err)
			}
			tree, errs := p.Parse(common.NewTextSource(text))
			if len(errs.GetErrors()) > 0 {
				t.Fatalf("%q compiles, but CEL says %s", text, errs.ToDisplayString())
			}
			if leaves := 0; !isCondition(tree.Expr(), &leaves) || leaves > rule.MaxLeaves {
				t.Fatalf("%q compiles, with %d leaves", text, leaves)
			}
		}
		if again, err := rule.Compile(e.String()); err == nil && again.String() != e.String() {
			t.Fatalf("%q gives %s, and that %s", text, e, again)
		} else if err != nil && len(e.String()) <= rule.MaxBytes && !strings.Contains(err.Error(), "more than") {
			t.Fatalf("%q gives %s: %v", text, e, err)
		}
		args := []any{"before"}
		sql := e.SQL(&args)
		if !sqlWords.MatchString(sql) {
			t.Fatalf("%q gives %s", text, sql)
		}
		for n := range len(args) + 5 {
			if used := strings.Contains(sql+" ", "$"+strconv.Itoa(n+1)+":"); used != (n > 0 && n < len(args)) {
				t.Fatalf("%q gives %s with %d arguments, of which $%d is used: %v", text, sql, len(args), n+1, used)
			}
		}
		product := &rule.Product{ID: text, Available: true}
		columns := rule.NewColumns(1)
		columns.Set(0, product)
		if e.Match(product) != e.Mask(columns, nil).Has(0) {
			t.Fatalf("%q: match says %v", text, e.Match(product))
		}
	})
}

// isCondition reads the stated subset from the tree: it is written apart from the compiler.
func isCondition(e ast.Expr, leaves *int) bool {
	switch e.Kind() {
	case ast.LiteralKind:
		_, ok := e.AsLiteral().(types.Bool)
		return ok
	case ast.SelectKind:
		*leaves++
		return isFact(e)
	case ast.CallKind:
	default:
		return false
	}
	call := e.AsCall()
	args := call.Args()
	switch call.FunctionName() {
	case operators.LogicalAnd, operators.LogicalOr:
		return isCondition(args[0], leaves) && isCondition(args[1], leaves)
	case operators.LogicalNot:
		return isCondition(args[0], leaves)
	}
	*leaves++
	switch call.FunctionName() {
	case operators.Index:
		return isFact(e)
	case "startsWith":
		return call.IsMemberFunction() && isFact(call.Target()) && len(args) == 1 && isLiteral(args[0])
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater,
		operators.GreaterEquals:
		return isFact(args[0]) && isLiteral(args[1]) || isLiteral(args[0]) && isFact(args[1])
	case operators.In:
		if args[1].Kind() != ast.ListKind {
			return isLiteral(args[0]) && isFact(args[1])
		}
		for _, element := range args[1].AsList().Elements() {
			if !isLiteral(element) {
				return false
			}
		}
		return isFact(args[0])
	}
	return false
}

// isFact says whether e is product.x, product.attributes.x or product.attributes["x"].
func isFact(e ast.Expr) bool {
	var from ast.Expr
	switch e.Kind() {
	case ast.SelectKind:
		from = e.AsSelect().Operand()
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || !isLiteral(call.Args()[1]) {
			return false
		}
		from = call.Args()[0]
		if from.Kind() != ast.SelectKind {
			return false
		}
	default:
		return false
	}
	if from.Kind() == ast.SelectKind {
		return from.AsSelect().FieldName() == "attributes" && from.AsSelect().Operand().Kind() == ast.IdentKind &&
			from.AsSelect().Operand().AsIdent() == "product"
	}
	return from.Kind() == ast.IdentKind && from.AsIdent() == "product"
}

// isLiteral says whether e is a text, a number, true, false or timestamp("…").
func isLiteral(e ast.Expr) bool {
	if e.Kind() == ast.CallKind {
		call := e.AsCall()
		return call.FunctionName() == "timestamp" && !call.IsMemberFunction() && len(call.Args()) == 1 &&
			isLiteral(call.Args()[0])
	}
	if e.Kind() != ast.LiteralKind {
		return false
	}
	switch e.AsLiteral().(type) {
	case types.String, types.Bool, types.Int, types.Uint, types.Double:
		return true
	}
	return false
}
