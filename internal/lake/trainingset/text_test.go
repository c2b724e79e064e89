package trainingset

import (
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"pgregory.net/rapid"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
)

// TestReadRefusesWhatIsNotText puts what is no text into any text column of any row of a file, as
// another program may. The error names file, row and column, and never shows the text.
func TestReadRefusesWhatIsNotText(t *testing.T) {
	t.Parallel()
	const rows = 5
	rapid.Check(t, func(rt *rapid.T) {
		bad := rapid.SampledFrom([]string{"geheim\x00", "geheim\xff", "geheim\xed\xa0\x80", "\xc3"}).Draw(rt, "text")
		dataSet := rapid.SampledFrom([]string{Customers, Products, Ratings}).Draw(rt, "data set")
		at := rapid.IntRange(0, rows-1).Draw(rt, "row")
		draft, customers, products := mustDraft(t, rows)
		var column, name string
		var err error
		for _, f := range draft.Files {
			if f.DataSet != dataSet {
				continue
			}
			name = f.Path
			path := filepath.Join(draft.Dir, f.Path)
			switch dataSet {
			case Customers:
				column = spoil(rt, &customers[at], bad)
				err = parquet.WriteFile(path, customers)
			case Products:
				column = spoil(rt, &products[at], bad)
				err = parquet.WriteFile(path, products)
			case Ratings:
				var ratings []ratingRow[string, string]
				if ratings, err = parquet.ReadFile[ratingRow[string, string]](path); err == nil {
					column, ratings[at].ProductCode = "productCode", bad
					err = parquet.WriteFile(path, ratings)
				}
			}
		}
		if err != nil {
			rt.Fatal(err)
		}
		repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
		m, _, err := repo.Commit(t.Context(), draft)
		if err != nil {
			rt.Fatal(err)
		}
		_, err = Read(t.Context(), repo, m, t.TempDir())
		var fault *text.Error
		if !errors.As(err, &fault) || !strings.Contains(err.Error(), fmt.Sprintf("read %s of run %s: row %d: ", name,
			m.Run, at+1)) ||
			!strings.Contains(err.Error(), column+" "+fault.Error()) || column != "productCode" && column != "customerNumber" &&
			strings.Contains(err.Error(), "geheim") {
			rt.Errorf("%q in %s: %v", bad, column, err)
		}
	})
}

// spoil puts bad into one of the row's text columns and returns the column's name.
func spoil(rt *rapid.T, row any, bad string) string {
	v := reflect.ValueOf(row).Elem()
	var texts []reflect.StructField
	for _, field := range reflect.VisibleFields(v.Type()) {
		if field.Type == reflect.TypeFor[string]() || field.Type == reflect.TypeFor[*string]() {
			texts = append(texts, field)
		}
	}
	field := rapid.SampledFrom(texts).Draw(rt, "column")
	if value := v.FieldByIndex(field.Index); value.Kind() == reflect.Pointer {
		value.Set(reflect.ValueOf(&bad))
	} else {
		value.SetString(bad)
	}
	name, _, _ := strings.Cut(field.Tag.Get("parquet"), ",")
	return name
}

// mustDraft is a set of so many customers, products and ratings.
func mustDraft(t *testing.T, rows int) (draft commit.Draft, customers []textCustomerRow,
	products []productRow[string]) {
	t.Helper()
	w := NewWriter(t.TempDir(), Keys{Customer: Text})
	var people []shop.Customer
	var goods []shop.Product
	for i := range rows {
		people = append(people, shop.Customer{ID: fmt.Sprint(i + 1), Name: "Ann", City: "Łódź", Country: "Poland"})
		goods = append(goods, shop.Product{Code: fmt.Sprint("P", i), Name: "東京", Line: "Cars", Scale: "1:10", Vendor: "V"})
		customers, products = append(customers, toTextCustomerRow(people[i])),
			append(products, toProductRow[string](goods[i]))
	}
	err := errors.Join(w.Customers(people), w.Products(goods))
	for i := range rows {
		err = errors.Join(err, w.Rating(Rating{Customer: int32(i), Product: int32(i), Stars: 3, RatedAt: NoTime}))
	}
	draft, closeErr := w.Close()
	if err := errors.Join(err, closeErr); err != nil {
		t.Fatal(err)
	}
	return draft, customers, products
}
