package activity

import (
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kindred/internal/platform/text"
)

// Field is something that may be said of a product. Each field has an order of its own.
type Field string

// The fields of a product, with the Go type of their values. A nil value is not known.
const (
	FieldAvailable  Field = "available"  // bool: whether it can be bought. Stock is written with it
	FieldStock      Field = "stock"      // int64; nil: not counted
	FieldHidden     Field = "hidden"     // bool, never nil: it is not to be recommended, even if it can be bought
	FieldPrice      Field = "price"      // string: a decimal number with at most four places
	FieldCurrency   Field = "currency"   // string, as all that follow but two
	FieldCategories Field = "categories" // []string
	FieldBrand      Field = "brand"
	FieldName       Field = "name"
	FieldURL        Field = "url"
	FieldImage      Field = "image"
	FieldAttributes Field = "attributes" // map[string]any: texts, numbers and flags
)

// FieldFirstSeen is when something was first said of a product. Nobody writes it.
const FieldFirstSeen Field = "first_seen"

// Fields are all fields. A catalogue's digest has them in this order: add at the end.
func Fields() []Field {
	return []Field{FieldAvailable, FieldStock, FieldHidden, FieldPrice, FieldCurrency, FieldCategories, FieldBrand,
		FieldName, FieldURL, FieldImage, FieldAttributes}
}

// ProductWrite says the values of some fields of a product.
type ProductWrite struct {
	ID     string
	Order  Order
	Values map[Field]any
}

// Limits of what a product event says.
const (
	maxCategories = 1000
	maxText       = 4096 // characters
)

// price is a decimal number that the vector database holds exactly.
var price = regexp.MustCompile(`^(0|[1-9][0-9]{0,13})(\.[0-9]{1,4})?$`)

// parseProduct reads what a product event says. problem is the first broken rule.
func parseProduct(data []byte) (w *ProductWrite, problem string) {
	var said map[string]jsontext.Value
	var id struct {
		ProductCode ID `json:"product_code"`
	}
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, "the event is not a JSON object"
	}
	if err := json.Unmarshal(data, &id); err != nil {
		return nil, "product_code is not an id: want a string or a whole number"
	}
	if problem := id.ProductCode.problem(); problem != "" {
		return nil, "product_code " + problem
	}
	w = &ProductWrite{ID: string(id.ProductCode), Values: map[Field]any{}}
	var names []string
	for _, f := range Fields() {
		names = append(names, string(f))
	}
	if problem := misspelt(said, names...); problem != "" {
		return nil, problem
	}
	for _, f := range Fields() {
		raw, given := said[string(f)]
		if !given {
			continue
		}
		value, problem := valueOf(f, raw)
		if problem != "" {
			return nil, string(f) + " " + problem
		}
		w.Values[f] = value
	}
	if len(w.Values) == 0 {
		return nil, "the event has none of the fields of a product: available, stock, hidden, price, …"
	}
	// Whoever says a stock says with it whether the product can be bought.
	stock, counted := w.Values[FieldStock].(int64)
	if _, said := w.Values[FieldAvailable]; counted && !said {
		w.Values[FieldAvailable] = stock > 0
	}
	return w, ""
}

// valueOf reads a field's value.
func valueOf(f Field, raw jsontext.Value) (value any, problem string) {
	null := raw.Kind() == 'n'
	switch f {
	case FieldAvailable, FieldHidden:
		switch {
		case null && f == FieldAvailable:
			return nil, ""
		case raw.Kind() != 't' && raw.Kind() != 'f':
			return nil, "is " + kind(raw.Kind()) + ", want true or false"
		}
		return raw.Kind() == 't', ""
	}
	if null {
		return nil, ""
	}
	switch f {
	case FieldStock:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		if err != nil || n > text.MaxInteger || n < -text.MaxInteger {
			return nil, "is not a whole number up to 9007199254740991"
		}
		return n, ""
	case FieldPrice:
		number := string(raw)
		if raw.Kind() == '"' {
			number = unquoted(raw)
		}
		if !price.MatchString(number) {
			return nil, "is not a decimal number from 0 with at most 14 digits before the point and 4 after it"
		}
		return number, ""
	case FieldCategories:
		var all []string
		if json.Unmarshal(raw, &all) != nil || len(all) > maxCategories {
			return nil, fmt.Sprintf("is not a list of at most %d texts", maxCategories)
		}
		return all, ""
	case FieldAttributes:
		var all map[string]any
		if json.Unmarshal(raw, &all) != nil {
			return nil, "is not an object"
		}
		for _, value := range all {
			switch value.(type) {
			case string, float64, bool:
			default:
				return nil, "has a value that is not a text, a number, true or false"
			}
		}
		return all, ""
	}
	if raw.Kind() != '"' || utf8.RuneCountInString(unquoted(raw)) > maxText {
		return nil, fmt.Sprintf("is not a text of at most %d characters", maxText)
	}
	return unquoted(raw), ""
}

// unquoted is the text of a valid JSON string.
func unquoted(raw jsontext.Value) string {
	s, _ := jsontext.AppendUnquote(nil, raw) // it is valid
	return string(s)
}
