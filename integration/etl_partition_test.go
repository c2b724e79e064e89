package integration

import (
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/etl"
	"kindred/internal/lake/trainingset"
)

// partitionShop has 60 customers more than etlShop, each with three ratings, one of them an orphan's.
const partitionShop = "INSERT INTO customers WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i " +
	"< 60) " +
	"SELECT 1000 + i * i, CONCAT('Customer ', i), 'Bergen', NULL, NULL, 'Norway', i / 100, NULL FROM n;\n" +
	"INSERT INTO ratings SELECT c.customerNumber, p.productCode, 1 + c.customerNumber % 5, '2024-01-01 00:00:00' FROM " +
	"customers c JOIN products p " +
	"WHERE c.customerNumber > 1000;\n" +
	"INSERT INTO ratings VALUES (999, 'S10_1678', 3, NULL)"

// rows are a set's rows, whichever files they were in.
func rows(s *trainingset.Set) *trainingset.Set {
	return &trainingset.Set{Customers: s.Customers, Products: s.Products, Interactions: s.Interactions}
}

func TestPartitionsTogetherWriteTheRowsOfOneRun(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	all := stack.mustLake(t)
	for _, test := range []struct {
		name    string
		shop    string
		n       int
		ratings int64
	}{
		{"one partition", "DO 0", 1, 4},
		{"three at once without a plan", partitionShop, 3, 184},
		{"more partitions than customers", "DO 0", 6, 4},
	} {
		shop, _ := stack.mustShop(t, etlShop, test.shop)
		single, l, n := all.another(), all.another(), test.n
		single.mustEtl(t, shop)
		want := single.wantWhole(t)
		var group sync.WaitGroup
		for i := range n {
			group.Go(func() {
				if a := l.etl(t, shop, "--job", "j", "--partition", fmt.Sprintf("%d/%d", i, n)); a.code != 0 {
					t.Errorf("partition %d: %s", i, a.stderr)
				}
			})
		}
		group.Wait()
		var r etl.Result
		if err := readResult(l.mustEtl(t, shop, "commit-parts", "--job", "j", "--json").stdout, &r); err != nil {
			t.Fatal(err)
		}
		if r.NoOp || r.RunID != "j" || r.Rows.Ratings != test.ratings ||
			r.Rules.Read != test.ratings+r.Rules.UnknownCustomer {
			t.Errorf("%s: %+v", test.name, r)
		}
		if diff := cmp.Diff(rows(want), rows(l.wantWhole(t, "j"))); diff != "" {
			t.Errorf("%s: rows differ from the single run's (-single +partitions):\n%s", test.name, diff)
		}
		if n != 3 {
			continue
		}
		first := r.ContentHash
		// The same rows in as many partitions are the same content: nothing new, and the job's files go away.
		for i := range n {
			l.mustEtl(t, shop, "--job", "again", "--partition", fmt.Sprintf("%d/%d", i, n))
		}
		if err := readResult(l.mustEtl(t, shop, "commit-parts", "--job", "again", "--json").stdout, &r); err != nil ||
			!r.NoOp || r.RunID != "j" ||
			r.ContentHash != first {
			t.Errorf("again: %+v, error %v", r, err)
		}
		for key := range objects(t, l.store) {
			if strings.Contains(key, "run=again/") && !strings.HasSuffix(key, "/manifest.json") {
				t.Errorf("%s is left of a job that changed nothing", key)
			}
		}
		l.etl(t, shop, "--job", "again", "--partition", "0/3").wantSentence(t, 1,
			"was collected as left behind; begin another job")
	}
}

func TestUnfinishedOrForeignPartitionsAreNeverCommitted(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	shop, db := stack.mustShop(t, etlShop, partitionShop)
	l := stack.mustLake(t)
	l.mustEtl(t, shop)
	before := l.current(t)
	mustExec(t, db, change)

	l.etl(t, shop, "commit-parts", "--job", "none").wantSentence(t, 1, "there is no job none")
	l.mustEtl(t, shop, "--job", "j", "--partition", "1/3")
	l.etl(t, shop, "commit-parts", "--job", "j").wantSentence(t, 1,
		"of 3 partitions of job j these have not finished: 0, 2")
	l.etl(t, shop, "--job", "j", "--partition", "1/4").wantSentence(t, 1, "job j has 3 partitions, not 4")
	mapping := filepath.Join("..", "testdata", "shop-mapping", "shop.sql")
	l.etl(t, shop, "--job", "j", "--partition", "2/3", "--mapping", mapping).wantSentence(t, 1,
		"job j was begun with another mapping")
	for _, bad := range []string{"3/3", "-1/3", "x", "1/0", "1/2/3", "1"} {
		l.etl(t, shop, "--job", "j", "--partition="+bad).wantSentence(t, 2, "--partition is ")
	}
	l.etl(t, shop, "--partition", "0/3").wantSentence(t, 2, "--partition and --job go together")

	// A repeated task changes nothing, though the shop has changed.
	mustExec(t, db, "UPDATE ratings SET productRating = 1")
	a := l.mustEtl(t, shop, "--job", "j", "--partition", "1/3", "--json")
	var part etl.PartResult
	if err := readResult(a.stdout, &part); err != nil || !part.NoOp || part.Rows == 0 {
		t.Errorf("repeated task: %s, error %v", a.stdout, err)
	}
	for _, i := range []string{"0/3", "2/3"} {
		l.mustEtl(t, shop, "--job", "j", "--partition", i)
	}
	// The partitions saw the shop at different moments, and who wants to know is told.
	l.etl(t, shop, "commit-parts", "--job", "j", "--same-moment").wantSentence(t, 1,
		"their snapshots are not provably of one moment (--same-moment)")
	l.etl(t, shop, "commit-parts", "--job", "j", "--max-spread", "1ms").wantSentence(t, 1,
		"at most 1ms may be (--max-spread); the old training set stays")
	l.etl(t, shop, "commit-parts", "--job", "j", "--max-orphans", "0").wantSentence(t, 1,
		"ratings have no customer or no product")
	l.wantWhole(t, before)

	// One that commits meanwhile wins.
	l.mustEtl(t, shop)
	newer := l.current(t)
	l.etl(t, shop, "commit-parts", "--job", "j").wantSentence(t, 1, "another run was committed first: run "+newer)
	l.wantWhole(t, newer)
}
