package etl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"kindred/internal/shop"
)

// oneCurrency refuses products whose prices are in several currencies: rules and models compare prices as numbers, and
// nothing converts them. A price without a currency is in the shop's. Errors: ErrCurrencies, with a product of each.
func oneCurrency(products []shop.Listing) error {
	of := map[string]string{} // a product, by currency
	for i := range products {
		p := &products[i]
		if p.Price != nil && p.Currency != "" && of[p.Currency] == "" {
			of[p.Currency] = p.ID
		}
	}
	if len(of) < 2 {
		return nil
	}
	const shown = 5
	var found []string
	for _, currency := range slices.Sorted(maps.Keys(of)) {
		found = append(found, fmt.Sprintf("%q (such as that of %s)", currency, shop.ProductName(of[currency])))
	}
	return fmt.Errorf("%w: %s; read the prices of one currency alone, by --currency of a preset or in the mapping",
		ErrCurrencies, strings.Join(found[:min(len(found), shown)], ", "))
}
