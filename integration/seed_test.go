package integration

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lab/seed"
	"kindred/internal/lab/simulation"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/platform/text"
	"kindred/internal/shop"
	"kindred/internal/shop/shopdb"
)

// seeding runs seed against a database and a lake of the test's own.
type seeding struct{ dsn, lake string }

func newSeeding(t *testing.T) seeding {
	t.Helper()
	return seeding{dsn: mustStack(t).mustDatabase(t), lake: t.TempDir()}
}

// seedResult is the part of seed's JSON that others rely on.
type seedResult struct {
	Customers, Products, Ratings int
	Interactions                 int
	NoOp                         bool   `json:"no_op"`
	Kind                         string `json:"kind"`
	ContentHash                  string `json:"content_hash"`
}

func (s seeding) run(t *testing.T, args ...string) (r seedResult, code int, stderr string) {
	t.Helper()
	var out, problems bytes.Buffer
	args = append(args, "--json", "--mysql-dsn", s.dsn, "--lake", "file://"+s.lake)
	code = program.Run(t.Context(), "seed", seed.Description, &seed.Command{}, args, &out, &problems)
	if code == 0 {
		if err := readResult(out.String(), &r); err != nil {
			t.Fatalf("result of seed: %v\n%s", err, &out)
		}
	}
	return r, code, problems.String()
}

func (s seeding) mustRun(t *testing.T, args ...string) seedResult {
	t.Helper()
	r, code, stderr := s.run(t, args...)
	if code != 0 {
		t.Fatalf("seed %v: exit %d: %s", args, code, stderr)
	}
	return r
}

// planted returns the planted shop in the lake, false when there is none.
func (s seeding) planted(t *testing.T) (cfg simulation.Config, ok bool) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.lake, envconfig.PlantedShopKey))
	if errors.Is(err, os.ErrNotExist) {
		return cfg, false
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &cfg); err != nil {
		t.Fatal(err)
	}
	return cfg, true
}

func mustShopDB(t *testing.T, dsn string) *shopdb.DB {
	t.Helper()
	db, err := shopdb.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// mustRows reads the whole shop back.
func mustRows(t *testing.T, db *shopdb.DB) (c []shop.Customer, p []shop.Product, r []shop.Rating) {
	t.Helper()
	var errs [3]error
	c, errs[0] = db.Customers(t.Context())
	p, errs[1] = db.Products(t.Context())
	r, errs[2] = db.Liked(t.Context(), shop.MinStars)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return c, p, r
}

func TestSeededShopIsTheGeneratedOneAndSeedingAgainChangesNothing(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	first := s.mustRun(t, "generate", "--scale", "0.1")
	cfg, ok := s.planted(t)
	if !ok || cfg != simulation.DefaultConfig(0.1) {
		t.Fatalf("planted shop %+v, %v", cfg, ok)
	}
	want, err := simulation.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ratings := slices.SortedFunc(want.Ratings(), func(a, b shop.Rating) int {
		if a.CustomerID != b.CustomerID {
			return text.CompareIDs(a.CustomerID, b.CustomerID)
		}
		return strings.Compare(a.ProductCode, b.ProductCode)
	})
	c, p, r := mustRows(t, mustShopDB(t, s.dsn))
	if diff := cmp.Diff(want.Customers(), c) + cmp.Diff(want.Products(), p) + cmp.Diff(ratings, r); diff != "" {
		t.Errorf("the database differs from the generated shop (-want +got):\n%.2000s", diff)
	}
	if first.NoOp || first.Kind != "generated" || first.Ratings != len(ratings) || first.Customers != len(c) ||
		first.Products != len(p) {
		t.Errorf("result %+v", first)
	}
	again := s.mustRun(t, "generate", "--scale", "0.1")
	if !again.NoOp || again.ContentHash != first.ContentHash {
		t.Errorf("seeding again: %+v", again)
	}
	if other := s.mustRun(t, "generate", "--scale", "0.1", "--seed", "2"); other.NoOp ||
		other.ContentHash == first.ContentHash {
		t.Errorf("another seed: %+v", other)
	}
}

func TestImportReplacesAGeneratedShopAndItsPlantedTruth(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	s.mustRun(t, "generate", "--scale", "0.05")
	for folder, ratings := range map[string]int{"ml-latest": 4, "ml-100k": 4, "csv": 2} {
		got := s.mustRun(t, "import", filepath.Join("..", "testdata", "import", folder))
		if got.Ratings != ratings || got.NoOp {
			t.Errorf("%s: %+v", folder, got)
		}
		if _, ok := s.planted(t); ok {
			t.Errorf("%s: the planted truth of the generated shop is still there", folder)
		}
		if c, p, r := mustRows(t, mustShopDB(t, s.dsn)); len(c) != got.Customers || len(p) != got.Products ||
			len(r) != ratings {
			t.Errorf("%s: database has %d customers, %d products, %d ratings", folder, len(c), len(p), len(r))
		}
	}
}

func TestAShopThatSeedDidNotFillIsLeftAlone(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	db, err := sql.Open("mysql", s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range []string{"CREATE TABLE products (productCode varchar(15) PRIMARY KEY)",
		"INSERT INTO products VALUES ('mine')"} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	_, code, stderr := s.run(t, "generate", "--scale", "0.05")
	var still string
	if err := db.QueryRowContext(t.Context(), "SELECT productCode FROM products").Scan(&still); err != nil {
		t.Fatal(err)
	}
	if code != 1 || still != "mine" || !strings.Contains(stderr, "--force") {
		t.Errorf("exit %d, product %q, %s", code, still, stderr)
	}
	if _, ok := s.planted(t); ok {
		t.Error("a refused seed left a planted truth")
	}
	if r := s.mustRun(t, "generate", "--scale", "0.05", "--force"); r.NoOp || r.Ratings == 0 {
		t.Errorf("with --force: %+v", r)
	}
}

func TestAKilledLoadLeavesTheOldShopAndTheNextOneHeals(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	s.mustRun(t, "import", filepath.Join("..", "testdata", "import", "csv"))
	db := mustShopDB(t, s.dsn)
	generated, err := simulation.New(simulation.DefaultConfig(0.1))
	if err != nil {
		t.Fatal(err)
	}
	content := shopdb.Content{Kind: "generated", Customers: generated.Customers(), Products: generated.Products(),
		Ratings: generated.Ratings()}
	for _, batches := range []int{1, 2, 3, 5, 9} { // customers, products, then ratings
		ctx, kill := context.WithCancel(t.Context())
		_, err := db.Load(ctx, content, shopdb.Options{Progress: func(int) {
			if batches--; batches == 0 {
				kill()
			}
		}})
		kill()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("killed load: %v", err)
		}
		if c, p, r := mustRows(t, db); len(c) != 2 || len(p) != 2 || len(r) != 2 {
			t.Fatalf("after a killed load: %d customers, %d products, %d ratings", len(c), len(p), len(r))
		}
	}
	result, err := db.Load(t.Context(), content, shopdb.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if c, p, r := mustRows(t, db); len(c) != result.Customers || len(p) != result.Products || len(r) != result.Ratings ||
		len(r) < 5000 {
		t.Errorf("after healing: %d customers, %d products, %d ratings", len(c), len(p), len(r))
	}
	plain, err := sql.Open("mysql", s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	var left int
	query := "SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE " +
		"'kindred_%' " +
		"AND TABLE_NAME <> 'kindred_seed'"
	if err := plain.QueryRowContext(t.Context(), query).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d tables are left over, error %v", left, err)
	}
}

// The truth of the old shop stays with it for as long as it stays.
func TestARefusedLoadLeavesTheOldShopsPlantedTruth(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	s.mustRun(t, "generate", "--scale", "0.02")
	folder := t.TempDir()
	for name, content := range map[string]string{
		"customers.csv": "customerNumber,city\n1," + strings.Repeat("x", 51) + "\n", // longer than the column
		"products.csv":  "productCode,productName\nA,Apple\n",
		"ratings.csv":   "customerNumber,productCode,productRating\n1,A,5\n",
	} {
		if err := os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, code, stderr := s.run(t, "import", folder); code != 1 || !strings.Contains(stderr, "city") {
		t.Fatalf("exit %d, %s", code, stderr)
	}
	if cfg, ok := s.planted(t); !ok || cfg != simulation.DefaultConfig(0.02) {
		t.Errorf("planted shop %+v, %v", cfg, ok)
	}
	if r := s.mustRun(t, "generate", "--scale", "0.02"); !r.NoOp {
		t.Errorf("the old shop is not there any more: %+v", r)
	}
}

func TestSeedsAtTheSameTimeLeaveOneWholeShop(t *testing.T) {
	t.Parallel()
	s := newSeeding(t)
	db := mustShopDB(t, s.dsn)
	folder := filepath.Join("..", "testdata", "import", "csv")
	var group sync.WaitGroup
	for _, args := range [][]string{{"generate", "--scale", "0.02"}, {"import", folder},
		{"generate", "--scale", "0.02", "--seed", "2"}} {
		group.Go(func() {
			if _, code, stderr := s.run(t, args...); code != 0 && !strings.Contains(stderr, "another seed") {
				t.Errorf("seed %v: exit %d: %s", args, code, stderr)
			}
		})
	}
	group.Wait()
	customers, products, ratings := mustRows(t, db)
	known := map[string]bool{}
	for _, c := range customers {
		known[c.ID] = true
	}
	if len(customers) == 0 || len(products) == 0 || len(ratings) == 0 {
		t.Fatalf("%d customers, %d products, %d ratings", len(customers), len(products), len(ratings))
	}
	cfg, generated := s.planted(t)
	if generated != (customers[0].ID != "103") || (generated && cfg.Customers != len(customers)) {
		t.Errorf("planted truth of %d customers, %v, beside %d customers in the database", cfg.Customers, generated,
			len(customers))
	}
	for _, r := range ratings {
		if !known[r.CustomerID] {
			t.Fatalf("a rating of another shop's customer %s", r.CustomerID)
		}
	}
}
