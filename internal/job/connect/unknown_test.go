package connect

import (
	"strings"
	"testing"

	"kindred/internal/job/etl"
	"kindred/internal/shop"
)

func TestUnknownIdsAreSaidAtOnce(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		products, customers int64
		want                []string
		advice              int
	}{
		{0, 0, []string{"0.0 % of the interactions name a product", "0.0 % a customer"}, 0},
		{5, 4, []string{"5.0 % of the interactions name a product", "4.0 % a customer"}, 0},
		{6, 0, []string{"6.0 % of the interactions", "does product in its query of interactions"}, 1},
		{100, 50, []string{"100.0 % of the interactions", "50.0 % a customer", "does customer in its query"}, 2},
	} {
		counts := etl.HistoryCounts{Interactions: 100, Broken: map[shop.Rule]int64{shop.InteractionProduct: test.products,
			shop.InteractionCustomer: test.customers}}
		text := newUnknown(counts).text()
		for _, want := range test.want {
			if !strings.Contains(text, want) {
				t.Errorf("%q lacks %q", text, want)
			}
		}
		if n := strings.Count(text, "Check the mapping"); n != test.advice {
			t.Errorf("%q advises %d times, want %d", text, n, test.advice)
		}
	}
	if text := newUnknown(etl.HistoryCounts{}).text(); strings.Contains(text, "NaN") {
		t.Error(text)
	}
}
