package mysqlsource

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	textrule "kindred/internal/platform/text"
	"kindred/internal/shop"
)

// historyRow decodes one row of a shop with interactions, whose values are valid until the next
// row. What breaks a rule is counted in faults under the row's key. No message shows a customer's
// values.
type historyRow struct {
	layout *layout
	values []mysql.FieldValue
	faults *shop.Faults
	texts  map[string]string // texts that other rows have too
	name   string            // of the row, by its key, once the key is read
	broken []shop.Rule       // by this row: each rule counts a row once

	product, order  []byte    // of an interaction
	ids             [4][]byte // room for numbers as text
	value, quantity float64   // what Interaction points to
}

// get is a column's value; nil where the column is not there or NULL.
func (r *historyRow) get(column string) *mysql.FieldValue {
	i, ok := r.layout.at[column]
	if !ok || r.values[i].Type == mysql.FieldValueTypeNull {
		return nil
	}
	return &r.values[i]
}

func (r *historyRow) has(column string) bool { _, ok := r.layout.at[column]; return ok }

func (r *historyRow) begin(name string) { r.name, r.broken = name, r.broken[:0] }

func (r *historyRow) fault(rule shop.Rule, column, problem string) {
	if !slices.Contains(r.broken, rule) {
		r.broken = append(r.broken, rule)
		r.faults.Add(rule, func() string { return r.title() + ": " + column + " " + problem })
	}
}

// title names the row in a message.
func (r *historyRow) title() string {
	if r.name != "" {
		return r.name
	}
	return shop.InteractionName(r.product, r.order)
}

// bytesOf is a value as text; room is for a number's digits.
func bytesOf(v *mysql.FieldValue, room []byte) []byte {
	switch v.Type {
	case mysql.FieldValueTypeSigned:
		return strconv.AppendInt(room[:0], v.AsInt64(), 10)
	case mysql.FieldValueTypeUnsigned:
		return strconv.AppendUint(room[:0], v.AsUint64(), 10)
	case mysql.FieldValueTypeFloat:
		return strconv.AppendFloat(room[:0], v.AsFloat64(), 'f', -1, 64)
	}
	return v.AsString()
}

var errIDBytes = errors.New("has not 16 bytes")

// id is a key as text: a number's decimal form, a binary one's hex digits. It is empty for NULL and
// for an empty text. place is where its room is.
func (r *historyRow) id(column string, place int) ([]byte, error) {
	v := r.get(column)
	if v == nil {
		return nil, nil
	}
	field := r.layout.fields[r.layout.at[column]]
	b := bytesOf(v, r.ids[place])
	switch {
	case v.Type != mysql.FieldValueTypeString:
		r.ids[place] = b
		return b, nil
	case field.Type == mysql.MYSQL_TYPE_NEWDECIMAL: // digits
		return b, nil
	case field.Charset == binaryCharset:
		if len(b) != idBytes {
			return nil, errIDBytes
		}
		r.ids[place] = hex.AppendEncode(r.ids[place][:0], b)
		return r.ids[place], nil
	}
	return b, textrule.CheckBytes(b, shop.MaxIDBytes)
}

// key reads the id of a product or customer. what names the row in a fault.
func (r *historyRow) key(rule shop.Rule, what string) (string, bool) {
	b, err := r.id("id", 0)
	if err == nil && len(b) == 0 {
		err = errors.New("is NULL or empty")
	}
	if err != nil {
		shown := what
		if len(b) > 0 {
			shown += " " + strconv.Quote(string(b[:min(len(b), shop.MaxIDBytes)]))
		}
		r.faults.Add(rule, func() string { return fmt.Sprintf("%s: id %v", shown, err) })
		return "", false
	}
	return string(b), true
}

// listing decodes a product. ok is false for one without a usable id.
func (r *historyRow) listing() (p shop.Listing, ok bool) {
	if p.ID, ok = r.key(shop.ProductKey, "product"); !ok {
		return p, false
	}
	r.begin(shop.ProductName(p.ID))
	if p.Name = r.text("name", shop.ProductText); p.Name == "" {
		r.fault(shop.ProductValue, "name", "is NULL or empty, taken as the id")
		p.Name = p.ID
	}
	p.Categories = r.categories()
	p.Brand, p.Currency = r.share(r.text("brand", shop.ProductText)), r.share(r.text("currency", shop.ProductText))
	p.URL, p.Image = r.text("url", shop.ProductText), r.text("image", shop.ProductText)
	if v := r.get("price"); v != nil {
		text := string(bytesOf(v, nil))
		if m, err := shop.ParseMoney(text); err != nil {
			r.fault(shop.ProductAmount, "price", fmt.Sprintf("is %s, %v; taken as not known", text, err))
		} else {
			p.Price = &m
		}
	}
	p.Stock = r.stock()
	p.Available = r.available(p.Stock)
	p.Attributes = r.attributes(shop.ProductAttribute)
	return p, true
}

// available is what the column says, else whether there is stock. Without either everything is.
func (r *historyRow) available(stock *int64) bool {
	if !r.has("available") {
		return stock == nil || *stock > 0
	}
	v := r.get("available")
	if v == nil {
		r.fault(shop.ProductValue, "available", "is NULL, taken as 0")
		return false
	}
	if r.layout.fields[r.layout.at["available"]].Type == mysql.MYSQL_TYPE_BIT {
		return strings.Trim(string(v.AsString()), "\x00") != ""
	}
	n, err := strconv.ParseFloat(string(bytesOf(v, nil)), 64)
	return err != nil || n > 0
}

// stock is a whole number; parts are cut off.
func (r *historyRow) stock() *int64 {
	n, ok := r.number("stock")
	if !ok {
		return nil
	}
	const most = 1e15
	if math.Abs(n) > most {
		nearest := math.Copysign(most, n)
		r.fault(shop.ProductStock, "stock", fmt.Sprintf("is %g, taken as %.0f", n, nearest))
		n = nearest
	}
	return new(int64(n))
}

// categories are sorted, because a server gives the texts of a JSON list in any order.
func (r *historyRow) categories() []string {
	text := strings.TrimSpace(r.text("categories", shop.ProductText))
	if text == "" {
		return nil
	}
	list := []string{text}
	if text[0] == '[' {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			r.fault(shop.ProductCategories, "categories", "is no JSON list of texts, taken as none")
			return nil
		}
	}
	var all []string
	for _, c := range list {
		if c = strings.TrimSpace(c); c == "" || textrule.Check(c, textrule.NoLimit) != nil {
			continue // NULL is "" here
		}
		all = append(all, r.share(c))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// shopper decodes a customer. ok is false for one without a usable id.
func (r *historyRow) shopper() (c shop.Shopper, ok bool) {
	if c.ID, ok = r.key(shop.CustomerKey, "a customer"); !ok {
		return c, false
	}
	r.begin(shop.CustomerID(c.ID))
	c.Country = r.share(r.text("country", shop.CustomerText))
	c.City = r.share(r.text("city", shop.CustomerText))
	c.Attributes = r.attributes(shop.CustomerAttribute)
	return c, true
}

// text is empty for NULL and for what is no text.
func (r *historyRow) text(column string, rule shop.Rule) string {
	v := r.get(column)
	if v == nil {
		return ""
	}
	b := bytesOf(v, nil)
	if err := textrule.CheckBytes(b, textrule.NoLimit); err != nil {
		r.fault(rule, column, err.Error())
		return ""
	}
	return string(b)
}

// share gives equal texts the same memory.
func (r *historyRow) share(text string) string {
	if known, ok := r.texts[text]; ok {
		return known
	}
	if r.texts == nil {
		r.texts = map[string]string{}
	}
	r.texts[text] = text
	return text
}

func (r *historyRow) attributes(rule shop.Rule) (all []shop.Attribute) {
	for _, e := range r.layout.extra {
		v := &r.values[e.at]
		if v.Type == mysql.FieldValueTypeNull {
			continue
		}
		a := shop.Attribute{Name: e.name}
		b := bytesOf(v, nil)
		switch e.kind {
		case flagAttribute:
			a.Flag = new(strings.Trim(string(b), "\x000") != "")
		case numberAttribute:
			n, err := strconv.ParseFloat(string(b), 64)
			if err != nil || n-n != 0 {
				r.fault(rule, e.name, "is not a finite number")
				continue
			}
			a.Number = &n
		default:
			if len(b) == 0 {
				continue
			}
			if err := textrule.CheckBytes(b, shop.MaxAttributeBytes); err != nil {
				r.fault(rule, e.name, err.Error())
				continue
			}
			a.Text = new(r.share(string(b)))
		}
		all = append(all, a)
	}
	return all
}

// number reads a column of numbers; ok is false for NULL.
func (r *historyRow) number(column string) (n float64, ok bool) {
	v := r.get(column)
	if v == nil {
		return 0, false
	}
	switch v.Type {
	case mysql.FieldValueTypeSigned:
		return float64(v.AsInt64()), true
	case mysql.FieldValueTypeUnsigned:
		return float64(v.AsUint64()), true
	case mysql.FieldValueTypeFloat:
		return v.AsFloat64(), true
	}
	n, err := strconv.ParseFloat(string(v.AsString()), 64)
	return n, err == nil
}

// interaction decodes a row of the interactions. ok is false for one that is left out.
func (r *historyRow) interaction() (i shop.Interaction, ok bool) {
	r.begin("")
	r.product, r.order = nil, nil
	var errs [4]error
	i.Customer, errs[0] = r.id("customer", 0)
	i.Session, errs[1] = r.id("session", 1)
	i.Product, errs[2] = r.id("product", 2)
	i.Order, errs[3] = r.id("order_id", 3)
	for at, column := range []string{"customer", "session", "product"} {
		if errs[at] != nil {
			r.fault(shop.InteractionID, column, errs[at].Error())
			return i, false
		}
	}
	r.product, r.order = i.Product, i.Order
	switch {
	case len(i.Product) == 0:
		r.fault(shop.InteractionKey, "product", "is NULL or empty")
		return i, false
	case len(i.Customer) == 0 && len(i.Session) == 0:
		r.fault(shop.InteractionKey, "customer", "and session are NULL or empty")
		return i, false
	}
	if i.Kind, ok = r.kind(); !ok || !r.amounts(&i) {
		return i, false
	}
	if errs[3] != nil {
		r.fault(shop.InteractionOrder, "order_id", errs[3].Error())
		i.Order = nil
	}
	i.At = r.moment("at")
	return i, true
}

// kind is in lower case.
func (r *historyRow) kind() ([]byte, bool) {
	v := r.get("kind")
	if v == nil {
		r.fault(shop.InteractionKind, "kind", "is NULL")
		return nil, false
	}
	b := bytesOf(v, nil)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	if len(b) == 0 {
		r.fault(shop.InteractionKind, "kind", "is empty")
		return nil, false
	}
	if err := textrule.CheckBytes(b, shop.MaxKindBytes); err != nil {
		r.fault(shop.InteractionKind, "kind", err.Error())
		return nil, false
	}
	return b, true
}

// amounts reads value and quantity.
func (r *historyRow) amounts(i *shop.Interaction) bool {
	if n, ok := r.number("value"); ok {
		r.value, i.Value = n, &r.value
	}
	if n, ok := r.number("quantity"); ok {
		r.quantity, i.Quantity = n, &r.quantity
	}
	switch {
	case string(i.Kind) == shop.KindRating &&
		(i.Value == nil || !(*i.Value >= shop.MinStars && *i.Value <= shop.MaxStars)):
		r.fault(shop.InteractionValue, "value", fmt.Sprintf("of a rating is not from %d to %d", shop.MinStars, shop.MaxStars))
		return false
	case i.Value != nil && !(math.Abs(*i.Value) <= shop.MaxValue):
		r.fault(shop.InteractionValue, "value", fmt.Sprintf("is beyond %.0e", shop.MaxValue))
		return false
	case i.Quantity != nil && (*i.Quantity == 0 || !(math.Abs(*i.Quantity) <= shop.MaxQuantity)):
		r.fault(shop.InteractionQuantity, "quantity", fmt.Sprintf("is 0 or beyond %.0e", shop.MaxQuantity))
		return false
	}
	return true
}

// moment reads a DATETIME or DATE in UTC.
func (r *historyRow) moment(column string) int64 {
	v := r.get(column)
	if v == nil {
		return shop.NoMoment
	}
	at, known, ok := parseMoment(string(v.AsString()))
	if !ok {
		r.fault(shop.InteractionTime, column, "is a date that does not exist")
	}
	if !known {
		return shop.NoMoment
	}
	return at
}

// parseMoment reads "2006-01-02 15:04:05.999999", or the date alone, as milliseconds. MySQL's zero
// date is not known. ok is false for a date that does not exist.
func parseMoment(s string) (ms int64, known, ok bool) {
	var part [7]int // year, month, day, hour, minute, second, microseconds
	digits, place := 0, 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= '0' && c <= '9' {
			if digits++; place < len(part) && digits <= 6 {
				part[place] = part[place]*10 + int(c-'0')
			}
			continue
		}
		place, digits = place+1, 0
	}
	for ; place == 6 && digits < 6; digits++ {
		part[6] *= 10
	}
	year, month, day := part[0], part[1], part[2]
	if year == 0 && month == 0 && day == 0 {
		return 0, false, true
	}
	if year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || part[3] > 23 || part[4] > 59 ||
		part[5] > 59 {
		return 0, false, false
	}
	seconds := int64(daysSince1970(year, month, day))*86400 + int64(part[3]*3600+part[4]*60+part[5])
	return seconds*1000 + int64(part[6])/1000, true, true
}
