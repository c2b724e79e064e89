package mysqlsource

import (
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	textrule "kindred/internal/platform/text"
	"kindred/internal/shop"
)

// row decodes one row of customers or products, whose values are valid until the next row. A value
// that breaks a rule is counted in faults under the row's key and replaced: NULL and bad text by
// "not known", a number that is too large by the nearest that can be kept. No message shows a
// customer's values.
type row struct {
	table  table
	values []mysql.FieldValue
	texts  map[string]*string // texts that other rows have too
	faults *shop.Faults
	id     string                 // of the row, once it is read
	named  func(id string) string // names the row in a message
	broken []shop.Rule            // by this row: each rule counts a row once
	forms  []keyForm              // by column; only those of keys count
}

// setFields takes what the server announces of the columns.
func (r *row) setFields(fields []*mysql.Field) {
	r.forms = make([]keyForm, len(fields))
	for i, f := range fields {
		r.forms[i] = formOf(f)
	}
}

// customer decodes a row of customersTable. ok is false for a row without a usable key.
func (r *row) customer() (c shop.Customer, ok bool) {
	if c.ID, ok = r.key(shop.CustomerKey, "customer"); !ok {
		return c, false
	}
	r.id, r.named, r.broken = c.ID, shop.CustomerName, r.broken[:0]
	c.Name = r.text(1)
	c.City, c.State, c.PostalCode, c.Country = *r.repeated(2), r.optionalText(3), r.optionalText(4), *r.repeated(5)
	c.CreditLimit = r.optionalCents(6)
	return c, true
}

// product decodes a row of productsTable. ok is false for a row without a usable key.
func (r *row) product() (p shop.Product, ok bool) {
	if p.Code, ok = r.key(shop.ProductKey, "product"); !ok {
		return p, false
	}
	r.id, r.named, r.broken = p.Code, shop.ProductName, r.broken[:0]
	p.Name, p.Line, p.Scale, p.Vendor = r.text(1), *r.repeated(2), *r.repeated(3), *r.repeated(4)
	p.QuantityInStock = r.stock(5)
	p.BuyPrice, p.MSRP = r.price(6), r.price(7)
	return p, true
}

// fault counts a row whose value breaks a rule.
func (r *row) fault(rule shop.Rule, i int, problem string) {
	if slices.Contains(r.broken, rule) {
		return
	}
	r.broken = append(r.broken, rule)
	r.faults.Add(rule, func() string { return r.named(r.id) + ": " + r.table.columns[i].name + " " + problem })
}

func (r *row) isNull(i int) bool { return r.values[i].Type == mysql.FieldValueTypeNull }

// missing reports NULL, which is counted: the contract wants a value.
func (r *row) missing(i int) bool {
	if !r.isNull(i) {
		return false
	}
	r.fault(r.table.missing, i, "is NULL")
	return true
}

// key reads the id of a customer or a product, the first column. ok is false for what can be none, which breaks rule.
func (r *row) key(rule shop.Rule, what string) (id string, ok bool) {
	const i = 0
	column := r.table.columns[i].name
	if r.isNull(i) {
		r.faults.Add(rule, func() string { return "a " + what + " whose " + column + " is NULL" })
		return "", false
	}
	form := formText
	if i < len(r.forms) {
		form = r.forms[i]
	}
	switch v := &r.values[i]; {
	case form == formBinary:
		return hex.EncodeToString(v.AsString()), true
	case form == formText && v.Type == mysql.FieldValueTypeString:
		id = string(v.AsString())
	default:
		n, exact := r.integer(i)
		if !exact {
			shown := r.shown(i)
			r.faults.Add(rule, func() string {
				return fmt.Sprintf("%s %s: %s is not from %d to %d", what, shown, column, math.MinInt64, math.MaxInt64)
			})
			return "", false
		}
		return strconv.FormatInt(n, 10), true
	}
	if problem := textrule.CheckID(id); problem != nil {
		r.faults.Add(rule, func() string { return fmt.Sprintf("%s %q: %s %v", what, id, column, problem) })
		return "", false
	}
	return id, true
}

// integer reads a whole number. exact is false when it does not fit.
func (r *row) integer(i int) (n int64, exact bool) {
	switch v := &r.values[i]; v.Type {
	case mysql.FieldValueTypeSigned:
		return v.AsInt64(), true
	case mysql.FieldValueTypeUnsigned:
		u := v.AsUint64()
		return int64(u), u <= math.MaxInt64
	default: // a decimal without places
		n, err := strconv.ParseInt(string(v.AsString()), 10, 64)
		return n, err == nil
	}
}

// shown is a key or a number of a product as the server gives it, for a message.
func (r *row) shown(i int) string {
	switch v := &r.values[i]; v.Type {
	case mysql.FieldValueTypeSigned:
		return strconv.FormatInt(v.AsInt64(), 10)
	case mysql.FieldValueTypeUnsigned:
		return strconv.FormatUint(v.AsUint64(), 10)
	default:
		return string(v.AsString())
	}
}

// stock is a quantity, or the nearest one that fits.
func (r *row) stock(i int) int16 {
	if r.missing(i) {
		return 0
	}
	n, exact := r.integer(i)
	if exact && n >= math.MinInt16 && n <= math.MaxInt16 {
		return int16(n)
	}
	nearest := int16(math.MaxInt16)
	if strings.HasPrefix(r.shown(i), "-") {
		nearest = math.MinInt16
	}
	r.fault(r.table.stock, i, fmt.Sprintf("is %s, taken as %d", r.shown(i), nearest))
	return nearest
}

// bytes are valid until the next row. ok is false for NULL and for what is not text.
func (r *row) bytes(i int) (b []byte, ok bool) {
	if r.isNull(i) {
		return nil, false
	}
	b = r.values[i].AsString()
	if err := textrule.CheckBytes(b, textrule.NoLimit); err != nil {
		r.fault(r.table.badText, i, err.Error())
		return nil, false
	}
	return b, true
}

func (r *row) text(i int) string {
	r.missing(i)
	b, _ := r.bytes(i)
	return string(b)
}

// repeated is a text that other rows have too: one string for all of them.
func (r *row) repeated(i int) *string {
	r.missing(i)
	b, _ := r.bytes(i)
	return r.share(b)
}

func (r *row) share(b []byte) *string {
	known := r.texts[string(b)]
	if known == nil {
		if r.texts == nil {
			r.texts = map[string]*string{}
		}
		known = new(string(b))
		r.texts[*known] = known
	}
	return known
}

func (r *row) optionalText(i int) *string {
	b, ok := r.bytes(i)
	if !ok {
		return nil
	}
	return r.share(b)
}

// price is an amount of a product; 0 stands for "not known".
func (r *row) price(i int) shop.Cents {
	if r.missing(i) {
		return 0
	}
	c, err := shop.ParseCents(r.shown(i))
	if err != nil || c < 0 {
		r.fault(r.table.amount, i, fmt.Sprintf("is %s, want an amount from 0 to %s; taken as 0", r.shown(i), shop.MaxCents))
		return 0
	}
	return c
}

func (r *row) optionalCents(i int) *shop.Cents {
	if r.isNull(i) {
		return nil
	}
	c, err := shop.ParseCents(r.shown(i))
	if err != nil {
		r.fault(r.table.amount, i, "is not a decimal(10,2)")
		return nil
	}
	return &c
}
