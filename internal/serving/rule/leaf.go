package rule

import (
	"cmp"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// field is a fact that an expression may ask for, as CEL and product_state name it.
type field string

const (
	fieldID         field = "id"
	fieldName       field = "name"
	fieldBrand      field = "brand"
	fieldCurrency   field = "currency"
	fieldURL        field = "url"
	fieldImage      field = "image"
	fieldCategories field = "categories"
	fieldPrice      field = "price"
	fieldStock      field = "stock"
	fieldAvailable  field = "available"
	fieldAttributes field = "attributes"
	fieldFirstSeen  field = "first_seen"
)

// kind is the type of a fact or of a literal.
type kind int

const (
	text   kind = iota + 1
	digits      // a number
	flag
	instant // a time
	list    // of texts
	open    // an attribute: each product has a value of its own type
)

// fields are the facts, with their types.
var fields = map[field]kind{fieldID: text, fieldName: text, fieldBrand: text, fieldCurrency: text, fieldURL: text,
	fieldImage: text, fieldCategories: list, fieldPrice: digits, fieldStock: digits, fieldAvailable: flag,
	fieldAttributes: open, fieldFirstSeen: instant}

// String names a type in the words of an error.
func (k kind) String() string {
	return [...]string{"nothing", "a text", "a number", "true or false", "a time", "a list of texts",
		"an attribute"}[k]
}

// op is how a leaf compares.
type op string

const (
	less         op = "<"
	lessEqual    op = "<="
	greater      op = ">"
	greaterEqual op = ">="
	equal        op = "=="
	notEqual     op = "!="
	among        op = "in" // a list of literals
	contains     op = "contains"
	prefix       op = "startsWith"
)

// value is a literal.
type value struct {
	kind   kind
	text   string
	number number
	flag   bool
	time   time.Time // in UTC, of whole microseconds
}

// compare orders values by type, and then by what they are.
func (v value) compare(w value) int {
	return cmp.Or(cmp.Compare(v.kind, w.kind), strings.Compare(v.text, w.text), v.number.compare(w.number),
		v.time.Compare(w.time), cmp.Compare(strconv.FormatBool(v.flag), strconv.FormatBool(w.flag)))
}

// String writes the literal as CEL reads it.
func (v value) String() string {
	switch v.kind {
	case digits:
		return v.number.String()
	case flag:
		return strconv.FormatBool(v.flag)
	case instant:
		return `timestamp("` + v.time.Format(time.RFC3339Nano) + `")`
	}
	return quoted(v.text)
}

var escapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`)

func quoted(s string) string { return `"` + escapes.Replace(s) + `"` }

// leaf compares one fact with literals. On a product whose fact is not known, or is of another type, it is
// false, whatever it compares.
type leaf struct {
	field  field
	key    string // of the attribute
	by     op
	values []value // ascending, each of them once
	not    bool    // the opposite
	spans  []span  // of a number or a time
	floats []float64
}

// ready computes what evaluating needs, from the rest.
func (l *leaf) ready() *leaf {
	slices.SortFunc(l.values, value.compare)
	l.values = slices.CompactFunc(l.values, func(a, b value) bool { return a.compare(b) == 0 })
	if l.by == among && len(l.values) == 1 {
		l.by = equal
	}
	switch l.field {
	case fieldPrice:
		l.spans = spans(l.by, l.numbers(), decimalPlaces)
	case fieldStock:
		l.spans = spans(l.by, l.numbers(), 0)
	case fieldFirstSeen:
		l.spans = spans(l.by, l.numbers(), microsecond)
	case fieldAttributes:
		for _, n := range l.numbers() {
			l.floats = append(l.floats, n.float())
		}
	}
	return l
}

// microsecond is how many decimal places of a second a time has.
const microsecond = 6

// numbers are the values that are numbers or, in seconds since 1970, times.
func (l *leaf) numbers() (all []number) {
	for _, v := range l.values {
		switch v.kind {
		case digits:
			all = append(all, v.number)
		case instant:
			all = append(all, number{v.time.UnixMicro(), microsecond})
		}
	}
	return all
}

// opposite is the leaf that holds where this one does not.
func (l *leaf) opposite() *leaf {
	other := *l
	other.not = !l.not
	return &other
}

// matchText compares a text byte by byte.
func (l *leaf) matchText(s string) bool {
	if l.by == among {
		_, found := slices.BinarySearchFunc(l.values, s, func(v value, s string) int {
			return cmp.Or(cmp.Compare(v.kind, text), strings.Compare(v.text, s))
		})
		return found
	}
	v := l.values[0]
	if v.kind != text {
		return false
	}
	if l.by == prefix {
		return strings.HasPrefix(s, v.text)
	}
	return l.holds(strings.Compare(s, v.text))
}

// holds says whether the comparison does, of a fact that is less than the literal (-1), equal (0) or greater.
func (l *leaf) holds(order int) bool {
	switch l.by {
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	case greaterEqual:
		return order >= 0
	case notEqual:
		return order != 0
	}
	return order == 0
}

// matchAttribute compares an attribute's value.
func (l *leaf) matchAttribute(v any) bool {
	switch v := v.(type) {
	case string:
		return l.matchText(v)
	case float64:
		switch {
		case math.IsNaN(v):
			return false
		case l.by == among:
			return slices.Contains(l.floats, v)
		}
		return len(l.floats) > 0 && l.holds(cmp.Compare(v, l.floats[0]))
	case bool:
		return slices.ContainsFunc(l.values, func(w value) bool { return w.kind == flag && w.flag == v })
	}
	return false
}

// match says whether the leaf holds for a product.
func (l *leaf) match(p *Product) bool { return l.asserted(p) != l.not }

// asserted is match, of the leaf without its not.
func (l *leaf) asserted(p *Product) bool {
	switch l.field {
	case fieldAvailable:
		return p.Available
	case fieldCategories:
		return slices.Contains(p.Categories, l.values[0].text)
	case fieldAttributes:
		return l.matchAttribute(p.Attributes[l.key])
	case fieldPrice, fieldStock, fieldFirstSeen:
		return holds(l.spans, p.whole(l.field))
	}
	s := p.text(l.field)
	return s != nil && l.matchText(*s)
}

// text is a fact that is a text; nil: it is not known.
func (p *Product) text(f field) *string {
	switch f {
	case fieldID:
		return &p.ID
	case fieldName:
		return p.Name
	case fieldBrand:
		return p.Brand
	case fieldCurrency:
		return p.Currency
	case fieldURL:
		return p.URL
	case fieldImage:
		return p.Image
	}
	return nil
}

// whole is a fact that is a number or a time, in the units of its column, or unknown.
func (p *Product) whole(f field) int64 {
	switch {
	case f == fieldPrice && p.Price != nil:
		return min(max(int64(*p.Price), least), most)
	case f == fieldStock && p.Stock != nil:
		return min(max(*p.Stock, least), most)
	case f == fieldFirstSeen && !p.FirstSeen.IsZero():
		return p.FirstSeen.UnixMicro()
	}
	return unknown
}

var plainKey = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// words have a meaning in CEL that keeps them from being keys after a point.
var words = []string{"in", "true", "false", "null"}

// String writes the leaf as CEL reads it.
func (l *leaf) String() string {
	fact := "product." + string(l.field)
	if l.field == fieldAttributes {
		if plainKey.MatchString(l.key) && !slices.Contains(words, l.key) {
			fact += "." + l.key
		} else {
			fact += "[" + quoted(l.key) + "]"
		}
	}
	literals := make([]string, len(l.values))
	for i, v := range l.values {
		literals[i] = v.String()
	}
	not, end := "", ""
	if l.not {
		not, end = "!(", ")"
	}
	switch {
	case l.field == fieldAvailable:
		return strings.TrimSuffix(not, "(") + fact
	case l.by == contains:
		return not + literals[0] + " in " + fact + end
	case l.by == among:
		return not + fact + " in [" + strings.Join(literals, ", ") + "]" + end
	case l.by == prefix:
		return strings.TrimSuffix(not, "(") + fact + ".startsWith(" + literals[0] + ")"
	}
	return not + fact + " " + string(l.by) + " " + literals[0] + end
}
