package activity

import (
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kindred/internal/platform/text"
)

// ID is the id of a customer or a product, by the rule of text.CheckID. In JSON it is a string or a
// whole number, which is the same id: 7 and "7" are one, "007" is another. It is written as a string.
type ID string

// UnmarshalJSONFrom reads a string, or a number of up to 53 bits without fraction and exponent: other
// readers of JSON make something else of larger ones, and of 7.0 and 7e0. null is "". The length is
// Parse's to check.
func (id *ID) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	token, err := dec.ReadToken()
	if err != nil {
		return err
	}
	value := token.String()
	switch token.Kind() {
	case '"':
	case 'n':
		value = ""
	case '0':
		if n, whole := text.Integer(value); whole && -text.MaxInteger <= n && n <= text.MaxInteger {
			break
		}
		return idFault(dec, "is a number, but not an id: write it as a string, or as digits without point and exponent, up "+
			"to 9007199254740991")
	default:
		return idFault(dec, "is "+kind(token.Kind())+", want a string or a whole number")
	}
	*id = ID(value)
	return nil
}

// UnmarshalJSON is UnmarshalJSONFrom for encoding/json.
func (id *ID) UnmarshalJSON(data []byte) error { return json.Unmarshal(data, id) }

func idFault(dec *jsontext.Decoder, problem string) *Fault {
	field := strings.ReplaceAll(strings.TrimPrefix(string(dec.StackPointer()), "/"), "/", ".")
	return &Fault{ReasonSchema, field + " " + problem}
}

// problem is what keeps a value from being an id; "" for none.
func (id ID) problem() string {
	switch {
	case id == "":
		return "is empty"
	case len(id) > text.MaxID:
		return fmt.Sprintf("has %d bytes, want 1 to %d", len(id), text.MaxID)
	}
	return "" // Parse has refused what is no text
}
