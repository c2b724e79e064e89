package etl

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// table is a source in memory.
type table struct {
	customers []shop.Customer
	products  []shop.Product
	ratings   []shop.Rating
	err       error // after the ratings
	check     error
	schema    mysqlsource.Schema
	faults    shop.Faults
	same      map[string][]string // codes that are spelled otherwise, and their products
	position  mysqlsource.Position
	after     func() // called after the ratings
}

func (s *table) Customers(context.Context) ([]shop.Customer, error) { return s.customers, nil }
func (s *table) Products(context.Context) ([]shop.Product, error)   { return s.products, nil }
func (s *table) Position() mysqlsource.Position {
	return cmp.Or(s.position, mysqlsource.Position{Database: "test"})
}
func (s *table) Check(context.Context) error                        { return s.check }
func (s *table) Schema(context.Context) (mysqlsource.Schema, error) { return s.schema, nil }

// EstimateIn is a little off, as a server's statistics are.
func (s *table) EstimateIn(context.Context, mysqlsource.Range) (int64, error) {
	return int64(len(s.ratings)) + 5, nil
}

func (s *table) Faults() *shop.Faults { return &s.faults }
func (s *table) SameProducts(_ context.Context, codes []string) (map[string][]string, error) {
	same := map[string][]string{}
	for _, code := range codes {
		if products := s.same[code]; products != nil {
			same[code] = products
		}
	}
	return same, nil
}
func (s *table) SameCustomers(ctx context.Context, ids []string) (map[string][]string, error) {
	return s.SameProducts(ctx, ids)
}
func (s *table) Pieces(_ context.Context, in mysqlsource.Range) ([]mysqlsource.Range, error) {
	return []mysqlsource.Range{in}, nil
}
func (s *table) CustomerSplits(_ context.Context, n int) ([]mysqlsource.Range, error) {
	all := []mysqlsource.Range{{From: math.MinInt64, To: math.MaxInt64}}
	if n > 1 {
		all = []mysqlsource.Range{{From: math.MinInt64, To: 2}, {From: 2, To: math.MaxInt64}}
	}
	return all, nil
}
func (s *table) RatingsIn(_ context.Context, in mysqlsource.Range, rating func(shop.Rating) error) error {
	for _, r := range s.ratings {
		if n, _ := strconv.ParseInt(r.CustomerID, 10, 64); in != (mysqlsource.Range{}) && (n < in.From || n >= in.To) {
			continue
		}
		if err := rating(r); err != nil {
			return err
		}
	}
	if s.after != nil {
		s.after()
	}
	return s.err
}

// small is a shop of two customers, a hundred products and 200 ratings, in the order of no
// database.
func small() *table {
	s := &table{
		customers: []shop.Customer{
			{ID: "2", Name: "B", City: "Łódź", Country: "Poland"},
			{ID: "1", Name: "A", City: "Nantes", Country: "France", CreditLimit: new(shop.Cents(7))},
		},
		products: []shop.Product{{Code: "b", Name: "Bee", QuantityInStock: 1}, {Code: "B", Name: "BEE", BuyPrice: 1_99}},
	}
	for i := range 98 {
		s.products = append(s.products, shop.Product{Code: fmt.Sprintf("p%02d", 97-i), Name: "Pea"})
	}
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for i := range 200 {
		s.ratings = append(s.ratings,
			shop.Rating{CustomerID: strconv.Itoa(i/100 + 1), ProductCode: s.products[i%100].Code, Stars: int8(i%5 + 1),
				RatedAt: &at})
	}
	return s
}

func mustRun(t *testing.T, s *table, repo *commit.Repository) (commit.Manifest, bool) {
	t.Helper()
	out, err := Run(t.Context(), s, repo, Options{ScratchDir: t.TempDir(), Limits: few})
	if err != nil {
		t.Fatal(err)
	}
	return out.Manifest, out.Changed
}

// few are the limits that the command line has by default.
var few = Limits{MissingKeys: 0.01, StarsRange: 0.01, Orphans: 0.01, Duplicates: 0.01, FutureDates: 0.01, BadDates: 0.5,
	BadText: 0.01, Customers: 0.01, Products: 0.01, Values: 0.5, Amounts: 0.5, Stock: 0.5}

// spoil counts n faults as a reading would.
func (s *table) spoil(rule shop.Rule, n int) {
	for range n {
		s.faults.Add(rule, func() string { return "customer 7: no good" })
	}
}

func TestRunJoinsWritesAndCommits(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	m, changed := mustRun(t, small(), repo)
	if !changed {
		t.Error("the first run changed nothing")
	}
	set, err := trainingset.Read(t.Context(), repo, m, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := small()
	if diff := gocmp.Diff([]shop.Customer{want.customers[1], want.customers[0]}, set.Customers); diff != "" {
		t.Errorf("customers (-want +got):\n%s", diff)
	}
	slices.SortFunc(want.products, func(a, b shop.Product) int { return strings.Compare(a.Code, b.Code) })
	if diff := gocmp.Diff(want.products, set.Products); diff != "" {
		t.Errorf("products (-want +got):\n%s", diff)
	}
	for i, got := range set.Interactions {
		product := 101 - i%100 // b and B come first, the others backwards
		if i%100 < 2 {
			product = 1 - i%100
		}
		want := trainingset.Interaction{Customer: int32(i / 100), Product: int32(product), Stars: int8(i%5 + 1),
			RatedAt: 1714979289}
		if got != want {
			t.Fatalf("interaction %d = %+v, want %+v", i, got, want)
		}
	}
	if len(set.Interactions) != 200 {
		t.Errorf("%d interactions, want 200", len(set.Interactions))
	}
}

// A long reading says how far it is, every 50,000 ratings, and how many there are about.
func TestRunShowsItsProgress(t *testing.T) {
	t.Parallel()
	s := small()
	for len(s.ratings) < 2*progressRows+100 {
		s.ratings = append(s.ratings, s.ratings[len(s.ratings)-1])
	}
	var said []int64
	_, err := Run(t.Context(), s, commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set"), Options{
		ScratchDir: t.TempDir(), Limits: Limits{Duplicates: 1, FutureDates: 1},
		Progress: func(ratings, expected int64) { said = append(said, ratings, expected-int64(len(s.ratings))) },
	})
	if err != nil || !slices.Equal(said, []int64{progressRows, 5, 2 * progressRows, 5}) {
		t.Errorf("said %d, %v", said, err)
	}
}

func TestRunAgainIsANoOpAndAChangeIsNot(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	first, _ := mustRun(t, small(), repo)
	if again, changed := mustRun(t, small(), repo); changed || again.ContentHash != first.ContentHash {
		t.Errorf("second run: changed %v, content %s, want %s", changed, again.ContentHash, first.ContentHash)
	}
	other := small()
	other.ratings[150].Stars = 6 - other.ratings[150].Stars%5
	if next, changed := mustRun(t, other, repo); !changed || next.Parent != first.Run {
		t.Errorf("run after a change: changed %v, parent %q, want %q", changed, next.Parent, first.Run)
	}
}

func TestFewOrphansAreCountedAndLeftOut(t *testing.T) {
	t.Parallel()
	s := small()
	s.ratings[1].ProductCode = "?"
	s.ratings[199].CustomerID = "99"
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	m, changed := mustRun(t, s, repo)
	var d Details
	if err := json.Unmarshal(m.Details, &d); err != nil {
		t.Fatal(err)
	}
	want := Counts{Read: 200, UnknownCustomer: 1, UnknownProduct: 1,
		Customers: TableCounts{Read: 2}, Products: TableCounts{Read: 100, InStock: 1}}
	if m.Rows(trainingset.Ratings) != 198 || !changed || d.Counts != want || d.Limits != few {
		t.Errorf("%d ratings, details %s; want 198 and %+v", m.Rows(trainingset.Ratings), m.Details, want)
	}
}

func TestRefusedShopLeavesTheOldSet(t *testing.T) {
	t.Parallel()
	broken := errors.New("connection lost")
	tests := []struct {
		name  string
		spoil func(*table)
		want  error
	}{
		{"no ratings", func(s *table) { s.ratings = nil }, ErrEmpty},
		{"no customers", func(s *table) { s.customers = nil }, ErrEmpty},
		{"no products", func(s *table) { s.products = nil }, ErrEmpty},
		{"customers twice", func(s *table) { s.customers = append(s.customers, s.customers...) }, ErrQuality},
		{"products twice", func(s *table) { s.products = append(s.products, s.products[:2]...) }, ErrQuality},
		{"pairs rated twice", func(s *table) {
			for i := range 3 {
				s.ratings[7+i].ProductCode = s.ratings[3].ProductCode
			}
		}, ErrQuality},
		{"many orphans", func(s *table) { s.customers[0].ID = "3" }, ErrQuality},
		{"bad ratings", func(s *table) { s.spoil(shop.RatingStars, 3) }, ErrQuality},
		{"ratings without key", func(s *table) { s.spoil(shop.RatingKey, 3) }, ErrQuality},
		{"many dates that do not exist", func(s *table) { s.spoil(shop.RatingDate, 101) }, ErrQuality},
		{"ratings that are not text", func(s *table) {
			for i := range 3 {
				s.ratings[i].ProductCode = "a\x00"
			}
		}, ErrQuality},
		{"customers without key", func(s *table) { s.spoil(shop.CustomerKey, 2) }, ErrQuality},
		{"many customers without values", func(s *table) { s.spoil(shop.CustomerValue, 2) }, ErrQuality},
		{"customers that are not text", func(s *table) { s.spoil(shop.CustomerText, 2) }, ErrQuality},
		{"many customers without amount", func(s *table) { s.spoil(shop.CustomerAmount, 2) }, ErrQuality},
		{"products without key", func(s *table) { s.spoil(shop.ProductKey, 2) }, ErrQuality},
		{"many products without values", func(s *table) { s.spoil(shop.ProductValue, 51) }, ErrQuality},
		{"products that are not text", func(s *table) { s.spoil(shop.ProductText, 2) }, ErrQuality},
		{"many products without price", func(s *table) { s.spoil(shop.ProductAmount, 51) }, ErrQuality},
		{"much stock", func(s *table) { s.spoil(shop.ProductStock, 51) }, ErrQuality},
		{"no stock", func(s *table) { s.products[0].QuantityInStock = 0 }, ErrShrink},
		{"few ratings left", func(s *table) { s.ratings = s.ratings[120:] }, ErrShrink},
		{"few products left", func(s *table) { s.products = s.products[:40]; s.ratings = s.ratings[:40] }, ErrShrink},
		{"few customers left", func(s *table) { s.customers = s.customers[1:]; s.ratings = s.ratings[:100] }, nil},
		{"many future dates", func(s *table) { *s.ratings[0].RatedAt = time.Now().Add(48 * time.Hour) }, ErrQuality},
		{"a column that cannot be read", func(s *table) { s.check = broken }, broken},
		{"source breaks off", func(s *table) { s.err = broken }, broken},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
			old, _ := mustRun(t, small(), repo)
			s, scratch := small(), t.TempDir()
			test.spoil(s)
			_, err := Run(t.Context(), s, repo, Options{ScratchDir: scratch, Limits: few, MaxShrink: 0.5})
			if test.want == nil { // at the limit
				if err != nil {
					t.Errorf("error %v", err)
				}
				return
			}
			if !errors.Is(err, test.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if now, err := repo.Current(t.Context()); err != nil || now.Run != old.Run {
				t.Errorf("current run %q, error %v, want %q", now.Run, err, old.Run)
			}
			if left, err := os.ReadDir(scratch); err != nil || len(left) != 0 {
				t.Errorf("left in the scratch folder: %v, %v", left, err)
			}
		})
	}
}

// A shop without any stock, and one of which most products went out of stock, are refused, unless that
// is accepted.
func TestStockThatFellIsRefused(t *testing.T) {
	t.Parallel()
	stocked := func(products int) *table {
		s := small()
		for i := range s.products {
			s.products[i].QuantityInStock = 0
			if i < products {
				s.products[i].QuantityInStock = 1
			}
		}
		return s
	}
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	o := Options{ScratchDir: t.TempDir(), Limits: few, MaxShrink: 0.5}
	if _, err := Run(t.Context(), stocked(0), repo, o); !errors.Is(err, ErrShrink) {
		t.Errorf("a first set without stock: %v", err)
	}
	old, _ := mustRun(t, stocked(100), repo)
	_, err := Run(t.Context(), stocked(49), repo, o)
	if !errors.Is(err, ErrShrink) || !strings.Contains(err.Error(), "49 products in stock, the current set has 100") {
		t.Errorf("error %v", err)
	}
	if m, err := repo.Current(t.Context()); err != nil || m.Run != old.Run {
		t.Errorf("run %s is current, want %s; %v", m.Run, old.Run, err)
	}
	o.AcceptShrink = true
	if out, err := Run(t.Context(), stocked(49), repo, o); err != nil || !out.Changed {
		t.Errorf("accepted: %+v, %v", out.Changed, err)
	}
	o.AcceptShrink, o.MaxShrink = false, 1
	if out, err := Run(t.Context(), stocked(0), repo, o); err != nil || !out.Changed {
		t.Errorf("--max-shrink 1: %+v, %v", out.Changed, err)
	}
}

func TestOrphansAloneAreNeverASet(t *testing.T) {
	t.Parallel()
	s := small()
	for i := range s.ratings {
		s.ratings[i].ProductCode = fmt.Sprint("gone ", i)
	}
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	if _, err := Run(t.Context(), s, repo, Options{ScratchDir: t.TempDir(), Limits: Limits{Orphans: 1}}); !errors.Is(err,
		ErrQuality) {
		t.Errorf("error %v, want ErrQuality", err)
	}
}

func TestSentences(t *testing.T) {
	t.Parallel()
	r := Result{RunID: "217b4523da6d487a", Rows: Rows{Ratings: 1234567, Customers: 999, Products: 1000}, Bytes: 7835979,
		WallSeconds: 2.44}
	const current = "Training set 217b4523da6d487a is now current: 1,234,567 ratings, 999 customers, 1,000 products; " +
		"7.8 MB in 2.4 s."
	if got := r.sentence(); got != current {
		t.Errorf("sentence %q, want %q", got, current)
	}
	r.NoOp = true
	r.Rules = Counts{Read: 9999, UnknownCustomer: 1, UnknownProduct: 2, Duplicate: 4, FutureDate: 5,
		Products: TableCounts{Read: 70, BadStock: 1}}
	r.Examples = shop.Examples{shop.RatingTwice: {"rating of customer 1: twice", "another"}}
	const leftOut = "\nLeft out of 9,999 ratings: 1 of an unknown customer; 2 for an unknown product; " +
		"4 older than another of the same customer and product (such as rating of customer 1: twice)." +
		"\nKept of 9,999 ratings: 5 dated in the future." +
		"\nValues replaced of 70 products: 1 stock too large."
	if got := r.sentence(); !strings.Contains(got, "was current already, nothing written") ||
		!strings.HasSuffix(got, leftOut) {
		t.Errorf("sentence of a no-op: %q", got)
	}
}
