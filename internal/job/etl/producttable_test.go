package etl

import (
	"fmt"
	"strings"
	"testing"

	"kindred/internal/shop"
)

func TestProductTableFindsEachCodeAndNoOther(t *testing.T) {
	t.Parallel()
	var products []shop.Product
	for size := range 40 { // of all lengths, alike but for one byte, with zeros
		products = append(products, shop.Product{Code: strings.Repeat("\x00", size)},
			shop.Product{Code: strings.Repeat("a", size) + "b"},
			shop.Product{Code: "b" + strings.Repeat("a", size) + "é"})
	}
	for i := range 20_000 {
		products = append(products, shop.Product{Code: fmt.Sprintf("S%d_%05d", i%690, i)})
	}
	table := newProductTable(products)
	for i, p := range products {
		if got, known := table.find(p.Code); !known || got != int32(i) {
			t.Fatalf("code %q: %d, %v, want %d", p.Code, got, known, i)
		}
		if _, known := table.find(p.Code + "?"); known {
			t.Fatalf("code %q? is known", p.Code)
		}
	}
	empty := newProductTable(nil)
	if _, known := empty.find(""); known {
		t.Error("an empty table knows a code")
	}
}
