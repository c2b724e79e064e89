package integration

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/lake/trainingset"
)

// keyShop is a shop whose keys have other types than the seed's. KEYC and KEYP stand for the columns'
// types in customers and products, and RATEC and RATEP for those in ratings.
const keyShop = `
CREATE TABLE customers (customerNumber KEYC PRIMARY KEY, customerName varchar(50) NOT NULL, city varchar(50) NOT NULL,
	state varchar(50), postalCode varchar(15), country varchar(50) NOT NULL, creditLimit decimal(10,2)) CHARACTER SET utf8mb4;
CREATE TABLE products (productCode KEYP PRIMARY KEY, productName varchar(70) NOT NULL,
	productLine varchar(50) NOT NULL, productScale varchar(10) NOT NULL, productVendor varchar(50) NOT NULL,
	quantityInStock smallint NOT NULL, buyPrice decimal(10,2) NOT NULL, MSRP decimal(10,2) NOT NULL) CHARACTER SET utf8mb4;
CREATE TABLE ratings (customerNumber RATEC, productCode RATEP, productRating int, ratedAt datetime,
	KEY (customerNumber, productCode)) CHARACTER SET utf8mb4`

// TestKeysOfAnyTypeKeepTheirIDs reads shops with keys of each type, as a whole, in short ranges and in
// partitions. The ids are the keys' decimal form, hex form or text, and the files' columns have the
// type of the source.
func TestKeysOfAnyTypeKeepTheirIDs(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	all := stack.mustLake(t)
	const ci, bin = "varchar(64) COLLATE utf8mb4_general_ci", "varchar(128) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin"
	uuid := func(n int) string { return fmt.Sprintf("018f3c1e5d0b7c3a9c522f6b8a1d%04x", n) }
	for name, test := range map[string]struct {
		customer, product, ratingCustomer, ratingProduct string // empty: as in customers and products
		customers, products                              []string
		ratings                                          [][2]string // customer and product as ratings spell them
		want                                             [][2]string // nil: ratings
		keys                                             trainingset.Keys
	}{
		"wide integers": {customer: "bigint unsigned", product: "int", customers: []string{"1", "3349714808",
			"9007199254740993"},
			products: []string{"-5", "7"}, ratings: [][2]string{{"1", "7"}, {"3349714808", "-5"}, {"9007199254740993", "7"}},
			keys: trainingset.Keys{Customer: trainingset.Int64, Product: trainingset.Int32}},
		"other forms in ratings": {customer: "smallint", product: "decimal(12,0)", ratingCustomer: "varchar(20)",
			ratingProduct: "bigint",
			customers:     []string{"1", "2"}, products: []string{"12345678901", "3"},
			ratings: [][2]string{{"1", "3"}, {"2", "12345678901"}},
			keys:    trainingset.Keys{Customer: trainingset.Int32, Product: trainingset.Int64}},
		"UUIDs in bytes": {customer: "binary(16)", product: "binary(16)", customers: []string{uuid(1), uuid(2), uuid(0xabcd)},
			products: []string{uuid(3), uuid(4)},
			ratings:  [][2]string{{uuid(1), uuid(3)}, {uuid(2), uuid(4)}, {uuid(0xabcd), uuid(3)}},
			keys:     trainingset.Keys{Customer: trainingset.Text, Product: trainingset.Text}},
		"text in both cases": {customer: bin, product: bin, customers: []string{"anna", "ANNA", "Anna", "007", "7", "7.0",
			"O'Neil", `a\b`},
			products: []string{"x", "X", "é", "E"},
			ratings: [][2]string{{"anna", "x"}, {"ANNA", "X"}, {"Anna", "é"}, {"007", "E"}, {"7", "x"}, {"7.0", "x"},
				{"O'Neil", "x"},
				{`a\b`, "x"}},
			keys: trainingset.Keys{Customer: trainingset.Text, Product: trainingset.Text}},
		"spelled otherwise": {customer: ci, product: ci, customers: []string{"Anna", "bert"},
			products: []string{"Tram", "Van"},
			ratings:  [][2]string{{"ANNA", "tram"}, {"anna", "VAN"}, {"Bert", "Tram"}},
			want:     [][2]string{{"Anna", "Tram"}, {"Anna", "Van"}, {"bert", "Tram"}},
			keys:     trainingset.Keys{Customer: trainingset.Text, Product: trainingset.Text}},
		"a collation that mixes customers": {customer: bin, product: bin, ratingCustomer: ci, ratingProduct: ci,
			customers: []string{"anna", "ANNA", "bert"}, products: []string{"p1", "p2", "p3"},
			ratings: [][2]string{{"anna", "p1"}, {"ANNA", "p2"}, {"anna", "p3"}, {"ANNA", "p1"}, {"bert", "p1"}},
			keys:    trainingset.Keys{Customer: trainingset.Text, Product: trainingset.Text}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			t.Parallel()
			or := func(a, b string) string {
				if a == "" {
					return b
				}
				return a
			}
			dsn, db := stack.mustShop(t, strings.NewReplacer("KEYC", test.customer, "KEYP", test.product,
				"RATEC", or(test.ratingCustomer, test.customer), "RATEP", or(test.ratingProduct, test.product)).Replace(keyShop))
			place := "?"
			if test.customer == "binary(16)" {
				place = "unhex(?)"
			}
			insert := func(statement string, args ...any) {
				t.Helper()
				if _, err := db.ExecContext(t.Context(), strings.ReplaceAll(statement, "ID", place), args...); err != nil {
					t.Fatal(err)
				}
			}
			for _, id := range test.customers {
				insert("INSERT INTO customers VALUES (ID, 'N', 'C', NULL, NULL, 'F', NULL)", id)
			}
			for _, id := range test.products {
				insert("INSERT INTO products VALUES (ID, 'N', 'L', '1', 'V', 1, 1, 2)", id)
			}
			for _, r := range test.ratings {
				insert("INSERT INTO ratings VALUES (ID, ID, 3, NULL)", r[0], r[1])
			}
			want := slices.Clone(test.ratings)
			if test.want != nil {
				want = slices.Clone(test.want)
			}
			slices.SortFunc(want, comparePairs)
			for _, args := range [][]string{nil, {"--range-rows", "1"}, {"partitions"}} {
				l := all.another()
				if len(args) == 1 {
					for _, part := range []string{"0/2", "1/2"} {
						l.mustEtl(t, dsn, "--job", "j", "--partition", part)
					}
					l.mustEtl(t, dsn, "commit-parts", "--job", "j")
				} else {
					l.mustEtl(t, dsn, args...)
				}
				set := l.wantWhole(t)
				var got [][2]string
				for _, i := range set.Interactions {
					got = append(got, [2]string{set.Customers[i.Customer].ID, set.Products[i.Product].Code})
				}
				slices.SortFunc(got, comparePairs)
				if diff := cmp.Diff(want, got); diff != "" || set.Keys != test.keys || len(set.Customers) != len(test.customers) ||
					len(set.Products) != len(test.products) {
					t.Errorf("etl %q: keys %+v, %d customers, %d products, ratings (-want +got):\n%s", args, set.Keys,
						len(set.Customers), len(set.Products), diff)
				}
			}
		})
	}
}

func comparePairs(a, b [2]string) int {
	return strings.Compare(a[0]+"\x00"+a[1], b[0]+"\x00"+b[1])
}
