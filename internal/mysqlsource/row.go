package mysqlsource

import (
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// row converts the values of one row, which are valid until the next one. The first problem sticks in err and names
// the row by its number, never by its values: they may be a customer's.
type row struct {
	table  table
	number int64 // from 1
	values []mysql.FieldValue
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

func (r *row) optionalText(i int) *string {
	if r.null(i) {
		return nil
	}
	return new(r.text(i))
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

// moment reads a DATETIME as UTC into t. NULL and MySQL's zero date, which stands for "not known", give nil.
func (r *row) moment(i int, t *time.Time) *time.Time {
	if r.null(i) {
		return nil
	}
	at, zero, err := parseDatetime(r.values[i].AsString())
	if err != nil {
		r.fail(i, "is no date that exists")
	}
	if err != nil || zero {
		return nil
	}
	*t = at
	return t
}

var errNoDate = errors.New("no date")

// parseDatetime reads "2006-01-02 15:04:05" with an optional fraction. It is written out because time.Parse costs five
// times as much, once per rating.
func parseDatetime(b []byte) (t time.Time, zero bool, err error) {
	const layout = "2006-01-02 15:04:05"
	if len(b) < len(layout) || b[4] != '-' || b[7] != '-' || b[10] != ' ' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, false, errNoDate
	}
	year, ok1 := number(b[0:4])
	month, ok2 := number(b[5:7])
	day, ok3 := number(b[8:10])
	hour, ok4 := number(b[11:13])
	minute, ok5 := number(b[14:16])
	second, ok6 := number(b[17:19])
	if digits := ok1 && ok2 && ok3 && ok4 && ok5 && ok6; !digits {
		return time.Time{}, false, errNoDate
	}
	nanos := 0
	if fraction := b[len(layout):]; len(fraction) > 0 {
		digits, ok := number(fraction[1:])
		if fraction[0] != '.' || !ok || len(fraction) > 7 {
			return time.Time{}, false, errNoDate
		}
		for range 9 - (len(fraction) - 1) {
			digits *= 10
		}
		nanos = digits
	}
	if year == 0 && month == 0 && day == 0 {
		return time.Time{}, true, nil
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanos, time.UTC)
	if t.Month() != time.Month(month) || t.Day() != day || t.Hour() != hour || t.Minute() != minute || t.Second() != second {
		return time.Time{}, false, errNoDate
	}
	return t, false, nil
}

func number(digits []byte) (n int, ok bool) {
	for _, d := range digits {
		if d < '0' || d > '9' {
			return 0, false
		}
		n = n*10 + int(d-'0')
	}
	return n, true
}
