package verify

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

// TestEventsWithTheWrongKindOfIDAreNoProof answers events whose products no model knows, as every
// event of a shop does whose pages send another id than its tables hold.
func TestEventsWithTheWrongKindOfIDAreNoProof(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name             string
		events, strange  int
		limit            *float64
		wrong, customers bool
	}{
		{name: "none", events: 20, limit: new(0.05)},
		{name: "a new product", events: 20, strange: 1, limit: new(0.05)},
		{name: "more than are new", events: 20, strange: 2, limit: new(0.05), wrong: true},
		{name: "all", events: 3, strange: 3, limit: new(0.05), wrong: true, customers: true},
		{name: "all may", events: 3, strange: 3, limit: new(1.0)},
		{name: "none may", events: 200, strange: 1, limit: new(0.0), wrong: true},
		{name: "no limit", events: 3, strange: 3},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			for i := range tc.events {
				r := h.answer(h.put("shard-0", "a", fmt.Sprintf(`{"event_id":"%d","session_id":"a","browse_history":[
					{"product_code":%d},{"product_code":"%d"}]}`, i, i, i)), ms)
				if i < tc.strange {
					r.Recommendation.UnknownProducts, r.Recommendation.UnknownCustomer = 1, tc.customers
				}
				h.deliver(r)
			}
			r, err := New(h, h.folder).Run(t.Context(), Options{MaxUnknown: tc.limit})
			if err != nil {
				t.Fatal(err)
			}
			strangers := int64(0)
			if tc.customers {
				strangers = int64(tc.strange)
			}
			if r.Products != int64(tc.events) || r.UnknownProducts != int64(tc.strange) || r.UnknownCustomers != strangers {
				t.Errorf("%d of %d products and %d customers unknown", r.UnknownProducts, r.Products, r.UnknownCustomers)
			}
			if fault := r.Fault(); errors.Is(fault, ErrUnknown) != tc.wrong || (fault != nil) != tc.wrong ||
				tc.wrong != strings.Contains(r.String(), "do not know") {
				t.Errorf("fault %v in\n%s", fault, r)
			}
		})
	}
}
