package etl

import (
	"errors"
	"strings"
	"testing"

	"kindred/internal/shop"
)

// TestPricesHaveOneCurrency: a product without a price, or a price without a currency, is no other one.
func TestPricesHaveOneCurrency(t *testing.T) {
	t.Parallel()
	price := new(shop.Money(100))
	products := []shop.Listing{{ID: "a", Price: price, Currency: "EUR"}, {ID: "b", Price: price},
		{ID: "c", Currency: "USD"}, {ID: "d", Price: price, Currency: "EUR"}}
	if err := oneCurrency(products); err != nil {
		t.Errorf("one currency: %v", err)
	}
	products = append(products, shop.Listing{ID: "e", Price: price, Currency: "USD"},
		shop.Listing{ID: "f", Price: price, Currency: "USD"})
	err := oneCurrency(products)
	for _, part := range []string{`"EUR"`, `"USD"`, shop.ProductName("a"), shop.ProductName("e"), "--currency"} {
		if !errors.Is(err, ErrCurrencies) || !strings.Contains(err.Error(), part) {
			t.Errorf("two currencies: %v, want %s", err, part)
		}
	}
}
