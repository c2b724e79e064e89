package integration

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/etl"
	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/program"
	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// etlShop is a shop with every NULL and the edges of every type.
const etlShop = `
CREATE TABLE customers (customerNumber int PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL, state varchar(50),
	postalCode varchar(15), country varchar(50) NOT NULL, creditLimit decimal(10,2), salesRepEmployeeNumber int);
CREATE TABLE products (productCode varchar(15) PRIMARY KEY, productName varchar(70) NOT NULL, productLine varchar(50) NOT NULL,
	productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL, productDescription text, quantityInStock smallint NOT NULL,
	buyPrice decimal(10,2) NOT NULL, MSRP decimal(10,2) NOT NULL);
CREATE TABLE ratings (customerNumber int, productCode varchar(15), productRating int, ratedAt datetime,
	PRIMARY KEY (customerNumber, productCode));
INSERT INTO customers VALUES (103, 'Atelier graphique', 'Nantes', NULL, '44000', 'France', 21000.01, 1370),
	(112, 'Signal Gift Stores', 'Las Vegas', 'NV', NULL, 'USA', 99999999.99, NULL),
	(-7, '', 'Łódź 漢字 😀', '', '', 'Poland', NULL, NULL),
	(200, 'Never Rated', 'Oslo', NULL, NULL, 'Norway', 0.00, NULL);
INSERT INTO products VALUES
	('S10_1949', 'Alpine', 'Classic Cars', '1:10', 'Classic', '', -32768, 0.01, 99999999.99),
	('S10_1678', 'Harley', 'Motorcycles', '1:10', 'Min Lin', NULL, 7933, 48.81, 95.70),
	('S72_3212', 'Pont Yacht', 'Ships', '1:72', 'Unimax', '', 32767, 0, 54.60);
INSERT INTO ratings VALUES (112, 'S10_1949', 5, '2024-02-29 23:59:59'), (103, 'S10_1678', 1, NULL),
	(103, 'S10_1949', 4, '1999-12-31 00:00:00'),
	(-7, 'S10_1678', 3, '2024-03-31 02:30:00')`

// etlSet is etlShop as a training set.
func etlSet() *trainingset.Set {
	return &trainingset.Set{
		Keys: trainingset.Keys{Customer: trainingset.Int32, Product: trainingset.Text},
		Customers: []shop.Customer{
			{ID: "-7", City: "Łódź 漢字 😀", State: new(""), PostalCode: new(""), Country: "Poland"},
			{ID: "103", Name: "Atelier graphique", City: "Nantes", PostalCode: new("44000"), Country: "France",
				CreditLimit: new(shop.Cents(21000_01))},
			{ID: "112", Name: "Signal Gift Stores", City: "Las Vegas", State: new("NV"), Country: "USA",
				CreditLimit: new(shop.MaxCents)},
			{ID: "200", Name: "Never Rated", City: "Oslo", Country: "Norway", CreditLimit: new(shop.Cents(0))},
		},
		Products: []shop.Product{
			{Code: "S10_1678", Name: "Harley", Line: "Motorcycles", Scale: "1:10", Vendor: "Min Lin",
				QuantityInStock: 7933, BuyPrice: 48_81, MSRP: 95_70},
			{Code: "S10_1949", Name: "Alpine", Line: "Classic Cars", Scale: "1:10", Vendor: "Classic",
				QuantityInStock: -32768, BuyPrice: 1, MSRP: shop.MaxCents},
			{Code: "S72_3212", Name: "Pont Yacht", Line: "Ships", Scale: "1:72", Vendor: "Unimax", QuantityInStock: 32767,
				MSRP: 54_60},
		},
		Interactions: []trainingset.Interaction{
			{Customer: 0, Product: 0, Stars: 3, RatedAt: time.Date(2024, 3, 31, 2, 30, 0, 0, time.UTC).Unix()},
			{Customer: 1, Product: 0, Stars: 1},
			{Customer: 1, Product: 1, Stars: 4, RatedAt: time.Date(1999, 12, 31, 0, 0, 0, 0, time.UTC).Unix()},
			{Customer: 2, Product: 1, Stars: 5, RatedAt: time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC).Unix()},
		},
	}
}

// mustShop makes a database of the test's own and runs the statements in it.
func (s Stack) mustShop(t *testing.T, statements ...string) (dsn string, db *sql.DB) {
	t.Helper()
	dsn = s.mustDatabase(t)
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	for _, statement := range statements {
		for one := range strings.SplitSeq(statement, ";\n") {
			mustExec(t, db, one)
		}
	}
	return dsn, db
}

func mustExec(t *testing.T, db *sql.DB, statement string) {
	t.Helper()
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}

func mustExtract(t *testing.T, dsn string, repo *commit.Repository) (m commit.Manifest, changed bool) {
	t.Helper()
	snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	out, err := etl.Run(t.Context(), snapshot, repo, etl.Options{ScratchDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return out.Manifest, out.Changed
}

// objects lists a store with the moments its objects were written.
func objects(t *testing.T, store objectstore.Store) map[string]time.Time {
	t.Helper()
	all := map[string]time.Time{}
	for info, err := range store.List(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		all[info.Key] = info.Modified
	}
	return all
}

func TestShopBecomesATrainingSetOnS3(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, db := stack.mustShop(t, etlShop)
	store := objectstore.NewS3(awsclient.S3(stack.AWS), stack.mustBucket(t), "")
	repo := commit.NewRepository(store, "training-set")

	first, changed := mustExtract(t, dsn, repo)
	if !changed {
		t.Error("the first run changed nothing")
	}
	got, err := trainingset.Read(t.Context(), repo, first, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	want := etlSet()
	want.Run, want.ContentHash = first.Run, first.ContentHash
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cents, NULLs or text did not survive (-want +got):\n%s", diff)
	}
	var position mysqlsource.Position
	err = json.Unmarshal(first.Source, &position)
	if err != nil || position.Server == "" || (position.BinlogFile == "") == (position.None == "") {
		t.Errorf("source position %s, error %v", first.Source, err)
	}

	before := objects(t, store)
	if again, changed := mustExtract(t, dsn, repo); changed || again.ContentHash != first.ContentHash {
		t.Errorf("second run: changed %v, content %s, want %s", changed, again.ContentHash, first.ContentHash)
	}
	if diff := cmp.Diff(before, objects(t, store)); diff != "" {
		t.Errorf("the second run wrote (-before +after):\n%s", diff)
	}

	mustExec(t, db, "UPDATE customers SET creditLimit = creditLimit + 0.01 WHERE customerNumber = 103")
	next, changed := mustExtract(t, dsn, repo)
	if !changed || next.Run == first.Run || next.Parent != first.Run {
		t.Errorf("run after a change of one cent: changed %v, run %s, parent %s; the first was %s", changed, next.Run,
			next.Parent, first.Run)
	}
	after := objects(t, store)
	for key, written := range before {
		if !strings.HasSuffix(key, "/CURRENT") && !after[key].Equal(written) {
			t.Errorf("%s of the old run was touched", key)
		}
	}
	old, err := repo.Manifest(t.Context(), first.Run)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := trainingset.Read(t.Context(), repo, old, t.TempDir()); err != nil ||
		again.ContentHash != want.ContentHash {
		t.Errorf("the old run cannot be read any more: %v", err)
	}
}

func TestSnapshotDoesNotSeeLaterRows(t *testing.T) {
	t.Parallel()
	dsn, db := mustStack(t).mustShop(t, etlShop)
	snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	mustExec(t, db, "DELETE FROM ratings")
	mustExec(t, db, "UPDATE products SET buyPrice = 1")
	mustExec(t, db, "INSERT INTO customers VALUES (900, 'Late', 'Late', NULL, NULL, 'Late', NULL, NULL)")
	customers, err := snapshot.Customers(t.Context())
	if err != nil || len(customers) != 4 {
		t.Errorf("%d customers, error %v, want 4", len(customers), err)
	}
	products, err := snapshot.Products(t.Context())
	if err != nil || len(products) != 3 || products[0].BuyPrice != 48_81 {
		t.Errorf("products %+v, error %v", products, err)
	}
	ratings := 0
	err = snapshot.Ratings(t.Context(), func(shop.Rating) error { ratings++; return nil })
	if err != nil || ratings != 4 {
		t.Errorf("%d ratings, error %v, want 4", ratings, err)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, etlShop, "INSERT INTO ratings "+
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 400) SELECT 1000 * a.i + b.i, "+
		"'S10_1678', 1, NULL FROM n a JOIN n b")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	snapshot, err := mysqlsource.Open(ctx, dsn, mysqlsource.Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	err = snapshot.Ratings(ctx, func(shop.Rating) error { rows++; stop(); return nil })
	if !errors.Is(err, context.Canceled) || rows >= 160_000 {
		t.Errorf("error %v after %d rows, want the cancellation early", err, rows)
	}
	if err := snapshot.Close(); err != nil {
		t.Error(err)
	}
}

func TestEtlBadInputIsOneSentenceAndLeavesTheOldSet(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	tests := []struct {
		name   string
		spoil  string                     // a statement on a good shop
		change func(*mysql.Config) string // the DSN of the refused run
		code   int
		want   string // the sentence; %s is the database's name
	}{
		{"bad DSN", "", func(*mysql.Config) string { return "geheim" }, 2,
			"bad configuration: MySQL cannot be used as configured: MYSQL_DSN is not of the form " +
				"user:password@tcp(host:port)/database"},
		{"no database", "", func(c *mysql.Config) string { c.DBName += "_gone"; return c.FormatDSN() }, 2, "_gone"},
		{"wrong password", "", func(c *mysql.Config) string {
			c.User, c.Passwd = "kindred_nobody", "geheim"
			return c.FormatDSN()
		}, 2, `refuses user "kindred_nobody" or the password`},
		{"no server", "", func(c *mysql.Config) string { c.Addr = "127.0.0.1:1"; return c.FormatDSN() }, 1,
			"connect: MySQL at 127.0.0.1:1 does not answer: connect: connection refused"},
		{"missing table", "DROP TABLE products", nil, 1,
			"the shop's tables are not as expected: check products: Table '%[1]s.products' doesn't exist in database %[1]s"},
		{"missing column", "ALTER TABLE ratings DROP COLUMN ratedAt", nil, 1,
			"the shop's columns changed since the current training set: column ratings.ratedAt (DATETIME(0)) is gone"},
		{"BLOB for a number", "ALTER TABLE ratings MODIFY productRating blob", nil, 1,
			"the shop's tables are not as expected: column ratings.productRating is a BLOB, want an integer"},
		{"float for an amount", "ALTER TABLE products MODIFY MSRP double", nil, 1,
			"the shop's tables are not as expected: column products.MSRP is a floating-point number, want a decimal with at " +
				"most two places"},
		{"text that is not UTF-8 but bytes", "ALTER TABLE customers MODIFY city varbinary(50)", nil, 1,
			"the shop's tables are not as expected: column customers.city is BINARY, want text"},
		{"rating 6", "UPDATE ratings SET productRating = 6 WHERE customerNumber = 112", nil, 1,
			"such as rating of customer 112 for product \"S10_1949\": productRating is not from 1 to 5; the old training set " +
				"stays"},
		{"NULL rating", "UPDATE ratings SET productRating = NULL WHERE customerNumber = -7", nil, 1,
			"such as rating of customer -7 for product \"S10_1678\": productRating is not from 1 to 5; the old training set " +
				"stays"},
		{"NULL key", "ALTER TABLE ratings DROP PRIMARY KEY, MODIFY productCode varchar(15) NULL;\n" +
			"INSERT INTO ratings VALUES (500, NULL, 3, NULL)", nil, 1,
			"such as a rating of customer 500: productCode is NULL; the old training set stays"},
		{"empty ratings", "DELETE FROM ratings", nil, 1, "nothing to train on: there are no ratings"},
		{"orphans", "DELETE FROM customers WHERE customerNumber = 103", nil, 1,
			"the ratings are not good enough: 2 of 4 ratings have no customer or no product (2 customer unknown, 0 product " +
				"unknown)"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			dsn, _ := stack.mustShop(t, etlShop)
			lake := t.TempDir()
			repo := commit.NewRepository(objectstore.NewFolder(lake), "training-set")
			old, _ := mustExtract(t, dsn, repo)
			cfg, err := mysql.ParseDSN(dsn)
			if err != nil {
				t.Fatal(err)
			}
			name := cfg.DBName
			if test.spoil != "" {
				mustSpoil(t, dsn, test.spoil)
			}
			if test.change != nil {
				dsn = test.change(cfg)
			}
			var stdout, stderr bytes.Buffer
			code := program.Run(t.Context(), "etl", etl.Description, &etl.Command{},
				[]string{"--mysql-dsn", dsn, "--lake", "file://" + lake, "--scratch-dir", t.TempDir()}, &stdout, &stderr)
			want := strings.ReplaceAll(test.want, "%[1]s", name)
			said := complaint(stderr.String())
			if code != test.code || !strings.Contains(said, want) || strings.Count(said, "\n") != 1 {
				t.Errorf("exit %d, %q; want %d, %q", code, &stderr, test.code, want)
			}
			if strings.Contains(stderr.String(), "geheim") || stdout.Len() > 0 {
				t.Errorf("output holds a password or a result: %s%s", &stdout, &stderr)
			}
			if now, err := repo.Current(t.Context()); err != nil || now.Run != old.Run {
				t.Errorf("current run %q, error %v, want %q", now.Run, err, old.Run)
			}
		})
	}
}

func mustSpoil(t *testing.T, dsn, statements string) {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for one := range strings.SplitSeq(statements, ";\n") {
		mustExec(t, db, one)
	}
}

func TestEtlSaysWhatItDid(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, etlShop)
	lake := "file://" + t.TempDir()
	run := func(args ...string) string {
		var stdout, stderr bytes.Buffer
		args = append(args, "--lake", lake)
		if code := program.Run(t.Context(), "etl", etl.Description, &etl.Command{}, args, &stdout, &stderr); code != 0 {
			t.Fatalf("etl %q: exit %d: %s", args, code, &stderr)
		}
		return stdout.String()
	}
	var first, second etl.Result
	for _, result := range []*etl.Result{&first, &second} {
		if err := readResult(run("--mysql-dsn", dsn, "--json"), result); err != nil {
			t.Fatal(err)
		}
	}
	want := etl.Rows{Ratings: 4, Customers: 4, Products: 3}
	same := first.RunID == second.RunID && first.ContentHash == second.ContentHash
	if first.NoOp || !second.NoOp || !same || first.Rows != want || second.Rows != want {
		t.Errorf("results %+v and %+v", first, second)
	}
	if first.Bytes == 0 || first.WallSeconds == 0 || first.CPUSeconds == 0 || first.MaxRSSBytes < 1<<20 {
		t.Errorf("figures are missing: %+v", first)
	}
	shown := fmt.Sprintf("Training set %s of ", first.RunID)
	if got := run("show"); !strings.HasPrefix(got, shown) || !strings.Contains(got, "ratings/part-00000.parquet") {
		t.Errorf("etl show: %s", got)
	}
	var m commit.Manifest
	if err := readResult(run("show", "--json"), &m); err != nil || m.ContentHash != first.ContentHash {
		t.Errorf("etl show --json: content %q, error %v", m.ContentHash, err)
	}
}

// The client hands out strings in memory that it uses again for the next answer.
func TestPositionOutlivesLaterAnswers(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, etlShop)
	for range 10 { // memory comes from a pool, which may give another piece
		snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{})
		if err != nil {
			t.Fatal(err)
		}
		before, err := json.Marshal(snapshot.Position())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Estimate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := snapshot.Customers(t.Context()); err != nil {
			t.Fatal(err)
		}
		after, err := json.Marshal(snapshot.Position())
		if err != nil || string(after) != string(before) {
			t.Errorf("position was %s and became %s, error %v", before, after, err)
		}
		if err := snapshot.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestGTIDIsThatOfTheSnapshot: while another session commits, the GTID of a position is the one that
// the server finds at that place of its binary log. It is left out only where the search is long.
func TestGTIDIsThatOfTheSnapshot(t *testing.T) {
	t.Parallel()
	dsn, db := mustStack(t).mustShop(t, etlShop)
	done := make(chan struct{})
	var writer sync.WaitGroup
	writer.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				const update = "UPDATE customers SET creditLimit = creditLimit + 1 WHERE customerNumber = 103"
				if _, err := db.ExecContext(t.Context(), update); err != nil {
					t.Error(err)
					return
				}
			}
		}
	})
	defer writer.Wait()
	defer close(done)
	for range 20 {
		snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{})
		if err != nil {
			t.Fatal(err)
		}
		p := snapshot.Position()
		if err := snapshot.Close(); err != nil {
			t.Fatal(err)
		}
		if !p.Exact { // a server that does not say where a snapshot is
			if strings.Contains(p.Server, "MariaDB") {
				t.Fatalf("position %+v", p)
			}
			return
		}
		const searched = 64 << 20
		if p.GTID == "" && p.BinlogPosition > searched {
			continue
		}
		var want string
		if err := db.QueryRowContext(t.Context(), "SELECT BINLOG_GTID_POS(?, ?)", p.BinlogFile, p.BinlogPosition).
			Scan(&want); err != nil || p.GTID != want || want == "" {
			t.Errorf("position %+v, the server says %q, error %v", p, want, err)
		}
	}
}
