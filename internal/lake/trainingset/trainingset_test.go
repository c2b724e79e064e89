package trainingset_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/golden"
	"kindred/internal/shop"
)

// people and goods hold every NULL and the edges of every type.
func people() []shop.Customer {
	return []shop.Customer{
		{ID: "103", Name: "Atelier graphique", City: "Nantes", PostalCode: new("44000"), Country: "France",
			CreditLimit: new(shop.Cents(21000_01))},
		{ID: "112", Name: "Signal Gift Stores", City: "Las Vegas", State: new("NV"), Country: "USA",
			CreditLimit: new(shop.MaxCents)},
		{ID: "125", Name: "Havel & Zbyszek Co", City: "Łódź", Country: "Poland"},
	}
}

func goods() []shop.Product {
	return []shop.Product{
		{Code: "S10_1678", Name: "1969 Harley Davidson", Line: "Motorcycles", Scale: "1:10", Vendor: "Min Lin",
			QuantityInStock: 7933, BuyPrice: 48_81, MSRP: 95_70},
		{Code: "S10_1949", Name: "1952 Alpine Renault", Line: "Classic Cars", Scale: "1:10", Vendor: "Classic",
			QuantityInStock: -32768, BuyPrice: 1, MSRP: shop.MaxCents},
	}
}

// write writes n ratings over people and goods into a new folder.
func write(t *testing.T, n int) commit.Draft {
	t.Helper()
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	customers, products := people(), goods()
	if err := w.Customers(customers); err != nil {
		t.Fatal(err)
	}
	if err := w.Products(products); err != nil {
		t.Fatal(err)
	}
	for i := range n {
		r := trainingset.Rating{Customer: int32(i * 2 / n), Product: int32(i % 2), Stars: int8(i%5 + 1),
			RatedAt: trainingset.NoTime}
		if i%3 != 0 {
			r.RatedAt = time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC).UnixMilli() + 1000*int64(i)
		}
		if err := w.Rating(r); err != nil {
			t.Fatal(err)
		}
	}
	draft, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return draft
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1024, 5000} {
		t.Run(fmt.Sprint(n, " ratings"), func(t *testing.T) {
			t.Parallel()
			repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
			m, _, err := repo.Commit(t.Context(), write(t, n))
			if err != nil {
				t.Fatal(err)
			}
			scratch := t.TempDir()
			set, err := trainingset.Read(t.Context(), repo, m, scratch)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(people(), set.Customers); diff != "" {
				t.Errorf("customers (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(goods(), set.Products); diff != "" {
				t.Errorf("products (-want +got):\n%s", diff)
			}
			if set.Run != m.Run || len(set.Interactions) != n || m.Rows(trainingset.Ratings) != int64(n) {
				t.Fatalf("run %s, %d interactions, %d rows; want run %s and %d", set.Run, len(set.Interactions),
					m.Rows(trainingset.Ratings), m.Run, n)
			}
			for i, got := range set.Interactions {
				want := trainingset.Interaction{Customer: int32(i * 2 / n), Product: int32(i % 2), Stars: int8(i%5 + 1)}
				if i%3 != 0 {
					want.RatedAt = time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC).Unix() + int64(i)
				}
				if got != want {
					t.Fatalf("interaction %d = %+v, want %+v", i, got, want)
				}
			}
			if left, _ := filepath.Glob(filepath.Join(scratch, "*")); len(left) != 0 {
				t.Errorf("left in the scratch folder: %q", left)
			}
		})
	}
}

func TestEqualRowsAreEqualBytes(t *testing.T) {
	t.Parallel()
	one, two := write(t, 3000), write(t, 3000)
	for i, f := range one.Files {
		a, err := os.ReadFile(filepath.Join(one.Dir, f.Path))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(two.Dir, two.Files[i].Path))
		if err != nil {
			t.Fatal(err)
		}
		if string(a) != string(b) {
			t.Errorf("%s differs between two writes of the same rows", f.Path)
		}
	}
}

func TestReadRefusesAnotherSchemaAndDamage(t *testing.T) {
	t.Parallel()
	store := objectstore.NewFolder(t.TempDir())
	repo := commit.NewRepository(store, "training-set")
	m, _, err := repo.Commit(t.Context(), write(t, 10))
	if err != nil {
		t.Fatal(err)
	}
	other := m
	other.SchemaFingerprint = "other"
	if _, err := trainingset.Read(t.Context(), repo, other, t.TempDir()); !errors.Is(err, trainingset.ErrSchema) {
		t.Errorf("another schema: error %v, want ErrSchema", err)
	}
	if err := store.Delete(t.Context(), "training-set/run="+m.Run+"/ratings/part-00000.parquet"); err != nil {
		t.Fatal(err)
	}
	if _, err := trainingset.Read(t.Context(), repo, m, t.TempDir()); !errors.Is(err, commit.ErrCorrupt) {
		t.Errorf("missing file: error %v, want ErrCorrupt", err)
	}
}

func TestReadRefusesAnOrphan(t *testing.T) {
	t.Parallel()
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	if err := errors.Join(w.Customers(people()[1:]), w.Products(goods())); err != nil {
		t.Fatal(err)
	}
	few, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	all := write(t, 10)
	for _, f := range few.Files { // customers and products of the one, ratings of the other
		if f.DataSet != trainingset.Ratings {
			if err := os.Rename(filepath.Join(few.Dir, f.Path), filepath.Join(all.Dir, f.Path)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i := range all.Files {
		if all.Files[i].DataSet == trainingset.Customers {
			all.Files[i].Rows = 2
		}
	}
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	m, _, err := repo.Commit(t.Context(), all)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := trainingset.Read(t.Context(), repo, m, t.TempDir()); !errors.Is(err, trainingset.ErrOrphan) {
		t.Errorf("error %v, want ErrOrphan", err)
	}
}

func TestWriterRefusesARatingOfNobody(t *testing.T) {
	t.Parallel()
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	defer w.Abandon()
	if err := errors.Join(w.Customers(people()), w.Products(goods())); err != nil {
		t.Fatal(err)
	}
	for _, r := range []trainingset.Rating{{Customer: 3}, {Product: 2}, {Customer: -1}} {
		if err := w.Rating(r); !errors.Is(err, trainingset.ErrOrphan) {
			t.Errorf("%+v: error %v, want ErrOrphan", r, err)
		}
	}
}

// The files are written by another goroutine.
func TestDiskErrorReachesTheWriter(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := trainingset.NewWriter(dir, trainingset.Keys{})
	if err := errors.Join(w.Customers(people()), w.Products(goods()),
		os.WriteFile(filepath.Join(dir, trainingset.Ratings), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	var err error
	for i := 0; i < 3_000_000 && err == nil; i++ { // more than a row group and the queue hold
		err = w.Rating(trainingset.Rating{RatedAt: int64(i)})
	}
	if err == nil || !strings.Contains(err.Error(), "create ratings/part-00000.parquet") {
		t.Errorf("error %v, want the one of the disk", err)
	}
	if err := w.Abandon(); err != nil {
		t.Error(err)
	}
}

// TestSchema is golden: a change here changes every content hash and what others read.
func TestSchema(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "schema.golden", []byte(trainingset.Schema(trainingset.Keys{})))
}

// Read shares the scratch folder with others, who may use any name in it.
func TestReadKeepsToAFolderOfItsOwn(t *testing.T) {
	t.Parallel()
	repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
	m, _, err := repo.Commit(t.Context(), write(t, 10))
	if err != nil {
		t.Fatal(err)
	}
	scratch := t.TempDir()
	theirs := filepath.Join(scratch, "fetched.parquet")
	if err := os.WriteFile(theirs, []byte("another reader's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := trainingset.Read(t.Context(), repo, m, scratch); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(theirs); err != nil || string(data) != "another reader's" {
		t.Errorf("another reader's file holds %q, error %v", data, err)
	}
}

func TestWriterRefusesWhatIsNotText(t *testing.T) {
	t.Parallel()
	w := trainingset.NewWriter(t.TempDir(), trainingset.Keys{})
	defer w.Abandon()
	customers, products := people(), goods()
	customers[2].PostalCode, products[1].Line = new("a\x00"), "caf\xe9"
	for err, want := range map[error]string{
		w.Customers(customers): "customer 125: postalCode holds a NUL at byte 1",
		w.Products(products):   `product "S10_1949": productLine is not valid UTF-8 at byte 3 (0xE9)`,
	} {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
}
