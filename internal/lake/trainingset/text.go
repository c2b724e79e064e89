package trainingset

import (
	"fmt"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// checkCustomer refuses a customer whose texts a later reader could not store. Its message shows the
// key, never the text.
func checkCustomer(c shop.Customer) error {
	if err := checkTexts(&c.Name, &c.City, c.State, c.PostalCode, &c.Country); err != nil {
		return fmt.Errorf("%s: a text %w", shop.CustomerName(c.Number), err)
	}
	return nil
}

// checkProduct is checkCustomer for a product.
func checkProduct(p shop.Product) error {
	if err := checkTexts(&p.Code, &p.Name, &p.Line, &p.Scale, &p.Vendor); err != nil {
		return fmt.Errorf("%s: a text %w", shop.ProductName(p.Code), err)
	}
	return nil
}

func checkTexts(texts ...*string) error {
	for _, s := range texts {
		if s == nil {
			continue
		}
		if err := text.Check(*s, text.NoLimit); err != nil {
			return err
		}
	}
	return nil
}
