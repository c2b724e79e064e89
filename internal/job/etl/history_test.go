package etl

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/golden"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// orderTable is a shop with interactions in memory.
type orderTable struct {
	listings     []shop.Listing
	shoppers     []shop.Shopper
	interactions []shop.Interaction
	schema       mysqlsource.Schema
	schemaErr    error
	faults       shop.Faults
}

func (s *orderTable) HistorySchema(context.Context) (mysqlsource.Schema, error) {
	return s.schema, s.schemaErr
}
func (s *orderTable) Listings(context.Context) ([]shop.Listing, error) {
	return slices.Clone(s.listings), nil
}
func (s *orderTable) Shoppers(context.Context) ([]shop.Shopper, error) {
	return slices.Clone(s.shoppers), nil
}
func (s *orderTable) Faults() *shop.Faults         { return &s.faults }
func (*orderTable) Position() mysqlsource.Position { return mysqlsource.Position{Database: "test"} }
func (s *orderTable) Interactions(_ context.Context, next func(shop.Interaction)) error {
	for _, i := range s.interactions {
		next(i)
	}
	return nil
}

// someOrders is a shop of one listed customer, one guest and a hundred purchases.
func someOrders() *orderTable {
	s := &orderTable{
		listings: []shop.Listing{{ID: "b", Name: "Bee", Available: true, Categories: []string{"Insects"}},
			{ID: "a", Name: "Ant"}},
		shoppers: []shop.Shopper{{ID: "7", Country: "FR"}},
	}
	for i := range 100 {
		in := shop.Interaction{Product: []byte(s.listings[i%2].ID), Kind: []byte(shop.KindPurchase),
			Order: fmt.Appendf(nil, "o%d", i/3), At: 1_700_000_000_000 + int64(i)*1000}
		if i%4 == 0 {
			in.Session = []byte("guest-1")
		} else {
			in.Customer = []byte("7")
		}
		s.interactions = append(s.interactions, in)
	}
	return s
}

// fewHistory are the limits that the command line has by default.
func fewHistory() Limits {
	l := few
	l.History = HistoryLimits{Kinds: 0.01, Quantities: 0.01, Strangers: 1, Attributes: 0.5}
	return l
}

func mustRunHistory(t *testing.T, s *orderTable, repo *commit.Repository, o Options) Outcome {
	t.Helper()
	o.ScratchDir, o.Limits = t.TempDir(), fewHistory()
	out, err := RunHistory(t.Context(), s, repo, o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestSetOfInteractionsDependsOnNoOrder(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	first := mustRunHistory(t, someOrders(), repo, Options{})
	if !first.Changed || rowsOf(first.Manifest) != (Rows{Interactions: 100, Customers: 1, Products: 2}) {
		t.Errorf("rows %+v", rowsOf(first.Manifest))
	}
	other := someOrders()
	rand.New(rand.NewPCG(1, 1)).Shuffle(100, func(i, j int) {
		other.interactions[i], other.interactions[j] = other.interactions[j], other.interactions[i]
	})
	slices.Reverse(other.listings)
	if again := mustRunHistory(t, other, repo, Options{}); again.Changed {
		t.Error("the same shop in another order is another set")
	}
}

func TestGoldenSetOfInteractions(t *testing.T) {
	t.Parallel()
	s := someOrders()
	s.schema = mysqlsource.Schema{Products: []mysqlsource.Column{{Name: "id", Type: "text", Length: 128, Contract: true}},
		Interactions: []mysqlsource.Column{{Name: "product", Type: "text", Length: 128, Contract: true}}}
	s.interactions[0].Product = []byte("gone")
	store := objectstore.NewFolder(t.TempDir())
	out := mustRunHistory(t, s, commit.NewRepository(store, "training-set"),
		Options{Preset: "WooCommerce 9.2 or later (tables wp_…)"})
	data, _, err := objectstore.ReadAll(t.Context(), store, "training-set/run="+out.Manifest.Run+"/manifest.json")
	if err != nil {
		t.Fatal(err)
	}
	data = regexp.MustCompile(`"created_at": "[^"]+"`).ReplaceAll(data, []byte(`"created_at": "2026-03-01T12:00:07Z"`))
	golden.Equal(t, "history.json", golden.Indent(t, data))
}

func TestRunsOfInteractionsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		spoil func(*orderTable)
		want  error
		says  string
	}{
		"no products":     {func(s *orderTable) { s.listings = nil }, ErrEmpty, "no product with a usable id"},
		"no interactions": {func(s *orderTable) { s.interactions = nil }, ErrEmpty, "there are no interactions"},
		"unknown products": {func(s *orderTable) {
			s.listings = s.listings[:1]
		}, ErrQuality, `50 of 100 interactions name a product that is missing, at most 1 % may (--max-orphans), such as an interaction with product "a" of order "o0": no such product, `},
		"nothing available": {func(s *orderTable) {
			s.listings[0].Available = false
		}, ErrShrink, "nothing could be recommended"},
		"a column of dates": {func(s *orderTable) {
			s.schemaErr = fmt.Errorf("%w: x", mysqlsource.ErrSchema)
		}, mysqlsource.ErrSchema, "x"},
		"far too many kinds": {tooManyKinds, ErrQuality, "have no usable kind"},
		"two faults at once": {func(s *orderTable) {
			s.listings = s.listings[:1]
			for range 3 {
				s.faults.Add(shop.InteractionKey, func() string { return "an interaction: product is NULL or empty" })
			}
		}, ErrQuality, "max-missing-keys), such as an interaction: product is NULL or empty; 50 of 103"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := someOrders()
			test.spoil(s)
			repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
			_, err := RunHistory(t.Context(), s, repo, Options{ScratchDir: t.TempDir(), Limits: fewHistory(), MaxShrink: 0.5})
			if !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want one line with %q", err, test.says)
			}
			if _, err := repo.Current(t.Context()); !errors.Is(err, commit.ErrNoCurrent) {
				t.Errorf("there is a set: %v", err)
			}
		})
	}
}

func tooManyKinds(s *orderTable) {
	for i := range shop.MaxKinds + 10 {
		in := s.interactions[0]
		in.Kind = fmt.Appendf(nil, "kind %d", i)
		s.interactions = append(s.interactions, in)
	}
}

func TestInteractionsAfterRatingsMustBeAccepted(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	mustRun(t, small(), repo)
	o := Options{ScratchDir: t.TempDir(), Limits: fewHistory(), MaxShrink: 0.5}
	if _, err := RunHistory(t.Context(), someOrders(), repo, o); !errors.Is(err, ErrDrift) ||
		!strings.Contains(err.Error(), "holds ratings, and this shop gives interactions") {
		t.Errorf("error %v", err)
	}
	o.AcceptSchema = true
	if _, err := RunHistory(t.Context(), someOrders(), repo, o); err != nil {
		t.Error(err)
	}
	if _, err := Run(t.Context(), small(), repo, Options{ScratchDir: t.TempDir(), Limits: few}); !errors.Is(
		err, ErrDrift) ||
		!strings.Contains(err.Error(), "holds interactions, and this shop gives ratings") {
		t.Errorf("error %v", err)
	}
}

// TestNoInteractionIsLostWithoutACount draws shops with rows of every kind, good and bad.
func TestNoInteractionIsLostWithoutACount(t *testing.T) {
	t.Parallel()
	ids := []string{"", "1", "01", "ü", "unknown", strings.Repeat("x", 128)}
	rapid.Check(t, func(r *rapid.T) {
		s := &orderTable{}
		pick := func(label string) string { return rapid.SampledFrom(ids).Draw(r, label) }
		for range rapid.IntRange(1, 6).Draw(r, "products") {
			if id := pick("product"); id != "" {
				s.listings = append(s.listings, shop.Listing{ID: id, Name: id, Available: true, Brand: pick("brand")})
			}
		}
		for range rapid.IntRange(0, 4).Draw(r, "customers") {
			if id := pick("customer"); id != "" {
				s.shoppers = append(s.shoppers, shop.Shopper{ID: id, City: pick("city")})
			}
		}
		n := rapid.IntRange(1, 60).Draw(r, "interactions")
		for range n {
			in := shop.Interaction{Customer: []byte(pick("who")), Session: []byte(pick("session")),
				Product: []byte(pick("what")),
				Kind:    []byte(rapid.SampledFrom([]string{"purchase", "view", "ü"}).Draw(r, "kind")),
				Order:   []byte(pick("order")), At: rapid.SampledFrom([]int64{shop.NoMoment, 0, 1_700_000_000_000, 9e15}).
						Draw(r, "at")}
			if len(in.Customer)+len(in.Session) == 0 {
				in.Session = []byte("s") // the reading leaves it out
			}
			if rapid.Bool().Draw(r, "counted") {
				in.Quantity = new(rapid.SampledFrom([]float64{-2, 1, 3.5}).Draw(r, "quantity"))
			}
			s.interactions = append(s.interactions, in)
		}
		loose := Limits{MissingKeys: 1, StarsRange: 1, Orphans: 1, Duplicates: 1, FutureDates: 1, BadDates: 1, BadText: 1,
			Customers: 1, Products: 1, Values: 1, Amounts: 1, Stock: 1, History: HistoryLimits{1, 1, 1, 1}}
		h, counts, err := readHistory(t.Context(), s, Options{Limits: loose, Now: func() time.Time {
			return time.UnixMilli(1_700_000_000_000)
		}})
		if len(s.listings) == 0 {
			if !errors.Is(err, ErrEmpty) {
				r.Fatalf("no product: %v", err)
			}
			return
		}
		if err != nil {
			r.Fatal(err)
		}
		if counts.Interactions != int64(n) || counts.kept()+counts.Broken[shop.InteractionProduct] != int64(n) ||
			counts.kept() != int64(len(h.Entries)) {
			r.Fatalf("of %d interactions %d are kept: %+v", n, len(h.Entries), counts)
		}
		if want := int64(len(h.Products)) + counts.Broken[shop.ProductTwice]; want != int64(len(s.listings)) {
			r.Fatalf("%d of %d products: %+v", want, len(s.listings), counts)
		}
		wantEntries(r, s, h)
	})
}

// wantEntries compares what was kept with what was there, in any order.
func wantEntries(t *rapid.T, s *orderTable, h *trainingset.History) {
	text := func(ids []string, i int32) string {
		if i == trainingset.None {
			return ""
		}
		return ids[i]
	}
	customers, products := []string{}, []string{}
	for _, c := range h.Customers {
		customers = append(customers, c.ID)
	}
	for _, p := range h.Products {
		products = append(products, p.ID)
	}
	var want, got []string
	for _, in := range s.interactions {
		if slices.Contains(products, string(in.Product)) {
			quantity := trainingset.NoNumber()
			if in.Quantity != nil {
				quantity = float32(*in.Quantity)
			}
			want = append(want, fmt.Sprintf("%s|%s|%s|%s|%s|%d|%g", in.Customer, in.Session, in.Product, in.Kind, in.Order,
				in.At, quantity))
		}
	}
	for _, e := range h.Entries {
		got = append(got, fmt.Sprintf("%s|%s|%s|%s|%s|%d|%g", text(customers, e.Customer), text(h.Sessions, e.Session),
			products[e.Product], h.Kinds[e.Kind], text(h.Orders, e.Order), e.At, e.Quantity))
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Fatalf("kept\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !slices.IsSorted(customers) || !slices.IsSorted(products) || !slices.IsSorted(h.Orders) {
		t.Fatal("ids are not in order")
	}
}
