package recommendtest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// somePurchase draws a purchase by one of few customers.
func somePurchase(t *rapid.T, customers []string, products []string) recommend.Purchase {
	return recommend.Purchase{
		Customer: rapid.SampledFrom(customers).Draw(t, "customer"),
		Session:  rapid.SampledFrom([]string{"e1", "e2", "evt-ü'\""}).Draw(t, "session"),
		Product:  rapid.SampledFrom(products).Draw(t, "product"),
		Order: activity.Order{At: bought.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "time")) * time.Millisecond),
			Sequence: rapid.SampledFrom([]string{"", "9", "49590338271490256608559692538361571095921575989136588898"}).
				Draw(t, "sequence"),
			Sub: int64(rapid.IntRange(0, 2).Draw(t, "sub"))},
	}
}

// testPurchases writes purchases in any order and repetition: a look-up finds each of an event's
// products once, with its earliest place and its rule, as if all had come once, in order.
func testPurchases(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	t.Parallel()
	for _, seed := range []uint64{1, 2} { // without rules and with them
		v, s := gridVersion(seed), open(t, Setup{Live: gridVersion(seed)})
		products := []string{"unknown", v.Items[0].Code, v.Items[1].Code, v.Items[2].Code, v.Items[3].Code}
		run := 0
		rapid.Check(t, func(rt *rapid.T) {
			run++
			customers := []string{fmt.Sprint("a", run), fmt.Sprint("b", run), strconv.Itoa(run)}
			var all []recommend.Purchase
			for range rapid.IntRange(1, 9).Draw(rt, "purchases") {
				all = append(all, somePurchase(rt, customers, products))
			}
			for round := range 2 {
				sent := rapid.Permutation(all).Draw(rt, "order")
				for len(sent) > 0 {
					n := rapid.IntRange(1, len(sent)).Draw(rt, "together")
					if err := s.WriteState(rt.Context(), recommend.State{Purchases: sent[:n]}); err != nil {
						rt.Fatal(err)
					}
					sent = sent[n:]
				}
				compareBought(rt, s, customers, wantBought(Setup{Live: v}, all), round)
			}
		})
	}
}

// wantBought is what a store must find of purchases, as text.
func wantBought(s Setup, purchases []recommend.Purchase) map[string][]string {
	earliest := map[[3]string]recommend.Purchase{}
	for _, p := range purchases {
		key := [3]string{p.Customer, p.Session, p.Product}
		if before, known := earliest[key]; !known || before.Order.After(p.Order) {
			earliest[key] = p
		}
	}
	want := map[string][]string{}
	for _, p := range earliest {
		for _, it := range s.Live.Items {
			if it.Code == p.Product {
				want[p.Customer] = append(want[p.Customer],
					boughtText(recommend.Bought{Product: p.Product, Order: p.Order, Repeat: it.Repeat}))
			}
		}
	}
	return want
}

func boughtText(b recommend.Bought) string {
	return fmt.Sprint(b.Product, " ", b.Order.At.UnixMicro(), " ", cmp.Or(b.Order.Sequence, "none"), " ", b.Order.Sub,
		" ", b.Repeat)
}

func compareBought(t *rapid.T, s Conformer, customers []string, want map[string][]string, round int) {
	traffic, err := s.Traffic(t.Context()) // which notices that there is state now
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Lookup(t.Context(), traffic.Live, nil, customers, nil, activity.Order{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range customers {
		var got []string
		for _, b := range found.Bought[c] {
			got = append(got, boughtText(b))
		}
		slices.Sort(got)
		slices.Sort(want[c])
		if !slices.Equal(got, want[c]) {
			t.Fatalf("round %d: customer %s\nfound %q\nwant  %q", round, c, got, want[c])
		}
	}
}

// testRefusedPurchases writes what no store can hold, beside something sound: nothing of it is kept.
func testRefusedPurchases(t *testing.T, s Conformer) {
	t.Parallel()
	m := mustModel(t, s)
	sound := recommend.Purchase{Customer: "sound", Session: "e", Product: gridVersion(1).Items[0].Code,
		Order: activity.Order{At: bought}}
	for _, text := range []string{"a\x00", "\xff"} {
		for _, bad := range []recommend.Purchase{{Customer: text, Session: "e", Product: "p"},
			{Customer: "c", Session: text, Product: "p"}, {Customer: "c", Session: "e", Product: text}} {
			var refused *recommend.RefusedError
			err := s.WriteState(t.Context(), recommend.State{Purchases: []recommend.Purchase{sound, bad}})
			if !errors.As(err, &refused) {
				t.Errorf("write %+v: %v", bad, err)
			}
		}
	}
	found, err := s.Lookup(t.Context(), m, nil, []string{"sound"}, nil, activity.Order{})
	if err != nil || len(found.Bought["sound"]) > 0 {
		t.Errorf("beside what was refused: %v, %v", found.Bought, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	err = s.WriteState(ended, recommend.State{Purchases: []recommend.Purchase{sound}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a caller that has gone: %v", err)
	}
}

// testProducts says of products whether they can be bought and whether they are hidden, in any order and
// repetition: of each field the value that comes last counts, else the version's stock.
func testProducts(t *testing.T, s Conformer) {
	t.Parallel()
	v := gridVersion(1)
	number := int64(0) // no two orders are equal
	last := map[string]map[activity.Field]activity.ProductWrite{}
	rapid.Check(t, func(rt *rapid.T) {
		var all []activity.ProductWrite
		for range rapid.IntRange(1, 9).Draw(rt, "writes") {
			number++
			w := activity.ProductWrite{ID: v.Items[rapid.IntRange(0, 5).Draw(rt, "product")].Code,
				Values: map[activity.Field]any{},
				Order: activity.Order{At: bought.Add(time.Duration(rapid.IntRange(0, 3).Draw(rt, "time")) * time.Second),
					Sequence: rapid.SampledFrom([]string{"", "9", "10"}).Draw(rt, "sequence"), Sub: number}}
			w.Values[activity.FieldAvailable] = rapid.SampledFrom([]any{true, false, nil}).Draw(rt, "available")
			if rapid.Bool().Draw(rt, "says hidden") {
				w.Values[activity.FieldHidden] = rapid.Bool().Draw(rt, "hidden")
			}
			all = append(all, w)
			if last[w.ID] == nil {
				last[w.ID] = map[activity.Field]activity.ProductWrite{}
			}
			for f := range w.Values {
				if before, known := last[w.ID][f]; !known || w.Order.After(before.Order) {
					last[w.ID][f] = w
				}
			}
		}
		want := Setup{Live: v, State: map[string]bool{}}
		for code, said := range last {
			available, known := said[activity.FieldAvailable].Values[activity.FieldAvailable].(bool)
			if hidden := said[activity.FieldHidden].Values[activity.FieldHidden] == true; known || hidden {
				want.State[code] = available && !hidden
			}
		}
		for range 2 {
			for _, w := range rapid.Permutation(all).Draw(rt, "order") {
				if err := s.WriteState(rt.Context(), recommend.State{Products: []activity.ProductWrite{w}}); err != nil {
					rt.Fatal(err)
				}
			}
		}
		traffic, err := s.Traffic(rt.Context())
		if err != nil {
			rt.Fatal(err)
		}
		q := recommend.Search{Limit: 70, At: bought}
		found, _, err := s.Retrieve(rt.Context(), traffic.Live, []recommend.Search{q}, nil)
		if err != nil {
			rt.Fatal(err)
		}
		if got, want := fmt.Sprint(found[0]), fmt.Sprint(sortedSearch(want, q)); got != want {
			rt.Fatalf("found %s\nwant  %s", got, want)
		}
	})
}

// someCustomer draws what an event says of one of few customers, or a purchase by one. Each has an order,
// and each purchase a session, of its own.
func someCustomer(t *rapid.T, customers, products []string, number int64) (s recommend.State) {
	w := activity.CustomerWrite{ID: rapid.SampledFrom(customers).Draw(t, "customer"),
		Values: map[activity.CustomerField]any{}, Hidden: map[string]bool{},
		Order: activity.Order{At: bought.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "time")) * time.Second),
			Sequence: rapid.SampledFrom([]string{"", "9", "10"}).Draw(t, "sequence"), Sub: number}}
	switch rapid.IntRange(0, 4).Draw(t, "what") {
	case 0:
		s.Purchases = []recommend.Purchase{{Customer: w.ID, Session: fmt.Sprint(number), Order: w.Order,
			Product: rapid.SampledFrom(products).Draw(t, "product")}}
		return s
	case 1:
		w.Forget = true
	case 2:
		w.Values[activity.CustomerCountry] = rapid.SampledFrom([]any{"France", "", nil, "ü'\""}).Draw(t, "country")
		limits := []any{21000.5, 0.0, nil}
		w.Values[activity.CustomerCreditLimit] = rapid.SampledFrom(limits).Draw(t, "credit limit")
	default:
		w.Values[activity.CustomerCity] = "Lyon"
		for range rapid.IntRange(1, 3).Draw(t, "products") {
			w.Hidden[rapid.SampledFrom(products).Draw(t, "product")] = rapid.Bool().Draw(t, "hidden")
		}
	}
	s.Customers = []activity.CustomerWrite{w}
	return s
}

// testCustomers says things of customers, lets them buy, and forgets some, in any order and repetition: of
// each thing the later value counts, and nothing that is older than a forgetting.
func testCustomers(t *testing.T, s Conformer) {
	t.Parallel()
	v := gridVersion(1)
	products := []string{v.Items[0].Code, v.Items[1].Code, v.Items[2].Code}
	run, number := 0, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		run++
		customers := []string{fmt.Sprint("said", run), fmt.Sprint("ü'\"", run)}
		var all []recommend.State
		for range rapid.IntRange(1, 12).Draw(rt, "events") {
			number++
			all = append(all, someCustomer(rt, customers, products, number))
		}
		said, purchases := wantSaid(all)
		for round := range 2 {
			sent := rapid.Permutation(all).Draw(rt, "order")
			for len(sent) > 0 {
				var together recommend.State
				n := rapid.IntRange(1, len(sent)).Draw(rt, "together")
				for _, e := range sent[:n] {
					together.Purchases = append(together.Purchases, e.Purchases...)
					together.Customers = append(together.Customers, e.Customers...)
				}
				if err := s.WriteState(rt.Context(), together); err != nil {
					rt.Fatal(err)
				}
				sent = sent[n:]
			}
			compareBought(rt, s, customers, wantBought(Setup{Live: v}, purchases), round)
			traffic, err := s.Traffic(rt.Context())
			if err != nil {
				rt.Fatal(err)
			}
			found, err := s.Lookup(rt.Context(), traffic.Live, nil, customers, nil, activity.Order{})
			if err != nil {
				rt.Fatal(err)
			}
			for _, c := range customers {
				got := found.Said[c]
				slices.Sort(got.Hidden)
				if got, want := saidText(got), saidText(said[c]); got != want {
					rt.Fatalf("round %d: customer %s: %s, want %s", round, c, got, want)
				}
			}
		}
	})
}

// testForgettingBetween writes at once that a customer bought a product, was forgotten, and bought it again
// in the same session: the second time counts.
func testForgettingBetween(t *testing.T, s Conformer) {
	t.Parallel()
	v := gridVersion(1)
	at := func(n int) activity.Order { return activity.Order{At: bought.Add(time.Duration(n) * time.Second)} }
	p := recommend.Purchase{Customer: "between", Session: "e", Product: v.Items[0].Code, Order: at(1)}
	again := p
	again.Order = at(3)
	forget := activity.CustomerWrite{ID: p.Customer, Forget: true, Order: at(2)}
	err := s.WriteState(t.Context(), recommend.State{Purchases: []recommend.Purchase{p, again},
		Customers: []activity.CustomerWrite{forget}})
	if err != nil {
		t.Fatal(err)
	}
	found, err := s.Lookup(t.Context(), mustModel(t, s), nil, []string{p.Customer}, nil, activity.Order{})
	if got := found.Bought[p.Customer]; err != nil || len(got) != 1 || !got[0].Order.At.Equal(again.Order.At) {
		t.Errorf("found %v, %v", got, err)
	}
}

// wantSaid is what a store must know of customers after all events, and the purchases that count.
func wantSaid(all []recommend.State) (said map[string]recommend.Said, purchases []recommend.Purchase) {
	forgotten := map[string]activity.Order{}
	for _, e := range all {
		for _, w := range e.Customers {
			if w.Forget && w.Order.After(forgotten[w.ID]) {
				forgotten[w.ID] = w.Order
			}
		}
	}
	var writes []activity.CustomerWrite
	for _, e := range all {
		for _, w := range e.Customers {
			if !w.Forget && w.Order.After(forgotten[w.ID]) {
				writes = append(writes, w)
			}
		}
		for _, p := range e.Purchases {
			if p.Order.After(forgotten[p.Customer]) {
				purchases = append(purchases, p)
			}
		}
	}
	slices.SortFunc(writes, func(a, b activity.CustomerWrite) int {
		if a.Order.After(b.Order) {
			return 1
		}
		return -1
	})
	last := map[recommend.CustomerKey]any{}
	for _, w := range writes {
		for f, value := range w.Values {
			last[recommend.CustomerKey{Customer: w.ID, Field: string(f)}] = value
		}
		for product, hidden := range w.Hidden {
			last[recommend.CustomerKey{Customer: w.ID, Field: recommend.FieldHidden, Product: product}] = hidden
		}
	}
	said = map[string]recommend.Said{}
	for key, value := range last {
		of := said[key.Customer]
		of.Add(key.Field, key.Product, value)
		slices.Sort(of.Hidden)
		said[key.Customer] = of
	}
	return said, purchases
}

func saidText(s recommend.Said) string {
	limit := "unknown"
	if s.CreditLimit != nil {
		limit = fmt.Sprint(*s.CreditLimit)
	}
	return fmt.Sprintf("%q %q %s %q", s.Country, s.City, limit, s.Hidden)
}
