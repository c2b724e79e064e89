package integration

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/shop"
	"kindred/internal/shop/mysqlsource"
)

// otherShop names everything differently than we do.
const otherShop = `
CREATE TABLE client (id bigint PRIMARY KEY, nom varchar(50) NOT NULL, ville varchar(50) NOT NULL, plafond decimal(8,1));
CREATE TABLE article (ref char(8) PRIMARY KEY, prix int NOT NULL);
CREATE TABLE avis (client bigint, ref char(8), note decimal(1,0), le timestamp NULL, PRIMARY KEY (client, ref));
INSERT INTO client VALUES (1, 'Un', 'Lyon', 10.5), (2, 'Deux', 'Paris', NULL), (3, 'Trois', 'Lille', 0);
INSERT INTO article VALUES ('a', 3), ('b', 4);
INSERT INTO avis VALUES (1, 'a', 5, NULL), (1, 'b', 4, '2024-01-01 00:00:00'), (2, 'a', 3, NULL), (3, 'b', 2, NULL), (9, 'b', 1, NULL)`

var otherMapping = mysqlsource.Mapping{
	Customers: `SELECT id AS customerNumber, nom AS customerName, ville AS city, 'France' AS country, plafond AS creditLimit,
		CAST(NULL AS char(2)) AS state, CAST(NULL AS char(5)) AS postalCode FROM client -- all of them`,
	Products: `SELECT ref AS productCode, ref AS productName, 'Tout' AS productLine, '' AS productScale, 'Nous' AS productVendor,
		0 AS quantityInStock, prix AS buyPrice, prix * 1.50 AS MSRP FROM article`,
	Ratings: `SELECT client AS customerNumber, ref AS productCode, note AS productRating, le AS ratedAt FROM avis`,
}

func TestAnyShopIsReadThroughItsMapping(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, otherShop)
	snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{Mapping: otherMapping})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	if err := snapshot.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	customers, err := snapshot.Customers(t.Context())
	want := shop.Customer{ID: "1", Name: "Un", City: "Lyon", Country: "France", CreditLimit: new(shop.Cents(10_50))}
	if err != nil || len(customers) != 3 || !cmp.Equal(customers[0], want) {
		t.Errorf("customers %+v, error %v", customers, err)
	}
	products, err := snapshot.Products(t.Context())
	if err != nil || len(products) != 2 || products[1].BuyPrice != 4_00 || products[1].MSRP != 6_00 {
		t.Errorf("products %+v, error %v", products, err)
	}
}

func TestRangesTogetherReadEachRatingOnce(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, otherShop)
	snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{Mapping: otherMapping})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	ranges, err := snapshot.CustomerSplits(t.Context(), 3)
	if err != nil || len(ranges) != 3 {
		t.Fatalf("splits %v, error %v", ranges, err)
	}
	var got []string
	for _, r := range ranges {
		err := snapshot.RatingsIn(t.Context(), r, func(r shop.Rating) error {
			when := "never"
			if r.RatedAt != nil {
				when = r.RatedAt.Format("2006-01-02")
			}
			got = append(got, fmt.Sprint(r.CustomerID, r.ProductCode, r.Stars, when))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"1a5never", "1b42024-01-01", "2a3never", "3b2never", "9b1never"}; !slices.Equal(got, want) {
		t.Errorf("ratings %q, want %q", got, want)
	}
}

func TestCheckNamesAllProblemsAtOnce(t *testing.T) {
	t.Parallel()
	dsn, _ := mustStack(t).mustShop(t, otherShop)
	mapping := otherMapping
	mapping.Customers = "SELECT id AS customerNumber FROM client"
	mapping.Products = "SELECT * FROM nothing"
	mapping.Ratings = "SELECT client AS customerNumber, ref AS productCode, note * 0.5 AS productRating, le AS ratedAt " +
		"FROM avis"
	snapshot, err := mysqlsource.Open(t.Context(), dsn, mysqlsource.Options{Mapping: mapping})
	if err != nil {
		t.Fatal(err)
	}
	defer snapshot.Close()
	err = snapshot.Check(t.Context())
	if !errors.Is(err, mysqlsource.ErrSchema) {
		t.Fatalf("error %v, want ErrSchema", err)
	}
	for _, want := range []string{"column customers.city is not there", "column customers.creditLimit is not there",
		"nothing' doesn't exist",
		"column ratings.productRating is a decimal with 1 places, want an integer"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
}

// TestTheServersStatementLimitHoldsUnlessOverridden reads a shop by a query that takes longer than the
// server lets a query take. MariaDB ends it with an error; MySQL ends its SLEEP early, which then
// gives no row.
func TestTheServersStatementLimitHoldsUnlessOverridden(t *testing.T) {
	t.Parallel()
	server := mustMySQLServer(t)
	cfg := mustLatin1Shop(t, server, rangeShop)
	var version string
	mustAsk(t, server, "SELECT VERSION()", &version)
	limit := "SET GLOBAL max_execution_time = 2000"
	if strings.Contains(version, "MariaDB") {
		limit = "SET GLOBAL max_statement_time = 2"
	}
	db, err := sql.Open("mysql", server.FormatDSN())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	none, short := time.Duration(0), 2*time.Second
	read := func(o mysqlsource.Options) (rows int, err error) {
		o.Mapping = mysqlsource.Mapping{Ratings: "SELECT * FROM ratings WHERE customerNumber = 1 AND productCode = 'P1' " +
			"AND SLEEP(5) = 0"}
		snapshot, err := mysqlsource.Open(t.Context(), cfg.FormatDSN(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer snapshot.Close()
		err = snapshot.Ratings(t.Context(), func(shop.Rating) error { rows++; return nil })
		return rows, err
	}
	for _, test := range []struct {
		name    string
		server  bool // it has a limit
		options mysqlsource.Options
		whole   bool
	}{
		{"no limit", false, mysqlsource.Options{}, true},
		{"etl's own limit", false, mysqlsource.Options{StatementLimit: &short}, false},
		{"the server's limit", true, mysqlsource.Options{}, false},
		{"the server's limit overridden", true, mysqlsource.Options{StatementLimit: &none}, true},
	} {
		if test.server {
			mustExec(t, db, limit)
		}
		rows, err := read(test.options)
		if whole := rows == 1 && err == nil; whole != test.whole || err != nil &&
			!errors.Is(err, mysqlsource.ErrStatementLimit) {
			t.Errorf("%s: %d rows, %v", test.name, rows, err)
		}
	}
}
