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
	faults    mysqlsource.Faults
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
func (s *table) Faults() mysqlsource.Faults                         { return s.faults }
func (s *table) CustomerSplits(_ context.Context, n int) ([]mysqlsource.Range, error) {
	all := []mysqlsource.Range{{From: math.MinInt64, To: math.MaxInt64}}
	if n > 1 {
		all = []mysqlsource.Range{{From: math.MinInt64, To: 2}, {From: 2, To: math.MaxInt64}}
	}
	return all, nil
}
func (s *table) RatingsIn(_ context.Context, in mysqlsource.Range, rating func(shop.Rating) error) error {
	for _, r := range s.ratings {
		if n := int64(r.CustomerNumber); in != (mysqlsource.Range{}) && (n < in.From || n >= in.To) {
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

// small is a shop of two customers, a hundred products and 200 ratings, in the order of no database.
func small() *table {
	s := &table{
		customers: []shop.Customer{
			{Number: 2, Name: "B", City: "Łódź", Country: "Poland"},
			{Number: 1, Name: "A", City: "Nantes", Country: "France", CreditLimit: new(shop.Cents(7))},
		},
		products: []shop.Product{{Code: "b", Name: "Bee"}, {Code: "B", Name: "BEE", BuyPrice: 1_99}},
	}
	for i := range 98 {
		s.products = append(s.products, shop.Product{Code: fmt.Sprintf("p%02d", 97-i), Name: "Pea"})
	}
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	for i := range 200 {
		s.ratings = append(s.ratings,
			shop.Rating{CustomerNumber: int32(i/100 + 1), ProductCode: s.products[i%100].Code, Stars: int8(i%5 + 1),
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
var few = Limits{Orphans: 0.01, FutureDates: 0.01}

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
	s.ratings[0].CustomerNumber = 99
	s.ratings[1].ProductCode = "?"
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	m, changed := mustRun(t, s, repo)
	var d Details
	if err := json.Unmarshal(m.Details, &d); err != nil {
		t.Fatal(err)
	}
	want := Counts{Read: 200, UnknownCustomer: 1, UnknownProduct: 1}
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
		{"customer twice", func(s *table) { s.customers[1].Number = 2 }, ErrDuplicate},
		{"product twice", func(s *table) { s.products[1].Code = "b" }, ErrDuplicate},
		{"pair rated twice", func(s *table) { s.ratings[7].ProductCode = s.ratings[3].ProductCode }, ErrQuality},
		{"many orphans", func(s *table) { s.customers[0].Number = 3 }, ErrQuality},
		{"a bad rating", func(s *table) { s.faults.StarsRange = 1 }, ErrQuality},
		{"a rating without key", func(s *table) { s.faults.MissingKey = 1 }, ErrQuality},
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
			_, err := Run(t.Context(), s, repo, Options{ScratchDir: scratch, Limits: few})
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
	const current = "Training set 217b4523da6d487a is now current: 1,234,567 ratings, 999 customers, 1,000 products; 7.8 MB in 2.4 s."
	if got := r.sentence(); got != current {
		t.Errorf("sentence %q, want %q", got, current)
	}
	r.NoOp, r.Rules = true, Counts{Read: 9999, UnknownCustomer: 1, UnknownProduct: 2, Duplicate: 4, FutureDate: 5}
	const leftOut = "Left out of 9,999 ratings: 3 of an unknown customer or product, 4 that repeat another. Kept, but dated in the future: 5."
	if got := r.sentence(); !strings.Contains(got, "was current already, nothing written") ||
		!strings.HasSuffix(got, leftOut) {
		t.Errorf("sentence of a no-op: %q", got)
	}
}
