package rule

import (
	"strconv"
	"strings"
)

// SQL is the expression as a condition in PostgreSQL, which is true or false and never NULL. It speaks of
// two rows. Row p is the product's in kindred.product_state; all of p is NULL for a product without state.
// Row f has the columns that a version knows too: id, a text, and available, a boolean, which are known of
// every product, name, a text, and categories, an array of texts. A query has them for example by
//
//	FROM item i LEFT JOIN kindred.product_state p ON p.id = i.code
//		CROSS JOIN LATERAL (SELECT i.code, coalesce(p.available, i.quantity_in_stock > 0),
//			coalesce(p.name, i.name), coalesce(p.categories, ARRAY[i.line])) f (id, available, name, categories)
//
// Whatever the expression's text contains becomes a parameter: the condition has only $n, for the values
// that SQL appends to args. They are texts, lists of texts, and booleans.
func (e *Expr) SQL(args *[]any) string { return e.root.sql(args) }

// parameter appends a value to args, and returns its place.
func parameter(args *[]any, value any) string {
	*args = append(*args, value)
	return "$" + strconv.Itoa(len(*args))
}

func (b constant) sql(*[]any) string { return b.String() }

func (g *group) sql(args *[]any) string {
	parts, sign := make([]string, len(g.parts)), " AND "
	if g.any {
		sign = " OR "
	}
	for i, p := range g.parts {
		parts[i] = p.sql(args)
	}
	return "(" + strings.Join(parts, sign) + ")"
}

func (l *leaf) sql(args *[]any) string {
	said := "coalesce(" + l.assertedSQL(args) + ", false)"
	if l.not {
		return "NOT " + said
	}
	return said
}

// assertedSQL is the leaf without its not. It may be NULL.
func (l *leaf) assertedSQL(args *[]any) string {
	switch l.field {
	case fieldAvailable:
		return "f.available"
	case fieldCategories:
		return parameter(args, l.values[0].text) + `::text COLLATE "C" = ANY (f.categories)`
	case fieldAttributes:
		return l.attributeSQL(args)
	case fieldID:
		return l.textSQL("f.id", args)
	case fieldName:
		return l.textSQL("f.name", args)
	case fieldPrice, fieldStock:
		return l.numberSQL("p."+string(l.field), "numeric", args)
	case fieldFirstSeen:
		return l.numberSQL("p.first_seen", "timestamptz", args)
	}
	return l.textSQL("p."+string(l.field), args)
}

// textsOf are the values that are of a type, as texts.
func (l *leaf) textsOf(k kind) (all []string) {
	for _, v := range l.values {
		switch {
		case v.kind != k:
		case k == text:
			all = append(all, v.text)
		case k == digits && l.field == fieldAttributes:
			all = append(all, strconv.FormatFloat(v.number.float(), 'g', -1, 64))
		case k == digits:
			all = append(all, v.number.String())
		case k == instant:
			all = append(all, v.time.Format("2006-01-02T15:04:05.999999Z07:00"))
		}
	}
	return all
}

// textSQL compares a text byte by byte.
func (l *leaf) textSQL(column string, args *[]any) string {
	column += ` COLLATE "C"`
	texts := l.textsOf(text)
	switch l.by {
	case among:
		return column + " = ANY (" + parameter(args, texts) + "::text[])"
	case prefix:
		return "starts_with(" + column + ", " + parameter(args, texts[0]) + "::text)"
	default:
		return column + " " + l.by.sql() + " " + parameter(args, texts[0]) + "::text"
	}
}

// numberSQL compares a number or a time.
func (l *leaf) numberSQL(column, as string, args *[]any) string {
	numbers := append(l.textsOf(digits), l.textsOf(instant)...)
	if l.by == among {
		return column + " = ANY (" + parameter(args, numbers) + "::text[]::" + as + "[])"
	}
	return column + " " + l.by.sql() + " " + parameter(args, numbers[0]) + "::text::" + as
}

// sql is the comparison's sign.
func (by op) sql() string {
	switch by {
	case equal:
		return "="
	case notEqual:
		return "<>"
	}
	return string(by)
}

// attributeSQL compares an attribute whose value has the type of a literal. CASE keeps PostgreSQL from
// reading a number where there is none.
func (l *leaf) attributeSQL(args *[]any) string {
	key := parameter(args, l.key) + "::text"
	value := "(p.attributes ->> " + key + ")"
	cases := "CASE jsonb_typeof(p.attributes -> " + key + ")"
	if len(l.textsOf(text)) > 0 {
		cases += " WHEN 'string' THEN " + l.textSQL(value, args)
	}
	if len(l.textsOf(digits)) > 0 {
		cases += " WHEN 'number' THEN " + l.numberSQL(value+"::numeric", "numeric", args)
	}
	var flags []string
	for _, v := range l.values {
		if v.kind == flag {
			flags = append(flags, value+"::boolean = "+parameter(args, v.flag)+"::boolean")
		}
	}
	if len(flags) > 0 {
		cases += " WHEN 'boolean' THEN " + strings.Join(flags, " OR ")
	}
	return cases + " END"
}
