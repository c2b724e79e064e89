package etl

import (
	"testing"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/shop"
)

func mustErase(t *testing.T, customers, sessions []string) *erased.List {
	t.Helper()
	list, _, err := erased.Add(t.Context(), objectstore.NewFolder(t.TempDir()), "a secret of the tests", customers,
		sessions)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// A customer who was erased and is still in MySQL comes into no set, whole or in partitions, and no example
// names the customer.
func TestAnErasedCustomerStaysOut(t *testing.T) {
	t.Parallel()
	o := Options{Limits: few, Erased: mustErase(t, []string{"2"}, nil)}
	want, without := small(), small()
	want.customers = []shop.Customer{small().customers[1]}
	want.ratings = want.ratings[:100]
	repos := []*commit.Repository{}
	for range 3 {
		repos = append(repos, commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set"))
	}
	m, _ := mustRun(t, want, repos[0])
	o.ScratchDir = t.TempDir()
	out, err := Run(t.Context(), without, repos[1], o)
	if err != nil {
		t.Fatal(err)
	}
	if out.Manifest.ContentHash != m.ContentHash || len(out.Details.Examples) > 0 {
		t.Errorf("the set is not that of a shop without the customer: %+v, %+v", out.Manifest.Files, out.Details.Examples)
	}
	for i := range 2 {
		if _, _, err := RunPartition(t.Context(), small(), repos[2], Job{Name: "job", Partitions: 2}, i, o); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := CommitParts(t.Context(), repos[2], "job", o, PartsOptions{MaxSpread: time.Hour}); err != nil {
		t.Fatal(err)
	}
	if set := mustSet(t, repos[2]); len(set.Customers) != 1 || len(set.Interactions) != 100 {
		t.Errorf("partitions: %d customers, %d ratings", len(set.Customers), len(set.Interactions))
	}
}

func TestErasedPersonsStayOutOfASetOfInteractions(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		customers, sessions []string
		want                Rows
	}{
		{[]string{"7"}, nil, Rows{Interactions: 25, Customers: 0, Products: 2}},
		{nil, []string{"guest-1"}, Rows{Interactions: 75, Customers: 1, Products: 2}},
		{[]string{"guest-1"}, []string{"7"}, Rows{Interactions: 100, Customers: 1, Products: 2}},
	} {
		repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
		out := mustRunHistory(t, someOrders(), repo, Options{Erased: mustErase(t, c.customers, c.sessions)})
		if rowsOf(out.Manifest) != c.want || !trainingset.IsHistory(out.Manifest) {
			t.Errorf("without %v and %v: rows %+v, want %+v", c.customers, c.sessions, rowsOf(out.Manifest), c.want)
		}
	}
}
