package mysqlsource

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// kind is what a column's values become.
type kind string

const (
	key     kind = "an integer, text or BINARY(16)" // of a customer or a product
	integer kind = "an integer"
	text    kind = "text"
	amount  kind = "a decimal with at most two places"
	moment  kind = "a DATETIME"
)

// column is one column of the contract (design §3).
type column struct {
	name     string
	kind     kind
	nullable bool
}

// table is a query of the contract: these columns, in primary-key order, and the rules that their
// values may break.
type table struct {
	name    string
	columns []column
	order   string

	missing, badText, amount, stock shop.Rule
}

func customersTable() table {
	return table{name: "customers", order: "customerNumber", columns: []column{
		{"customerNumber", key, false}, {"customerName", text, false}, {"city", text, false}, {"state", text, true},
		{"postalCode", text, true}, {"country", text, false}, {"creditLimit", amount, true},
	}, missing: shop.CustomerValue, badText: shop.CustomerText, amount: shop.CustomerAmount}
}

func productsTable() table {
	return table{name: "products", order: "productCode", columns: []column{
		{"productCode", key, false}, {"productName", text, false}, {"productLine", text, false},
		{"productScale", text, false}, {"productVendor", text, false}, {"quantityInStock", integer, false},
		{"buyPrice", amount, false}, {"MSRP", amount, false},
	}, missing: shop.ProductValue, badText: shop.ProductText, amount: shop.ProductAmount, stock: shop.ProductStock}
}

func ratingsTable() table {
	return table{name: "ratings", order: "customerNumber, productCode", columns: []column{
		{"customerNumber", key, false}, {"productCode", key, false}, {"productRating", integer, false},
		{"ratedAt", moment, true},
	}}
}

// query asks for the columns of the contract: of the table of that name, or of a mapping's own
// query.
func (t table) query(mapped, where string) string {
	return t.unordered(mapped, where) + " ORDER BY " + t.order
}

// byBytes is the table with rows in the order of their keys' bytes, which a collation does not know.
// The server sorts them, because no index has that order.
func (t table) byBytes() table {
	t.order = "CAST(" + strings.Join(strings.Split(t.order, ", "), " AS BINARY), CAST(") + " AS BINARY)"
	return t
}

func (t table) unordered(mapped, where string) string {
	return "SELECT " + t.columnList() + " FROM " + t.from(mapped) + where
}

func (t table) columnList() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

func (t table) from(mapped string) string {
	if mapped == "" {
		return t.name
	}
	return "(" + mapped + "\n) AS " + t.name // a query may end with a comment
}

// check compares the types that the server announces with the contract and reports every
// difference.
func (t table) check(fields []*mysql.Field) error {
	if len(fields) != len(t.columns) {
		return fmt.Errorf("%w: table %s answers with %d columns, want %d", ErrSchema, t.name, len(fields), len(t.columns))
	}
	var problems []error
	for i, c := range t.columns {
		if f := fields[i]; !c.kind.reads(f) {
			problems = append(problems, c.mismatch(t, f))
		}
	}
	return errors.Join(problems...)
}

// binaryCharset is the character set number of bytes that are no text.
const binaryCharset = 63

// binaryKeyBytes is the length of a BINARY key: of a UUID.
const binaryKeyBytes = 16

// isBinaryKey reports whether a column holds BINARY(16), which becomes lower-case hex.
func isBinaryKey(f *mysql.Field) bool {
	return f.Type == mysql.MYSQL_TYPE_STRING && f.Charset == binaryCharset && f.ColumnLength == binaryKeyBytes
}

func (k kind) reads(f *mysql.Field) bool {
	if k == key {
		return integer.reads(f) || text.reads(f) || isBinaryKey(f)
	}
	switch f.Type {
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG,
		mysql.MYSQL_TYPE_LONGLONG:
		return k == integer || k == amount
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		return k == amount && f.Decimal <= 2 || k == integer && f.Decimal == 0
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_BLOB:
		return k == text && f.Charset != binaryCharset
	case mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP:
		return k == moment
	}
	return false
}

// typeName is what a person calls the type of a field.
func typeName(f *mysql.Field) string {
	binary := f.Charset == binaryCharset
	switch f.Type {
	case mysql.MYSQL_TYPE_TINY, mysql.MYSQL_TYPE_SHORT, mysql.MYSQL_TYPE_INT24, mysql.MYSQL_TYPE_LONG,
		mysql.MYSQL_TYPE_LONGLONG:
		return "an integer"
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		return fmt.Sprintf("a decimal with %d places", f.Decimal)
	case mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_DOUBLE:
		return "a floating-point number"
	case mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE, mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP,
		mysql.MYSQL_TYPE_TIME:
		return "a date or time"
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_TINY_BLOB, mysql.MYSQL_TYPE_MEDIUM_BLOB, mysql.MYSQL_TYPE_LONG_BLOB:
		if binary {
			return "a BLOB"
		}
		return "text"
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_STRING:
		if binary {
			return "BINARY"
		}
		return "text"
	}
	return fmt.Sprintf("of MySQL's type %d", f.Type)
}
