package integration

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/etl"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
)

func mustRead(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAnyShopIsReadByItsMappingFile(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	mapping := filepath.Join("..", "testdata", "shop-mapping", "shop.sql")
	other, db := stack.mustShop(t, mustRead(t, "..", "testdata", "shop-mapping", "tables.sql"))
	want := &trainingset.Set{
		Customers: []shop.Customer{
			{ID: "7", Name: "Ada Lovelace", City: "London", PostalCode: new("SW1"), Country: "England",
				CreditLimit: new(shop.Cents(1234567))},
			{ID: "8", Name: "Grace Hopper"},
		},
		Products: []shop.Product{
			{Code: "ENGINE-1", Name: "Difference engine", Line: "Engines", Vendor: "Babbage", QuantityInStock: 32767,
				BuyPrice: 1_23, MSRP: 9_99},
			{Code: "ENGINE-2", Name: "Analytical engine", Line: "Engines", Vendor: "Babbage", MSRP: 1},
		},
		Interactions: []trainingset.Interaction{
			{Customer: 0, Product: 0, Stars: 5, RatedAt: time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC).Unix()},
			{Customer: 0, Product: 1, Stars: 2},
			{Customer: 1, Product: 0, Stars: 1, RatedAt: time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC).Unix()},
		},
	}
	all := stack.mustLake(t)
	single, parts := all.another(), all.another()
	var plan etl.DryRun
	dry := single.mustEtl(t, other, "--mapping", mapping, "--dry-run", "--json")
	if err := readResult(dry.stdout, &plan); err != nil || len(plan.Schema.Ratings) != 4 ||
		plan.RatingsEstimate < 1 || plan.RatingsEstimate > 100 || len(objects(t, single.store)) != 0 {
		t.Errorf("dry run: %s, error %v", dry.stdout, err)
	}
	single.mustEtl(t, other, "--mapping", mapping)
	for _, i := range []string{"0/2", "1/2"} {
		parts.mustEtl(t, other, "--mapping", mapping, "--job", "j", "--partition", i)
	}
	parts.mustEtl(t, other, "commit-parts", "--job", "j")
	for _, l := range []lake{single, parts} {
		if diff := cmp.Diff(want, rows(l.wantWhole(t))); diff != "" {
			t.Errorf("rows (-want +got):\n%s", diff)
		}
	}

	// A review below ten points is no star; without the mapping nothing is as it should be.
	before := single.current(t)
	mustExec(t, db, "UPDATE reviews SET score = 3 WHERE id = 1")
	single.etl(t, other, "--mapping", mapping).wantSentence(t, 1,
		"1 of 3 ratings are not from 1 to 5 stars, at most 1 % may (--max-bad-stars), such as rating of customer 7 for "+
			"product")
	single.etl(t, other).wantSentence(t, 1, "Table '")
	mustExec(t, db, "ALTER TABLE items MODIFY sku varbinary(15) NOT NULL, MODIFY title blob NOT NULL")
	a := single.etl(t, other, "--mapping", mapping, "--accept-schema")
	a.wantSentence(t, 1, "column products.productCode is BINARY, want an integer, text or BINARY(16)")
	a.wantSentence(t, 1, "column products.productName is a BLOB, want text")
	a.wantSentence(t, 1, "column ratings.productCode is BINARY, want an integer, text or BINARY(16)")
	single.wantWhole(t, before)
}
