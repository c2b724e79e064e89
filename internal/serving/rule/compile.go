package rule

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/parser"
)

// Bounds of an expression.
const (
	MaxBytes  = 2000 // of its text
	MaxLeaves = 64   // comparisons in it
	maxDepth  = 64   // brackets in brackets, each of which takes the parser's stack
)

// Compile reads an expression. What the subset does not have, and whatever can never hold because of its
// types, is a *SyntaxError.
func Compile(text string) (*Expr, error) {
	switch {
	case len(text) > MaxBytes:
		return nil, &SyntaxError{1, fmt.Sprintf("the expression has %d bytes, at most %d are allowed", len(text), MaxBytes)}
	case !utf8.ValidString(text):
		return nil, &SyntaxError{1, "the expression is not UTF-8"}
	}
	p, err := parser.NewParser(parser.EnablePrattParser(true), parser.MaxRecursionDepth(maxDepth),
		parser.ErrorReportingLimit(1), parser.ErrorRecoveryLimit(1))
	if err != nil {
		return nil, fmt.Errorf("prepare CEL's parser: %w", err)
	}
	source := common.NewTextSource(text)
	tree, errs := p.Parse(source)
	if found := errs.GetErrors(); len(found) > 0 {
		return nil, unreadable(source, found[0])
	}
	c := compiler{tree: tree, text: []rune(text)}
	root, err := c.condition(tree.Expr())
	if err != nil {
		return nil, err
	}
	return &Expr{root, root.String()}, nil
}

// unreadable is what the parser said, without what it repeats of the text.
func unreadable(source common.Source, e *common.Error) error {
	column := 1
	if at, ok := source.LocationOffset(e.Location); ok && e.Location.Line() > 0 {
		column = max(0, int(at)) + 1
	}
	said := strings.ReplaceAll(strings.TrimPrefix(e.Message, "Syntax error: "), "'.'", "a point")
	switch {
	case strings.Contains(said, "recursion limit"):
		said = fmt.Sprintf("more than %d brackets are nested", maxDepth)
	case strings.Contains(said, "<EOF>"):
		said = "the expression ends too soon"
	}
	if quote := strings.IndexAny(said, ":'`\""); quote >= 0 {
		said = strings.TrimSpace(said[:quote])
	}
	return &SyntaxError{column, said + `; an expression looks like product.price < 20.0 && "trains" in product.categories`}
}

// compiler makes nodes of CEL's tree.
type compiler struct {
	tree   *ast.AST
	text   []rune
	leaves int
}

// fault is an error about e. It names the sign of a comparison, and of all else the first character.
func (c *compiler) fault(e ast.Expr, format string, args ...any) error {
	for first := e; first != nil; {
		e, first = first, nil
		switch e.Kind() {
		case ast.SelectKind:
			first = e.AsSelect().Operand()
		case ast.CallKind:
			if call := e.AsCall(); call.IsMemberFunction() {
				first = call.Target()
			} else if call.FunctionName() == operators.Index {
				first = call.Args()[0]
			}
		}
	}
	at, _ := c.tree.SourceInfo().GetOffsetRange(e.ID())
	return &SyntaxError{int(at.Start) + 1, fmt.Sprintf(format, args...)}
}

// condition compiles what is true or false.
func (c *compiler) condition(e ast.Expr) (node, error) {
	switch e.Kind() {
	case ast.LiteralKind:
		if b, ok := e.AsLiteral().(types.Bool); ok {
			return constant(b), nil
		}
		return nil, c.fault(e, "a literal alone is no condition; compare it with a fact of the product")
	case ast.IdentKind, ast.SelectKind:
		return c.bare(e)
	case ast.CallKind:
		return c.call(e)
	}
	return nil, c.fault(e, "this is no condition; an expression has comparisons, in, startsWith, &&, || and !")
}

// bare compiles a fact that is a condition by itself.
func (c *compiler) bare(e ast.Expr) (node, error) {
	l, err := c.fact(e)
	if err != nil {
		return nil, err
	}
	if kind := fields[l.field]; kind != flag && kind != open {
		return nil, c.fault(e, "product.%s is %s, and no condition by itself; compare it", l.field, kind)
	}
	l.by, l.values = equal, []value{{kind: flag, flag: true}}
	return c.leaf(e, l)
}

// comparisons are CEL's names of comparisons, with what each is if its sides are exchanged.
var comparisons = map[string][2]op{
	operators.Less:          {less, greater},
	operators.LessEquals:    {lessEqual, greaterEqual},
	operators.Greater:       {greater, less},
	operators.GreaterEquals: {greaterEqual, lessEqual},
	operators.Equals:        {equal, equal},
	operators.NotEquals:     {notEqual, notEqual},
}

func (c *compiler) call(e ast.Expr) (node, error) {
	call := e.AsCall()
	args := call.Args()
	switch name := call.FunctionName(); {
	case call.IsMemberFunction() && name == string(prefix):
		return c.prefix(e, call)
	case call.IsMemberFunction():
	case name == operators.LogicalAnd, name == operators.LogicalOr:
		return c.both(name == operators.LogicalOr, args)
	case name == operators.LogicalNot:
		inner, err := c.condition(args[0])
		if err != nil {
			return nil, err
		}
		return opposite(inner), nil
	case name == operators.Index:
		return c.bare(e)
	case name == operators.In, name == operators.OldIn:
		return c.in(e, args[0], args[1])
	case comparisons[name][0] != "":
		by, left, right := comparisons[name][0], args[0], args[1]
		if isLiteral(left) && !isLiteral(right) {
			by, left, right = comparisons[name][1], right, left
		}
		return c.comparison(e, by, left, right)
	}
	return nil, c.fault(e, "this is not in the subset of CEL that rules have: comparisons, in, startsWith, &&, || and !")
}

func (c *compiler) both(any bool, args []ast.Expr) (node, error) {
	parts := make([]node, len(args))
	for i, a := range args {
		var err error
		if parts[i], err = c.condition(a); err != nil {
			return nil, err
		}
	}
	return join(any, parts...), nil
}

// leaf finishes a comparison.
func (c *compiler) leaf(e ast.Expr, l *leaf) (node, error) {
	if c.leaves++; c.leaves > MaxLeaves {
		return nil, c.fault(e, "the expression has more than %d comparisons", MaxLeaves)
	}
	if l.by == among && len(l.values) == 0 {
		return constant(false), nil
	}
	if len(l.values) == 1 && l.values[0].kind == flag {
		if l.by == notEqual {
			l.by, l.values[0].flag = equal, !l.values[0].flag
		}
		if l.field == fieldAvailable && !l.values[0].flag { // it is always known
			l.not, l.values[0].flag = true, true
		}
	}
	return l.ready(), nil
}

// comparison compiles a fact and a literal.
func (c *compiler) comparison(e ast.Expr, by op, left, right ast.Expr) (node, error) {
	l, err := c.fact(left)
	if err != nil {
		return nil, err
	}
	v, err := c.literal(right)
	if err != nil {
		return nil, err
	}
	want := fields[l.field]
	switch {
	case want == list:
		return nil, c.fault(e, `product.%s is %s; write "…" in product.%s`, l.field, want, l.field)
	case want == open && v.kind == instant:
		return nil, c.fault(right, "an attribute is a text, a number, true or false, and no time")
	case want != open && want != v.kind:
		return nil, c.fault(right, "product.%s is %s, and this is %s", l.field, want, v.kind)
	case v.kind == flag && by != equal && by != notEqual:
		return nil, c.fault(e, "true and false are not in an order; use == or !=")
	}
	l.by, l.values = by, []value{v}
	return c.leaf(e, l)
}

// in compiles a literal in a fact that is a list, or a fact in a list of literals.
func (c *compiler) in(e, left, right ast.Expr) (node, error) {
	if right.Kind() != ast.ListKind {
		l, err := c.fact(right)
		if err != nil {
			return nil, err
		}
		if fields[l.field] != list {
			return nil, c.fault(right, "what follows in is product.categories or a list such as [\"a\", \"b\"]")
		}
		v, err := c.literal(left)
		if err != nil {
			return nil, err
		}
		if v.kind != text {
			return nil, c.fault(left, "product.%s is %s, and this is %s", l.field, list, v.kind)
		}
		l.by, l.values = contains, []value{v}
		return c.leaf(e, l)
	}
	l, err := c.fact(left)
	if err != nil {
		return nil, err
	}
	want := fields[l.field]
	if want != text && want != digits && want != open {
		return nil, c.fault(left, "product.%s is %s, and only a text, a number or an attribute can be in a list",
			l.field, want)
	}
	l.by = among
	for _, element := range right.AsList().Elements() {
		v, err := c.literal(element)
		if err != nil {
			return nil, err
		}
		if want != v.kind && (want != open || v.kind == instant) {
			return nil, c.fault(element, "product.%s is %s, and this is %s", l.field, want, v.kind)
		}
		l.values = append(l.values, v)
	}
	return c.leaf(e, l)
}

// prefix compiles startsWith.
func (c *compiler) prefix(e ast.Expr, call ast.CallExpr) (node, error) {
	l, err := c.fact(call.Target())
	if err != nil {
		return nil, err
	}
	if kind := fields[l.field]; kind != text && kind != open {
		return nil, c.fault(e, "product.%s is %s, and startsWith is for a text", l.field, kind)
	}
	if len(call.Args()) != 1 {
		return nil, c.fault(e, "startsWith takes one text")
	}
	v, err := c.literal(call.Args()[0])
	if err != nil {
		return nil, err
	}
	if v.kind != text {
		return nil, c.fault(call.Args()[0], "startsWith takes a text, and this is %s", v.kind)
	}
	l.by, l.values = prefix, []value{v}
	return c.leaf(e, l)
}

// fact compiles product.x, product.attributes.x and product.attributes["x"].
func (c *compiler) fact(e ast.Expr) (*leaf, error) {
	key, from := "", e
	switch e.Kind() {
	case ast.SelectKind:
		key, from = e.AsSelect().FieldName(), e.AsSelect().Operand()
		if from.Kind() == ast.IdentKind {
			return c.field(e, key, from.AsIdent())
		}
	case ast.CallKind:
		call := e.AsCall()
		if call.FunctionName() != operators.Index || call.Args()[1].Kind() != ast.LiteralKind {
			break
		}
		s, ok := call.Args()[1].AsLiteral().(types.String)
		if !ok {
			return nil, c.fault(call.Args()[1], "an attribute has a text as its name")
		}
		key, from = string(s), call.Args()[0]
	}
	if from.Kind() == ast.SelectKind && from.AsSelect().Operand().Kind() == ast.IdentKind &&
		from.AsSelect().Operand().AsIdent() == "product" && from.AsSelect().FieldName() == string(fieldAttributes) {
		if strings.Contains(key, "\x00") {
			return nil, c.fault(e, "no attribute has the character NUL in its name")
		}
		return &leaf{field: fieldAttributes, key: key}, nil
	}
	return nil, c.fault(e, "a comparison is between a fact of the product, such as product.price, and a literal")
}

// field compiles product.x.
func (c *compiler) field(e ast.Expr, name, of string) (*leaf, error) {
	known := make([]string, 0, len(fields))
	for _, f := range slices.Sorted(maps.Keys(fields)) {
		known = append(known, string(f))
	}
	switch {
	case of != "product":
		return nil, c.fault(e, "this is not known; a rule speaks of product alone")
	case fields[field(name)] == 0:
		return nil, c.fault(e, "a product has no such fact; it has %s", strings.Join(known, ", "))
	case field(name) == fieldAttributes:
		return nil, c.fault(e, "product.attributes has no value of its own; write product.attributes.NAME")
	}
	return &leaf{field: field(name)}, nil
}

// isLiteral says whether literal takes it.
func isLiteral(e ast.Expr) bool {
	return e.Kind() == ast.LiteralKind || e.Kind() == ast.CallKind && e.AsCall().FunctionName() == "timestamp"
}

// literal compiles a text, a number, true, false, or a time.
func (c *compiler) literal(e ast.Expr) (value, error) {
	if e.Kind() == ast.CallKind && isLiteral(e) {
		return c.time(e)
	}
	if e.Kind() != ast.LiteralKind {
		return value{}, c.fault(e, "this is no literal; a fact is compared with a text, a number, true, false or "+
			`timestamp("2026-03-01T00:00:00Z")`)
	}
	switch v := e.AsLiteral().(type) {
	case types.String:
		if strings.Contains(string(v), "\x00") || !utf8.ValidString(string(v)) {
			return value{}, c.fault(e, "no product has a text with NUL in it, or one that is not UTF-8")
		}
		return value{kind: text, text: string(v)}, nil
	case types.Bool:
		return value{kind: flag, flag: bool(v)}, nil
	case types.Int:
		n, ok := wholeNumber(int64(v))
		return value{kind: digits, number: n}, c.tooLong(e, ok)
	case types.Uint:
		n, ok := wholeNumber(int64(min(v, math.MaxInt64)))
		return value{kind: digits, number: n}, c.tooLong(e, ok)
	case types.Double:
		return c.double(e, float64(v))
	}
	return value{}, c.fault(e, "a fact is compared with a text, a number, true or false, and not with null or bytes")
}

// tooLong is the error about a number that is not ok.
func (c *compiler) tooLong(e ast.Expr, ok bool) error {
	if ok {
		return nil
	}
	return c.fault(e, "the number has more than %d digits", maxDigits)
}

// double reads a number from its text: the double that CEL made of it is not exact.
func (c *compiler) double(e ast.Expr, v float64) (value, error) {
	at, _ := c.tree.SourceInfo().GetOffsetRange(e.ID())
	said := strings.TrimLeft(string(c.text[at.Start:]), "- \t\r\n\f")
	end := 0
	for end < len(said) && (strings.IndexByte("0123456789.eE", said[end]) >= 0 ||
		strings.IndexByte("+-", said[end]) >= 0 && (said[end-1] == 'e' || said[end-1] == 'E')) {
		end++
	}
	said = said[:end]
	if f, err := strconv.ParseFloat(said, 64); err != nil || f != math.Abs(v) {
		return value{}, c.fault(e, "the number cannot be read; write it without a comment between sign and digits")
	}
	n, ok := parseNumber(said)
	if v < 0 {
		n.mantissa = -n.mantissa
	}
	return value{kind: digits, number: n}, c.tooLong(e, ok)
}

// time compiles timestamp("…").
func (c *compiler) time(e ast.Expr) (value, error) {
	call := e.AsCall()
	problem := `timestamp takes a time such as "2026-03-01T00:00:00Z", with at most six decimal places`
	if call.IsMemberFunction() || len(call.Args()) != 1 || call.Args()[0].Kind() != ast.LiteralKind {
		return value{}, c.fault(e, "%s", problem)
	}
	s, _ := call.Args()[0].AsLiteral().(types.String)
	t, err := time.Parse(time.RFC3339, string(s))
	if t = t.UTC(); err != nil || t.Year() < 1 || t.Year() > 9999 || t.Nanosecond()%1000 != 0 {
		return value{}, c.fault(e, "%s", problem)
	}
	return value{kind: instant, time: t}, nil
}
