package integration

import (
	"encoding/json"
	"strings"
	"testing"

	"kindred/internal/job/etl"
)

func TestColumnsMayGrowAndANarrowedOrRenamedOneStops(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	shop, db := stack.mustShop(t, etlShop)
	l := stack.mustLake(t)
	l.mustEtl(t, shop)
	for _, statement := range []string{
		"ALTER TABLE customers ADD COLUMN phone varchar(20) AFTER customerName",
		"ALTER TABLE customers MODIFY city varchar(80) NOT NULL, DROP COLUMN salesRepEmployeeNumber",
		"ALTER TABLE products MODIFY quantityInStock int NOT NULL, MODIFY productVendor text NOT NULL",
	} {
		mustExec(t, db, statement)
		// so that there is a new set, with the new columns
		mustExec(t, db, "UPDATE ratings SET productRating = 1 + productRating % 5")
		l.mustEtl(t, shop)
	}
	before := l.current(t)
	tests := []struct{ change, undo, want string }{
		{"ALTER TABLE customers CHANGE city town varchar(80) NOT NULL",
			"ALTER TABLE customers CHANGE town city varchar(80) NOT NULL",
			"column customers.city (text of 80 characters) is gone, renamed to town?"},
		{"ALTER TABLE customers MODIFY city varchar(30) NOT NULL", "ALTER TABLE customers MODIFY city varchar(80) NOT NULL",
			"column customers.city was text of 80 characters, is text of 30 characters"},
		{"ALTER TABLE products MODIFY buyPrice decimal(12,1) NOT NULL",
			"ALTER TABLE products MODIFY buyPrice decimal(10,2) NOT NULL",
			"column products.buyPrice was decimal(10,2), is decimal(12,1)"},
		{"ALTER TABLE ratings MODIFY productRating tinyint", "ALTER TABLE ratings MODIFY productRating int",
			"column ratings.productRating was integer of 4 bytes, is integer of 1 bytes"},
	}
	for _, test := range tests {
		mustExec(t, db, test.change)
		l.etl(t, shop).wantSentence(t, 1, "the shop's columns changed since the current training set: "+test.want)
		l.etl(t, shop, "--dry-run").wantSentence(t, 1, test.want)
		mustExec(t, db, test.undo)
	}
	l.wantWhole(t, before)
	mustExec(t, db, tests[3].change)
	mustExec(t, db, "UPDATE ratings SET productRating = 1 + productRating % 5")
	l.mustEtl(t, shop, "--accept-schema")
	l.mustEtl(t, shop) // the narrower one is the measure now
}

func TestRulesAreCountedAndBeyondTheirLimitsRefuseTheSet(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	shop, db := stack.mustShop(t, etlShop)
	l := stack.mustLake(t)
	l.mustEtl(t, shop)
	before := l.current(t)
	mustExec(t, db, "ALTER TABLE ratings DROP PRIMARY KEY, MODIFY customerNumber int NULL, MODIFY productCode "+
		"varchar(15) NULL")
	mustExec(t, db, "INSERT INTO ratings VALUES (NULL, 'S10_1678', 3, NULL), (112, NULL, 3, NULL), (112, 'S10_1678', 6, "+
		"NULL), (112, 'S72_3212', NULL, NULL), "+
		"(999, 'S10_1678', 3, NULL), (112, 'gone', 3, NULL), (103, 'S10_1678', 5, NULL), (-7, 'S10_1949', 1, '2999-01-01 "+
		"00:00:00')")
	a := l.etl(t, shop)
	for _, want := range []string{"2 of 12 ratings lack a customer or a product id",
		"2 of 12 ratings are not from 1 to 5 stars",
		"2 of 12 ratings have no customer or no product (1 customer unknown, 1 product unknown)", "1 of 12 ratings repeat",
		"1 of 12 ratings are dated in the future",
		"the old training set stays"} {
		a.wantSentence(t, 1, want)
	}
	l.wantWhole(t, before)

	lenient := []string{"--max-missing-keys=0.2", "--max-bad-stars=0.2", "--max-orphans=0.2", "--max-duplicates=0.1",
		"--max-future-dates=0.1"}
	var r etl.Result
	if err := readResult(l.mustEtl(t, shop, append(lenient, "--json")...).stdout, &r); err != nil {
		t.Fatal(err)
	}
	want := etl.Counts{Read: 12, MissingKey: 2, StarsRange: 2, UnknownCustomer: 1, UnknownProduct: 1, Duplicate: 1,
		FutureDate: 1, Customers: etl.TableCounts{Read: 4}, Products: etl.TableCounts{Read: 3, InStock: 2}}
	first := r.Examples["ratings.missing_key"]
	if r.Rules != want || r.Rows.Ratings != 5 || len(first) != 2 ||
		first[0] != `a rating for product "S10_1678": customerNumber is NULL` {
		t.Errorf("rules %+v, examples %q, %d ratings; want %+v and 5", r.Rules, first, r.Rows.Ratings, want)
	}
	var d etl.Details
	m, err := l.repo.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(m.Details, &d); err != nil || d.Counts.Duplicate != 1 || d.Limits.Orphans != 0.2 ||
		len(d.Schema.Products) != 9 {
		t.Errorf("details %s, error %v", m.Details, err)
	}
	shown := l.mustEtl(t, shop, "show").stdout
	if !strings.Contains(shown, "2 of 12 ratings are not from 1 to 5 stars, at most 20 %") ||
		!strings.Contains(shown, "column  products.MSRP decimal(10,2)") {
		t.Errorf("etl show: %s", shown)
	}

	// Partitions count the same, NULL keys once too.
	parts := l.another()
	for _, i := range []string{"0/3", "1/3", "2/3"} {
		parts.mustEtl(t, shop, "--job", "j", "--partition", i)
	}
	parts.etl(t, shop, "commit-parts", "--job", "j").wantSentence(t, 1,
		"2 of 12 ratings lack a customer or a product id")
	if err := readResult(parts.mustEtl(t, shop,
		append([]string{"commit-parts", "--job", "j", "--json"}, lenient...)...).stdout, &r); err != nil {
		t.Fatal(err)
	}
	if r.Rules != want {
		t.Errorf("rules of partitions %+v, want %+v", r.Rules, want)
	}
}

func TestDryRunSaysWhatItWouldDoAndWritesNothing(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	shop, db := stack.mustShop(t, etlShop, "ANALYZE TABLE ratings")
	l := stack.mustLake(t)
	out := l.mustEtl(t, shop, "--dry-run").stdout
	if !strings.Contains(out, "Would read about 4 ratings of database kindred_") ||
		!strings.Contains(out, "There is no training set yet.") || len(objects(t, l.store)) != 0 {
		t.Errorf("dry run: %s", out)
	}
	l.mustEtl(t, shop)
	before := objects(t, l.store)
	mustExec(t, db, change)
	var plan etl.DryRun
	if err := readResult(l.mustEtl(t, shop, "--dry-run", "--json").stdout, &plan); err != nil ||
		plan.CurrentRun != l.current(t) || plan.CurrentRows.Ratings != 4 {
		t.Errorf("plan %+v, error %v", plan, err)
	}
	if len(objects(t, l.store)) != len(before) {
		t.Error("the dry run wrote")
	}
	if out := l.mustEtl(t, shop,
		"prune").stdout; out != "Deleted 0 objects (0.0 MB) of 0 runs that were never completed.\n" {
		t.Errorf("etl prune: %s", out)
	}
}
