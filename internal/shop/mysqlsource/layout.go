package mysqlsource

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop/mapping"
)

// use is what a column of a mapping with interactions is for, in words that continue "column x is a
// BLOB, want".
type use string

const (
	forID     use = "an integer, text or BINARY(16)"
	forText   use = "text"
	forList   use = "a JSON list of texts, or text"
	forNumber use = "a number"
	forFlag   use = "0 or 1"
	forMoment use = "a DATETIME or DATE"
)

// wanted is a column of a mapping with interactions. It may be at any place, and its name in any
// case.
type wanted struct {
	name     string
	use      use
	required bool
}

// form is what a data set of interactions consists of.
type form struct {
	name       string
	columns    []wanted
	attributes bool // further columns are attributes
}

func listingForm() form {
	return form{name: mapping.Products, attributes: true, columns: []wanted{{"id", forID, true}, {"name", forText, true},
		{"categories", forList, false}, {"brand", forText, false}, {"price", forNumber, false}, {"currency", forText, false},
		{"available", forFlag, false}, {"stock", forNumber, false}, {"url", forText, false}, {"image", forText, false}}}
}

func shopperForm() form {
	return form{name: mapping.Customers, attributes: true, columns: []wanted{{"id", forID, true},
		{"country", forText, false}, {"city", forText, false}}}
}

func interactionForm() form {
	return form{name: mapping.Interactions, columns: []wanted{{"customer", forID, false}, {"session", forID, false},
		{"product", forID, true}, {"kind", forText, true}, {"value", forNumber, false}, {"quantity", forNumber, false},
		{"at", forMoment, false}, {"order_id", forID, false}}}
}

// layout says where a query's answer has the columns of a form.
type layout struct {
	form   form
	fields []*mysql.Field
	at     map[string]int // of the form's columns that are there
	extra  []extra        // attributes, sorted by name
}

// extra is a column that is an attribute.
type extra struct {
	name string
	at   int
	kind attributeKind
}

type attributeKind int

const (
	noAttribute attributeKind = iota // dates and bytes
	textAttribute
	numberAttribute
	flagAttribute
)

// newLayout reports every column that is missing, there twice, or of another type.
func newLayout(f form, query string, fields []*mysql.Field) (*layout, error) {
	l := &layout{form: f, fields: fields, at: map[string]int{}}
	seen := map[string]bool{}
	var problems []error
	fail := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("%w: "+format, append([]any{ErrSchema}, args...)...))
	}
	for i, field := range fields {
		name := strings.ToLower(string(field.Name))
		if seen[name] {
			fail("column %s.%s is there twice", f.name, name)
			continue
		}
		seen[name] = true
		if w, ok := f.column(name); ok {
			if l.at[name] = i; !w.use.reads(field) && (w.required || field.Type != mysql.MYSQL_TYPE_NULL) {
				fail("column %s.%s is %s, want %s", f.name, name, typeName(field), w.use)
			}
			continue
		}
		if kind := attributeOf(field); kind != noAttribute && f.asks(query, string(field.Name)) {
			l.extra = append(l.extra, extra{string(field.Name), i, kind})
		}
	}
	for _, w := range f.columns {
		if w.required && !seen[w.name] {
			fail("column %s.%s is not there", f.name, w.name)
		}
	}
	if f.name == mapping.Interactions && !seen["customer"] && !seen["session"] {
		fail("interactions have neither a column customer nor a column session")
	}
	slices.SortFunc(l.extra, func(a, b extra) int { return strings.Compare(a.name, b.name) })
	return l, errors.Join(problems...)
}

// asks reports whether a further column is read. Of customers it must be named in the query: what
// SELECT * happens to give is not asked for.
func (f form) asks(query, column string) bool {
	return f.attributes && (f.name != mapping.Customers || mapping.Names(query, column))
}

func (f form) column(name string) (wanted, bool) {
	i := slices.IndexFunc(f.columns, func(w wanted) bool { return strings.EqualFold(w.name, name) })
	if i < 0 {
		return wanted{}, false
	}
	return f.columns[i], true
}

// idBytes is the length of a binary id, which becomes 32 hex digits.
const idBytes = 16

func (u use) reads(f *mysql.Field) bool {
	binary := f.Charset == binaryCharset
	switch f.Type {
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG,
		mysql.MYSQL_TYPE_LONGLONG, mysql.MYSQL_TYPE_YEAR:
		return u != forMoment
	case mysql.MYSQL_TYPE_NEWDECIMAL, mysql.MYSQL_TYPE_DECIMAL:
		return u == forNumber || f.Decimal == 0 && u != forMoment
	case mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_DOUBLE:
		return u == forNumber
	case mysql.MYSQL_TYPE_BIT:
		return u == forFlag
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_STRING:
		if binary {
			return u == forID && f.ColumnLength == idBytes
		}
		return u == forID || u == forText || u == forList
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_TINY_BLOB, mysql.MYSQL_TYPE_MEDIUM_BLOB, mysql.MYSQL_TYPE_LONG_BLOB:
		return !binary && (u == forID || u == forText || u == forList)
	case mysql.MYSQL_TYPE_JSON:
		return u == forText || u == forList
	case mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP, mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE:
		return u == forMoment
	}
	return false
}

// attributeOf is what a further column becomes, by its type.
func attributeOf(f *mysql.Field) attributeKind {
	switch {
	case f.Type == mysql.MYSQL_TYPE_TINY && f.ColumnLength == 1, f.Type == mysql.MYSQL_TYPE_BIT && f.ColumnLength == 1:
		return flagAttribute
	case forNumber.reads(f):
		return numberAttribute
	case f.Type != mysql.MYSQL_TYPE_JSON && forText.reads(f):
		return textAttribute
	}
	return noAttribute
}

// describe lists the columns for the manifest and for etl check.
func (l *layout) describe() (columns []Column) {
	for _, f := range l.fields {
		c := table{}.describe(f)
		if f.Type == mysql.MYSQL_TYPE_FLOAT || f.Type == mysql.MYSQL_TYPE_DOUBLE {
			c.Type = "number"
		}
		if w, ok := l.form.column(c.Name); ok {
			c.Name, c.Contract = w.name, true
		} else {
			c.Contract = slices.ContainsFunc(l.extra, func(e extra) bool { return e.name == c.Name })
		}
		columns = append(columns, c)
	}
	return columns
}
