package mysqlsource

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"kindred/internal/shop"
)

// oneValue is a row of products with a single column that holds v.
func oneValue(k kind, nullable bool, v mysql.FieldValue) *row {
	things := productsTable()
	things.name, things.columns = "things", []column{{"thing", k, nullable}}
	return &row{table: things, id: "7", named: thing, values: []mysql.FieldValue{v}, faults: &shop.Faults{}}
}

func thing(id string) string { return "thing " + id }

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
		if got := r.optionalCents(0); got == nil || *got != want || len(r.faults.Examples()) != 0 {
			t.Errorf("cents of %s = %v, faults %v, want %d", v, got, r.faults.Examples(), want)
		}
	}
	for _, v := range []mysql.FieldValue{signed(-3), str("-3")} {
		if got, ok := oneValue(key, false, v).key(shop.CustomerKey, "customer"); got != "-3" || !ok {
			t.Errorf("id = %q, %v, want -3", got, ok)
		}
	}
	if got := oneValue(amount, true, unsigned(12)).optionalCents(0); got == nil || *got != 12_00 {
		t.Errorf("cents of an unsigned 12: %v", got)
	}
	if r := oneValue(text, true, null()); r.optionalText(0) != nil || len(r.faults.Examples()) != 0 {
		t.Errorf("NULL text: faults %v", r.faults.Examples())
	}
	for _, empty := range [][]byte{nil, {}} {
		if oneValue(text, true, mysql.NewFieldValue(mysql.FieldValueTypeString, 0, empty)).optionalText(0) == nil {
			t.Error("empty text became NULL")
		}
	}
}

func TestValueThatBreaksARuleIsReplacedAndCounted(t *testing.T) {
	t.Parallel()
	const price, stock = amount, integer
	tests := []struct {
		name    string
		row     *row
		read    func(*row) any
		want    any
		rule    shop.Rule
		example string
	}{
		{"NULL text", oneValue(text, false, null()), func(r *row) any { return r.text(0) }, "",
			shop.ProductValue, "thing 7: thing is NULL"},
		{"NULL stock", oneValue(stock, false, null()), func(r *row) any { return r.stock(0) }, int16(0),
			shop.ProductValue, "thing 7: thing is NULL"},
		{"NULL price", oneValue(price, false, null()), func(r *row) any { return r.price(0) }, shop.Cents(0),
			shop.ProductValue, "thing 7: thing is NULL"},
		{"not UTF-8", oneValue(text, false, str("caf\xe9")), func(r *row) any { return r.text(0) }, "",
			shop.ProductText, "thing 7: thing is not valid UTF-8 at byte 3 (0xE9)"},
		{"NUL in a repeated text", oneValue(text, false, str("a\x00")), func(r *row) any { return *r.repeated(0) }, "",
			shop.ProductText, "thing 7: thing holds a NUL at byte 1"},
		{"surrogate", oneValue(text, true, str("\xed\xa0\x80")), func(r *row) any {
			return r.optionalText(0)
		}, (*string)(nil),
			shop.ProductText, "thing 7: thing holds a surrogate, which is not valid UTF-8, at byte 0 (0xEDA080)"},
		{"much stock", oneValue(stock, false, signed(40_000)), func(r *row) any { return r.stock(0) }, int16(math.MaxInt16),
			shop.ProductStock, "thing 7: thing is 40000, taken as 32767"},
		{"stock without end", oneValue(stock, false, unsigned(math.MaxUint64)), func(r *row) any { return r.stock(0) },
			int16(math.MaxInt16), shop.ProductStock, "thing 7: thing is 18446744073709551615, taken as 32767"},
		{"debts of stock", oneValue(stock, false, str("-99999999999999999999")), func(r *row) any { return r.stock(0) },
			int16(math.MinInt16), shop.ProductStock, "thing 7: thing is -99999999999999999999, taken as -32768"},
		{"negative price", oneValue(price, false, str("-0.01")), func(r *row) any { return r.price(0) }, shop.Cents(0),
			shop.ProductAmount, "thing 7: thing is -0.01, want an amount from 0 to 99999999.99; taken as 0"},
		{"huge price", oneValue(price, false, str("100000000.00")), func(r *row) any { return r.price(0) }, shop.Cents(0),
			shop.ProductAmount, "thing 7: thing is 100000000.00, want an amount from 0 to 99999999.99; taken as 0"},
		{"three places", oneValue(amount, true, str("1.005")), func(r *row) any { return r.optionalCents(0) },
			(*shop.Cents)(nil), shop.ProductAmount, "thing 7: thing is not a decimal(10,2)"},
	}
	for _, test := range tests {
		if got := test.read(test.row); got != test.want {
			t.Errorf("%s: %v, want %v", test.name, got, test.want)
		}
		if got := test.row.faults.Examples(); len(got) != 1 || !slices.Equal(got[test.rule], []string{test.example}) {
			t.Errorf("%s: faults %q, want %q", test.name, got, test.example)
		}
	}
}

func TestRowWithoutAUsableKeyIsLeftOutAndNamed(t *testing.T) {
	t.Parallel()
	customer := func(r *row) bool { _, ok := r.key(shop.CustomerKey, "customer"); return ok }
	product := func(r *row) bool { _, ok := r.key(shop.ProductKey, "product"); return ok }
	tests := []struct {
		value mysql.FieldValue
		read  func(*row) bool
		rule  shop.Rule
		want  string
	}{
		{null(), customer, shop.CustomerKey, "a customer whose thing is NULL"},
		{unsigned(1 << 63), customer, shop.CustomerKey,
			"customer 9223372036854775808: thing is not from -9223372036854775808 to 9223372036854775807"},
		{null(), product, shop.ProductKey, "a product whose thing is NULL"},
		{str(""), product, shop.ProductKey, `product "": thing is empty`},
		{str("P\x001"), product, shop.ProductKey, `product "P\x001": thing holds a NUL at byte 1`},
		{str(strings.Repeat("é", 65)), product, shop.ProductKey, "thing is too long: 130 bytes, at most 128 are allowed"},
	}
	for _, test := range tests {
		r := oneValue(text, false, test.value)
		ok := test.read(r)
		if got := r.faults.Examples()[test.rule]; ok || len(got) != 1 || !strings.Contains(got[0], test.want) {
			t.Errorf("left out %v, example %q, want %q", !ok, got, test.want)
		}
	}
	for _, id := range []string{strings.Repeat("é", 64), "007", " ", "a@b.example"} {
		if got, ok := oneValue(text, false, str(id)).key(shop.ProductKey, "product"); !ok || got != id {
			t.Errorf("%q: %q, %v", id, got, ok)
		}
	}
	r := oneValue(key, false, str("\x01\xab\x00\xff\x01\xab\x00\xff\x01\xab\x00\xff\x01\xab\x00\xff"))
	r.setFields([]*mysql.Field{{Type: mysql.MYSQL_TYPE_STRING, Charset: binaryCharset, ColumnLength: binaryKeyBytes}})
	if got, ok := r.key(shop.ProductKey, "product"); !ok || got != strings.Repeat("01ab00ff", 4) {
		t.Errorf("BINARY(16): %q, %v", got, ok)
	}
}
