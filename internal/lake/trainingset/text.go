package trainingset

import (
	"fmt"

	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// column is a column's name and one of its values; nil: NULL.
type column struct {
	name string
	text *string
}

// checkCustomer refuses a customer whose texts a later reader could not store. Its message shows the
// key, never the text.
func checkCustomer(c *shop.Customer) error {
	err := checkID("customerNumber", c.ID)
	if err == nil {
		err = checkTexts(column{"customerName", &c.Name}, column{"city", &c.City}, column{"state", c.State},
			column{"postalCode", c.PostalCode}, column{"country", &c.Country})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shop.CustomerName(c.ID), err)
	}
	return nil
}

// checkProduct is checkCustomer for a product.
func checkProduct(p *shop.Product) error {
	err := checkID("productCode", p.Code)
	if err == nil {
		err = checkTexts(column{"productName", &p.Name}, column{"productLine", &p.Line},
			column{"productScale", &p.Scale}, column{"productVendor", &p.Vendor})
	}
	if err != nil {
		return fmt.Errorf("%s: %w", shop.ProductName(p.Code), err)
	}
	return nil
}

func checkID(name, id string) error {
	if err := text.CheckID(id); err != nil {
		return fmt.Errorf("%s %w", name, err)
	}
	return nil
}

// checkTexts names the first column whose value is no text.
func checkTexts(columns ...column) error {
	for _, c := range columns {
		if c.text == nil {
			continue
		}
		if err := text.Check(*c.text, text.NoLimit); err != nil {
			return fmt.Errorf("%s %w", c.name, err)
		}
	}
	return nil
}
