package activity

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// CustomerWrite says something of a customer. Each of its values, and whether each product is hidden, has
// an order of its own.
type CustomerWrite struct {
	ID     string
	Order  Order
	Values map[CustomerField]any
	Hidden map[string]bool // by product: whether it is left out of the customer's answers
	Forget bool            // what was said and done before is forgotten; then it says nothing else
}

// CustomerField is something that may be said of a customer.
type CustomerField string

// The fields of a customer, with the Go type of their values. A nil value is not known.
const (
	CustomerCountry     CustomerField = "country" // string
	CustomerCity        CustomerField = "city"    // string
	CustomerCreditLimit CustomerField = "credit_limit"
)

// maxHidden is how many products a customer event hides or shows.
const maxHidden = 1000

// parseCustomer reads what a customer event says. problem is the first broken rule.
func (e *Event) parseCustomer(data []byte) (w *CustomerWrite, problem string) {
	var said map[string]jsontext.Value
	if err := json.Unmarshal(data, &said); err != nil {
		return nil, "the event is not a JSON object"
	}
	problem = misspelt(said, "customer_number", "country", "city", "credit_limit", "hide", "show", "forget")
	if problem != "" {
		return nil, problem
	}
	if e.CustomerID == nil {
		return nil, "customer_number is missing"
	}
	if problem := e.CustomerID.problem(); problem != "" {
		return nil, "customer_number " + problem
	}
	w = &CustomerWrite{ID: string(*e.CustomerID), Values: map[CustomerField]any{}, Hidden: map[string]bool{}}
	for f, text := range map[CustomerField]string{CustomerCountry: e.Country, CustomerCity: e.City} {
		if utf8.RuneCountInString(text) > maxText {
			return nil, fmt.Sprintf("%s has more than %d characters", f, maxText)
		}
		if raw, given := said[string(f)]; given {
			if w.Values[f] = nil; raw.Kind() != 'n' {
				w.Values[f] = text
			}
		}
	}
	if _, given := said[string(CustomerCreditLimit)]; given {
		if w.Values[CustomerCreditLimit] = nil; e.CreditLimit != nil {
			w.Values[CustomerCreditLimit] = *e.CreditLimit
		}
	}
	if problem := w.hide(data); problem != "" {
		return nil, problem
	}
	switch says := len(w.Values)+len(w.Hidden) > 0; {
	case w.Forget && says:
		return nil, "an event that forgets a customer says nothing else"
	case !w.Forget && !says:
		return nil, "the event says nothing of the customer: it has none of the fields country, city, credit_limit, hide, " +
			"show and forget"
	}
	return w, ""
}

// hide reads which products are hidden and shown, and whether the customer is forgotten.
func (w *CustomerWrite) hide(data []byte) (problem string) {
	var said struct {
		Hide   []ID `json:"hide"`
		Show   []ID `json:"show"`
		Forget bool `json:"forget"`
	}
	if json.Unmarshal(data, &said) != nil {
		return "hide or show is no list of products, or forget is not true or false"
	}
	if len(said.Hide)+len(said.Show) > maxHidden {
		return fmt.Sprintf("hide and show have more than %d products", maxHidden)
	}
	w.Forget = said.Forget
	for hidden, codes := range map[bool][]ID{true: said.Hide, false: said.Show} {
		for _, code := range codes {
			if problem := code.problem(); problem != "" {
				return "a product in hide or show " + problem
			}
			if other, known := w.Hidden[string(code)]; known && other != hidden {
				return "a product is in hide and in show"
			}
			w.Hidden[string(code)] = hidden
		}
	}
	return ""
}

// misspelt finds a field that is one of names but for its case: it would be passed over.
func misspelt(said map[string]jsontext.Value, names ...string) (problem string) {
	for name := range said {
		for _, want := range names {
			if name != want && strings.EqualFold(name, want) {
				return "a field's name differs from " + want + " only by case; write " + want
			}
		}
	}
	return ""
}
