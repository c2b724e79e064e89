package mysqlsource

import (
	"errors"
	"math"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// oneValue is a row with a single column that holds v.
func oneValue(k kind, nullable bool, v mysql.FieldValue) *row {
	things := table{name: "things", columns: []column{{"thing", k, nullable}}}
	return &row{table: things, number: 7, values: []mysql.FieldValue{v}}
}

func null() mysql.FieldValue { return mysql.NewFieldValue(mysql.FieldValueTypeNull, 0, nil) }
func str(s string) mysql.FieldValue {
	return mysql.NewFieldValue(mysql.FieldValueTypeString, 0, []byte(s))
}
func signed(n int64) mysql.FieldValue {
	return mysql.NewFieldValue(mysql.FieldValueTypeSigned, uint64(n), nil)
}
func unsigned(n uint64) mysql.FieldValue {
	return mysql.NewFieldValue(mysql.FieldValueTypeUnsigned, n, nil)
}

func TestValuesAreExact(t *testing.T) {
	t.Parallel()
	amounts := map[string]shop.Cents{"0.00": 0, "0.01": 1, "-0.01": -1, "21000.10": 21000_10,
		"99999999.99": shop.MaxCents, "5": 500}
	for v, want := range amounts {
		r := oneValue(amount, false, str(v))
		if got := r.cents(0); got != want || r.err != nil {
			t.Errorf("cents of %s = %d, error %v, want %d", v, got, r.err, want)
		}
	}
	for _, v := range []mysql.FieldValue{signed(-3), str("-3")} {
		r := oneValue(integer, false, v)
		if got := r.integer(0, math.MinInt32, math.MaxInt32); got != -3 || r.err != nil {
			t.Errorf("integer = %d, error %v, want -3", got, r.err)
		}
	}
	r := oneValue(amount, true, unsigned(12))
	if got := r.optionalCents(0); got == nil || *got != 12_00 {
		t.Errorf("cents of an unsigned 12: %v", got)
	}
	if r := oneValue(text, true, null()); r.optionalText(0) != nil || r.err != nil {
		t.Errorf("NULL text: error %v", r.err)
	}
	if r := oneValue(text, true, str("")); r.optionalText(0) == nil {
		t.Error("empty text became NULL")
	}
}

func TestBadValueNamesItsRowAndNotItself(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		row  *row
		read func(*row)
		want string
	}{
		{"NULL key", oneValue(integer, false, null()), func(r *row) { r.integer(0, 0, 9) }, "thing is NULL, want a value"},
		{"not UTF-8", oneValue(text, false, str("caf\xe9")), func(r *row) { r.text(0) }, "thing is not UTF-8"},
		{"too large", oneValue(integer, false, signed(10)), func(r *row) { r.integer(0, 0, 9) }, "thing is not from 0 to 9"},
		{"far too large", oneValue(integer, false, unsigned(math.MaxUint64)), func(r *row) { r.integer(0, 0, 9) },
			"thing is not from 0 to 9"},
		{"three places", oneValue(amount, false, str("1.005")), func(r *row) { r.cents(0) }, "thing is no decimal(10,2)"},
	}
	for _, test := range tests {
		test.read(test.row)
		want := "the shop's data breaks a rule: row 7 of things: " + test.want
		if err := test.row.err; !errors.Is(err, ErrData) || err.Error() != want {
			t.Errorf("%s: error %v, want %s", test.name, err, want)
		}
	}
}
