package trainingset

import (
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/parquet-go/parquet-go"

	"kindred/internal/shop"
)

func TestPartsAreCutBetweenRowGroups(t *testing.T) {
	t.Parallel()
	w := newRatingWriter(t.TempDir(), Keys{}.orSeed(), make([]shop.Customer, 1), make([]shop.Product, 1))
	w.limitBytes, w.limitRows = 1, 10
	for _, n := range []int{7, 18} {
		if err := w.write(make([]Rating, n)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := w.close()
	if err != nil {
		t.Fatal(err)
	}
	var got string
	for _, f := range files {
		got += fmt.Sprint(f.Path, " ", f.Rows, "\n")
	}
	const want = "ratings/part-00000.parquet 10\nratings/part-00001.parquet 10\nratings/part-00002.parquet 5\n"
	if got != want {
		t.Errorf("parts:\n%swant:\n%s", got, want)
	}
}

// TestCodedColumnsAreTheJoinedRows writes ratings of a random shop and compares each joined row.
func TestCodedColumnsAreTheJoinedRows(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	some := func(n int) *string {
		if r.IntN(4) == 0 {
			return nil
		}
		return new(fmt.Sprint("ü", r.IntN(n)))
	}
	customers, products := make([]shop.Customer, 500), make([]shop.Product, 300)
	for i := range customers {
		customers[i] = shop.Customer{ID: fmt.Sprint(int32(r.Uint32())), City: fmt.Sprint(r.IntN(20)), State: some(5),
			PostalCode: some(400), Country: "C"}
		if r.IntN(4) > 0 {
			customers[i].CreditLimit = new(shop.Cents(r.IntN(1000)))
		}
	}
	for i := range products {
		products[i] = shop.Product{Code: fmt.Sprint("S", i), Line: fmt.Sprint(r.IntN(7)), Scale: "1:10",
			QuantityInStock: int16(r.Uint32()),
			BuyPrice:        shop.Cents(r.IntN(100)), MSRP: shop.MaxCents - shop.Cents(r.IntN(100))}
	}
	w := newRatingWriter(t.TempDir(), Keys{}.orSeed(), customers, products)
	w.limitRows = 3000 // some row groups
	var ratings []Rating
	for i := range 10_000 {
		next := Rating{Customer: int32(i / 20), Product: int32(r.IntN(300)), Stars: int8(r.IntN(256)), RatedAt: NoTime}
		if i%100 == 0 {
			next.Customer = int32(r.IntN(500)) // not in a row with the others of that customer
		}
		if r.IntN(3) > 0 {
			next.RatedAt = r.Int64()
		}
		ratings = append(ratings, next)
	}
	if err := w.write(ratings); err != nil {
		t.Fatal(err)
	}
	files, err := w.close()
	if err != nil || len(files) != 1 {
		t.Fatalf("files %v, error %v", files, err)
	}
	file, err := os.Open(filepath.Join(w.parts.dir, files[0].Path))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := parquet.NewGenericReader[ratingRow[int32, string]](file)
	defer reader.Close()
	got := make([]ratingRow[int32, string], len(ratings)+1)
	n, err := reader.Read(got)
	if n != len(ratings) || err != nil && err != io.EOF { //nolint:errorlint // as the library returns it
		t.Fatalf("%d rows, error %v", n, err)
	}
	for i, r := range ratings {
		c, p := customers[r.Customer], products[r.Product]
		want := ratingRow[int32, string]{CustomerNumber: fromID[int32](c.ID), City: c.City, State: c.State,
			PostalCode:  c.PostalCode,
			Country:     c.Country,
			CreditLimit: (*int64)(c.CreditLimit), ProductCode: p.Code, ProductLine: p.Line, ProductScale: p.Scale,
			QuantityInStock: p.QuantityInStock, BuyPrice: int64(p.BuyPrice), MSRP: int64(p.MSRP), ProductRating: r.Stars}
		if r.RatedAt != NoTime {
			want.RatedAt = &ratings[i].RatedAt
		}
		if !reflect.DeepEqual(got[i], want) {
			t.Fatalf("row %d: %+v, want %+v", i, got[i], want)
		}
	}
}

func BenchmarkRatings(b *testing.B) {
	customers, products := make([]shop.Customer, 100_000), make([]shop.Product, 20_000)
	for i := range customers {
		customers[i] = shop.Customer{ID: fmt.Sprint(i), City: fmt.Sprint(i % 24), PostalCode: new(fmt.Sprint(i)),
			Country: fmt.Sprint(i % 9)}
	}
	for i := range products {
		products[i] = shop.Product{Code: fmt.Sprintf("S10_%05d", i), Line: fmt.Sprint(i % 7),
			QuantityInStock: int16(i % 10000),
			BuyPrice:        shop.Cents(i % 8800), MSRP: shop.Cents(i % 19000)}
	}
	r := rand.New(rand.NewPCG(1, 2))
	batch := make([]Rating, groupRows)
	for i := range batch {
		batch[i] = Rating{Customer: int32(i / 50), Product: int32(r.IntN(20_000)), Stars: int8(i%5 + 1),
			RatedAt: 1704067200000 + r.Int64N(63072000000)}
	}
	w := newRatingWriter(b.TempDir(), Keys{}.orSeed(), customers, products)
	for b.Loop() {
		if err := w.write(batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(groupRows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
