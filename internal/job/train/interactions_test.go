package train

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/lake/trainingset"
	"kindred/internal/model/evaluation"
	"kindred/internal/model/modelversion"
	"kindred/internal/shop"
)

// did is one interaction of customer 0 with product 0.
func did(kind uint8, at int64, order int32, value, quantity float32) trainingset.Entry {
	return trainingset.Entry{At: at, Session: trainingset.None, Order: order, Value: value, Quantity: quantity, Kind: kind}
}

const (
	bought, starred, carted, viewed, wished = 0, 1, 2, 3, 4
	noOrder                                 = trainingset.None
)

var fiveKinds = []string{shop.KindPurchase, shop.KindRating, shop.KindCart, shop.KindView, "wishlist"}

func TestInteractionsBecomeLikesAsDocumented(t *testing.T) {
	t.Parallel()
	none := trainingset.NoNumber()
	weights := Signal{MinStars: 4, FeedbackPurchase: 1, Repeat: new(0.5),
		Kinds: map[string]float64{shop.KindCart: 0.5, shop.KindView: 0.1}}
	for name, test := range map[string]struct {
		entries []trainingset.Entry
		signal  func(*Signal)
		weight  float32 // 0: no positive
		seen    bool    // there is a rating, so that it is not recommended
	}{
		"a purchase": {entries: []trainingset.Entry{did(bought, 1000, 0, none, none)}, weight: 1, seen: true},
		"two lines of an order": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 1), did(bought, 2000, 0, none, 2)},
			weight: 1, seen: true},
		"two orders": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 1), did(bought, 2000, 1, none, 1)},
			weight: 1.5, seen: true},
		"64 orders": {entries: slices.Repeat([]trainingset.Entry{did(bought, 1000, noOrder, none, none)}, 64),
			signal: func(s *Signal) { s.Repeat = new(1.0) }, weight: mostConfidence, seen: true},
		"bought and taken back": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 2),
			did(bought, 2000, 0, none, -2)}},
		"partly taken back": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 2), did(bought, 2000, 0, none, -1)},
			weight: 1, seen: true},
		"taken back by value": {entries: []trainingset.Entry{did(bought, 1000, noOrder, 9.99, none),
			did(bought, 2000, noOrder, -9.99, none)}},
		"the later of two orders taken back": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 1),
			did(bought, 2000, 1, none, 1), did(bought, 3000, noOrder, none, -1)}, weight: 1, seen: true},
		"taken back before it was bought": {entries: []trainingset.Entry{did(bought, 1000, noOrder, none, -1),
			did(bought, 2000, 1, none, 1)}, weight: 1, seen: true},
		"stars": {entries: []trainingset.Entry{did(starred, 1000, noOrder, 4, none)},
			weight: 1, seen: true},
		"four and a half stars": {entries: []trainingset.Entry{did(starred, 1000, noOrder, 4.5, none)},
			weight: 1, seen: true},
		"few stars": {entries: []trainingset.Entry{did(starred, 1000, noOrder, 3.5, none)}, seen: true},
		"bought and disliked": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 1), did(starred, 9000, noOrder,
			1, none)}, seen: true},
		"disliked, then liked": {entries: []trainingset.Entry{did(starred, 1000, noOrder, 1, none),
			did(starred, 9000, noOrder, 5, none)}, weight: 1, seen: true},
		"cart and view": {entries: []trainingset.Entry{did(viewed, 1000, noOrder, none, none),
			did(carted, 2000, noOrder, none, none)}, weight: 0.5},
		"four views": {entries: slices.Repeat([]trainingset.Entry{did(viewed, 1000, noOrder, none, none)}, 4),
			weight: 0.2},
		"a kind of the shop's own": {entries: []trainingset.Entry{did(wished, 1000, noOrder, none, none)}},
		"with a weight": {entries: []trainingset.Entry{did(wished, 1000, noOrder, none, none)},
			signal: func(s *Signal) { s.Kinds = map[string]float64{"wishlist": 0.7} }, weight: 0.7},
		"no purchases wanted": {entries: []trainingset.Entry{did(bought, 1000, 0, none, 1)},
			signal: func(s *Signal) { s.Kinds = map[string]float64{shop.KindPurchase: 0} }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signal := weights
			if test.signal != nil {
				test.signal(&signal)
			}
			// somebody else bought something, so that a purchase is what a like is
			other := did(bought, 5000, noOrder, none, none)
			other.Customer, other.Product = 1, 1
			d := fromHistory(&trainingset.History{Customers: []shop.Shopper{{ID: "a"}, {ID: "b"}},
				Products: []shop.Listing{{ID: "p"}, {ID: "q"}}, Kinds: fiveKinds, Entries: append(test.entries, other)}, signal)
			got := float32(0)
			for _, c := range signal.cells(d.Ratings, d.Feedback) {
				if c.customer == 0 {
					got = c.weight
				}
			}
			seen := slices.ContainsFunc(d.Ratings, func(r evaluation.Rating) bool { return r.Customer == 0 })
			if got != test.weight || seen != test.seen {
				t.Errorf("weight %g, seen %t; want %g, %t: %+v, %+v", got, seen, test.weight, test.seen, d.Ratings, d.Feedback)
			}
		})
	}
}

func TestHalfLifeLetsInteractionsFade(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	cells := Signal{MinStars: 4, HalfLife: 10}.cells([]evaluation.Rating{{Product: 0, Stars: 5, RatedAt: 20 * day},
		{Product: 1, Stars: 5, RatedAt: 10 * day}, {Product: 2, Stars: 5}}, nil)
	if want := []cell{{0, 0, 1}, {0, 1, 0.5}, {0, 2, 1}}; !slices.Equal(cells, want) {
		t.Errorf("%v, want %v", cells, want)
	}
}

// TestAViewIsALikeWhereNothingElseIs: a shop that keeps only what was looked at.
func TestAViewIsALikeWhereNothingElseIs(t *testing.T) {
	t.Parallel()
	none := trainingset.NoNumber()
	d := fromHistory(&trainingset.History{Customers: []shop.Shopper{{ID: "a"}}, Products: []shop.Listing{{ID: "p"}},
		Kinds: fiveKinds, Entries: []trainingset.Entry{did(viewed, 1000, noOrder, none, none),
			did(wished, 1000, noOrder, none, none)}}, DefaultConfig().Signal)
	if len(d.Ratings) != 1 || d.Ratings[0].Stars != fiveStars || len(d.Feedback) != 1 {
		t.Errorf("ratings %v, feedback %v", d.Ratings, d.Feedback)
	}
}

// orders is a shop of customers and guests with planted tastes: each buys from one category.
func orders(rng *rand.Rand) *trainingset.History {
	none := trainingset.NoNumber()
	h := &trainingset.History{Kinds: fiveKinds}
	const categories, each, customers, guests = 4, 12, 120, 40
	for i := range categories * each {
		h.Products = append(h.Products, shop.Listing{ID: fmt.Sprintf("p%03d", i), Name: fmt.Sprint("product ", i),
			Available:  i%5 != 0,
			Categories: []string{fmt.Sprint("all ", i%2), fmt.Sprint("category ", i/each)}, Brand: fmt.Sprint("brand ", i%7),
			Price: new(shop.Money(100 * (i + 1))), Attributes: []shop.Attribute{{Name: "colour", Text: new(fmt.Sprint(i % 3))},
				{Name: "new", Flag: new(i%2 == 0)}, {Name: "note", Text: new(fmt.Sprint("only ", i))},
				{Name: "weight", Number: new(float64(i % 11))}}})
	}
	for i := range customers {
		h.Customers = append(h.Customers, shop.Shopper{ID: fmt.Sprintf("c%03d", i), Country: fmt.Sprint("country ",
			i%categories)})
	}
	buy := func(customer, session int32, taste, lines int, at int64) {
		order := int32(len(h.Orders))
		h.Orders = append(h.Orders, fmt.Sprint("order ", order))
		for line := range lines {
			e := trainingset.Entry{At: at + int64(line), Customer: customer, Session: session, Order: order, Value: none,
				Quantity: none, Product: int32(taste*each + rng.IntN(each))}
			h.Entries = append(h.Entries, e)
			if e.Kind = viewed; rng.IntN(3) == 0 {
				h.Entries = append(h.Entries, e)
			}
		}
	}
	for i := range customers {
		for range 2 + rng.IntN(4) {
			buy(int32(i), trainingset.None, i%categories, 1+rng.IntN(3), 1_700_000_000_000+rng.Int64N(1e10))
		}
	}
	for i := range guests {
		h.Sessions = append(h.Sessions, fmt.Sprint("guest ", i))
		buy(trainingset.None, int32(i), i%categories, 1+rng.IntN(4), 1_700_000_000_000+rng.Int64N(1e10))
	}
	return h
}

func TestOrdersTrainAndGuestsAreNoCustomers(t *testing.T) {
	t.Parallel()
	h := orders(rand.New(rand.NewPCG(1, 2)))
	cfg := quick()
	cfg.Dim = 8
	v := mustTrain(t, Trainer{Config: cfg}, fromHistory(h, cfg.Signal))
	if len(v.Customers) != len(h.Customers) || len(v.Items) != len(h.Products) || v.Items[3].QuantityInStock != 1 ||
		v.Items[0].QuantityInStock != 0 || v.Items[0].Line != "all 0" {
		t.Errorf("%d customers, %d items, first %+v", len(v.Customers), len(v.Items), v.Items[0])
	}
	model, popular := row(t, v.Report, modelversion.RowModel), row(t, v.Report, modelversion.RowPopularity)
	if model.NDCG10 < 2*popular.NDCG10 || v.Report.TestCustomers < 50 {
		t.Errorf("NDCG@10 %.3f, popularity %.3f, %d customers; %s", model.NDCG10, popular.NDCG10, v.Report.TestCustomers,
			v.Report.Split)
	}
}

// TestNoFigureOfOrdersDependsOnNames is TestNoFigureDependsOnNames for a set of interactions.
func TestNoFigureOfOrdersDependsOnNames(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := orders(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "shop"), 0)))
		cfg := quick()
		cfg.TuneBudget, cfg.Epochs, cfg.Dim = 0.002, 4, 4
		d := fromHistory(h, cfg.Signal)
		want, err := (&Trainer{Config: cfg, Threads: 1}).Train(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		other := rename(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "names"), 0)), d)
		got, err := (&Trainer{Config: cfg, Threads: 2}).Train(t.Context(), other.data)
		if err != nil {
			t.Fatal(err)
		}
		if diff := sameFigures(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestAttributesThatSayNothingAreNoFeatures(t *testing.T) {
	t.Parallel()
	d := fromHistory(orders(rand.New(rand.NewPCG(1, 2))), DefaultConfig().Signal)
	got := productFeatures(d.Products)[13]
	want := []string{"category=all 1", "category=category 1", "brand=brand 6", "attribute colour=1", "attribute new=false",
		"price=1", "attribute weight=1"}
	if !slices.Equal(got, want) {
		t.Errorf("features %q, want %q", got, want)
	}
}
