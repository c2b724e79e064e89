package etl

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// lenient lets everything pass that is counted.
var lenient = Limits{MissingKeys: 1, StarsRange: 1, Orphans: 1, Duplicates: 1, FutureDates: 1, BadDates: 1, BadText: 1,
	Customers: 1, Products: 1, Values: 1, Amounts: 1, Stock: 1}

// TestNothingIsLostWithoutACount damages rows at random: keys that are missing, repeated, not text or
// spelled otherwise, dates in the future. Each row of the source is in the set, or in one count.
func TestNothingIsLostWithoutACount(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(r *rapid.T) {
		s := damagedShop(r)
		ratings, customers, products := len(s.ratings), len(s.customers), len(s.products)
		noText, spelled := s.oddCodes()
		dir, err := os.MkdirTemp("", "damage-*")
		if err != nil {
			r.Fatal(err)
		}
		defer os.RemoveAll(dir)
		out, err := Run(t.Context(), s, commit.NewRepository(objectstore.NewFolder(dir), "training-set"),
			Options{ScratchDir: dir, Limits: lenient})
		c := out.Details.Counts
		if err != nil {
			if c.leftOut() != c.Read {
				r.Fatalf("refused: %v; counts %+v", err, c)
			}
			return
		}
		for _, of := range []struct {
			what                string
			read, kept, leftOut int64
			rows                int
		}{
			{"ratings", c.Read, out.Manifest.Rows(trainingset.Ratings), c.leftOut(), ratings},
			{"customers", c.Customers.Read, out.Manifest.Rows(trainingset.Customers), c.Customers.BadKey + c.Customers.Duplicate,
				customers},
			{"products", c.Products.Read, out.Manifest.Rows(trainingset.Products), c.Products.BadKey + c.Products.Duplicate,
				products},
		} {
			if of.read != int64(of.rows) || of.kept+of.leftOut != of.read {
				r.Errorf("%d %s: %d read, %d kept, %d left out", of.rows, of.what, of.read, of.kept, of.leftOut)
			}
		}
		if c.BadText != noText || c.OtherSpelling != spelled {
			r.Errorf("%d ratings have a code that is not text, counted are %d; %d have one that is spelled otherwise, counted "+
				"are %d", noText, c.BadText, spelled, c.OtherSpelling)
		}
		for rule, count := range c.ratingCounts() {
			if texts := out.Details.Examples[rule]; (*count > 0) != (len(texts) > 0) {
				r.Errorf("%s: %d faults, examples %q", rule, *count, texts)
			}
		}
		wantNewest(t, r, s, commit.NewRepository(objectstore.NewFolder(dir), "training-set"), out.Manifest)
	})
}

// oddCodes counts, of the ratings of known customers, those whose code is not text, and those whose
// code the database holds equal to that of a product.
func (s *table) oddCodes() (noText, spelled int64) {
	customers, products := map[string]bool{}, map[string]bool{}
	for _, c := range s.customers {
		customers[c.ID] = true
	}
	for _, p := range s.products {
		products[p.Code] = true
	}
	for _, r := range s.ratings {
		switch {
		case !customers[r.CustomerID] || products[r.ProductCode]:
		case text.Check(r.ProductCode, text.NoLimit) != nil:
			noText++
		case slices.ContainsFunc(s.same[r.ProductCode], func(code string) bool { return products[code] }):
			spelled++
		}
	}
	return noText, spelled
}

// damagedShop is a shop of few keys, so that they repeat.
func damagedShop(r *rapid.T) *table {
	s := &table{same: map[string][]string{"P0": {"p0"}, "p0 ": {"p0"}, "p1 ": {"gone"}}}
	for i := range rapid.IntRange(1, 6).Draw(r, "customers") {
		s.customers = append(s.customers, shop.Customer{ID: fmt.Sprint(rapid.IntRange(0, 4).Draw(r, "number")),
			Name: fmt.Sprint(i)})
	}
	for i := range rapid.IntRange(1, 6).Draw(r, "products") {
		s.products = append(s.products, shop.Product{Code: fmt.Sprint("p", rapid.IntRange(0, 4).Draw(r, "product")),
			Name: fmt.Sprint(i), QuantityInStock: 1})
	}
	codes := rapid.SampledFrom([]string{"p0", "p1", "p2", "p3", "p4", "P0", "p0 ", "p1 ", "p\x00", "p\xff",
		"\xed\xa0\x80", "gone"})
	for customer := range 6 {
		for range rapid.IntRange(0, 8).Draw(r, "ratings of a customer") {
			rating := shop.Rating{CustomerID: fmt.Sprint(customer), ProductCode: codes.Draw(r, "code"),
				Stars: int8(rapid.IntRange(shop.MinStars, shop.MaxStars).Draw(r, "stars"))}
			if days := rapid.IntRange(-3, 3).Draw(r, "days"); days != 0 {
				rating.RatedAt = new(time.Now().Add(time.Duration(days) * 20 * time.Hour))
			}
			s.ratings = append(s.ratings, rating)
		}
	}
	return s
}

// wantNewest compares each pair's rating in the set with the newest of the source.
func wantNewest(t *testing.T, r *rapid.T, s *table, repo *commit.Repository, m commit.Manifest) {
	set, err := trainingset.Read(t.Context(), repo, m, os.TempDir())
	if err != nil {
		r.Fatal(err)
	}
	for _, got := range set.Interactions {
		customer, product := set.Customers[got.Customer].ID, set.Products[got.Product].Code
		newest := int64(0)
		for _, rating := range s.ratings {
			same := rating.ProductCode == product || len(s.same[rating.ProductCode]) > 0 &&
				s.same[rating.ProductCode][0] == product
			if rating.CustomerID == customer && same && rating.RatedAt != nil {
				newest = max(newest, rating.RatedAt.Unix())
			}
		}
		if got.RatedAt != newest {
			r.Errorf("customer %s, product %s: rated at %d, the newest is %d", customer, product, got.RatedAt, newest)
		}
	}
}
