package mysqlsource

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// row converts the values of one row, which are valid until the next one. The first problem sticks
// in err and names the row by its number, never by its values: they may be a customer's.
type row struct {
	table  table
	number int64 // from 1
	values []mysql.FieldValue
	texts  map[string]*string // those that come again
	err    error
}

func (r *row) fail(i int, problem string) {
	if r.err == nil {
		r.err = fmt.Errorf("%w: row %d of %s: %s %s", ErrData, r.number, r.table.name, r.table.columns[i].name, problem)
	}
}

// null reports NULL, which is a problem where the contract has none.
func (r *row) null(i int) bool {
	if r.values[i].Type != mysql.FieldValueTypeNull {
		return false
	}
	if !r.table.columns[i].nullable {
		r.fail(i, "is NULL, want a value")
	}
	return true
}

func (r *row) integer(i int, low, high int64) int64 {
	if r.null(i) {
		return 0
	}
	var n int64
	var err error
	switch v := &r.values[i]; v.Type {
	case mysql.FieldValueTypeSigned:
		n = v.AsInt64()
	case mysql.FieldValueTypeUnsigned:
		if u := v.AsUint64(); u <= uint64(high) {
			n = int64(u)
		} else {
			err = strconv.ErrRange
		}
	default: // decimal without places
		n, err = strconv.ParseInt(string(v.AsString()), 10, 64)
	}
	if err != nil || n < low || n > high {
		r.fail(i, fmt.Sprintf("is not from %d to %d", low, high))
	}
	return n
}

// bytes are valid until the next row.
func (r *row) bytes(i int) []byte {
	if r.null(i) {
		return nil
	}
	b := r.values[i].AsString()
	if !utf8.Valid(b) {
		r.fail(i, "is not UTF-8")
	}
	return b
}

func (r *row) text(i int) string { return string(r.bytes(i)) }

// repeated is a text that other rows have too: one string for all of them.
func (r *row) repeated(i int) *string {
	bytes := r.bytes(i)
	known := r.texts[string(bytes)]
	if known == nil {
		if r.texts == nil {
			r.texts = map[string]*string{}
		}
		known = new(string(bytes))
		r.texts[*known] = known
	}
	return known
}

func (r *row) optionalText(i int) *string {
	if r.null(i) {
		return nil
	}
	return r.repeated(i)
}

func (r *row) cents(i int) shop.Cents {
	if r.null(i) {
		return 0
	}
	v := &r.values[i]
	digits := string(v.AsString())
	switch v.Type {
	case mysql.FieldValueTypeSigned:
		digits = strconv.FormatInt(v.AsInt64(), 10)
	case mysql.FieldValueTypeUnsigned:
		digits = strconv.FormatUint(v.AsUint64(), 10)
	}
	c, err := shop.ParseCents(digits)
	if err != nil {
		r.fail(i, "is no decimal(10,2)")
	}
	return c
}

func (r *row) optionalCents(i int) *shop.Cents {
	if r.null(i) {
		return nil
	}
	return new(r.cents(i))
}
