package trainingset_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/trainingset"
	"kindred/internal/platform/golden"
	"kindred/internal/shop"
)

// history holds every NULL and every type of attribute.
func history(n int) *trainingset.History {
	h := &trainingset.History{
		Customers: []shop.Shopper{{ID: "007", Country: "FR", City: "Łódź"}, {ID: "7", Attributes: []shop.Attribute{
			{Name: "tier", Text: new("gold")}}}},
		Products: []shop.Listing{
			{ID: "0fa91ce3e96a4bc2be4bd9ce752c3425", Name: "Nothing but a name"},
			{ID: "😀", Name: "All", Categories: []string{"A", "B"}, Brand: "Łoś", Price: new(shop.Money(19_9900)),
				Currency:  "EUR",
				Available: true, Stock: new(int64(-3)), URL: "/p", Image: "/i", Attributes: []shop.Attribute{
					{Name: "colour", Text: new("red")}, {Name: "new", Flag: new(true)}, {Name: "weight", Number: new(1.5)}}},
		},
		Sessions: []string{"order-1"}, Orders: []string{"o1", "o2"}, Kinds: []string{"purchase", "rating"},
	}
	for i := range n {
		e := trainingset.Entry{At: trainingset.NoTime, Customer: int32(i % 2), Session: trainingset.None,
			Product: int32(i / 2 % 2), Order: trainingset.None, Value: trainingset.NoNumber(), Quantity: trainingset.NoNumber()}
		switch i % 3 {
		case 0:
			e.Customer, e.Session, e.Order, e.Quantity, e.At = trainingset.None, 0, int32(i/3%2), -2.5, int64(i)*1001
		case 1:
			e.Kind, e.Value = 1, 4.5
		}
		h.Entries = append(h.Entries, e)
	}
	return h
}

func TestHistoryThatIsWrittenIsRead(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 1024, 9000} {
		t.Run(fmt.Sprint(n, " interactions"), func(t *testing.T) {
			t.Parallel()
			repo := commit.NewRepository(objectstore.NewFolder(t.TempDir()), "training-set")
			want := history(n)
			draft, err := trainingset.WriteHistory(t.TempDir(), want)
			if err != nil {
				t.Fatal(err)
			}
			m, _, err := repo.Commit(t.Context(), draft)
			if err != nil {
				t.Fatal(err)
			}
			got, err := trainingset.ReadHistory(t.Context(), repo, m, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			if want.Run, want.ContentHash = m.Run, m.ContentHash; n < 1024 { // then not every id is named
				want.Sessions, want.Orders, want.Kinds = got.Sessions, got.Orders, got.Kinds
			}
			if diff := cmp.Diff(want, got, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("(-want +got):\n%s", diff[:min(len(diff), 4000)])
			}
			if _, err := trainingset.Read(t.Context(), repo, m, t.TempDir()); err == nil {
				t.Error("a reader of ratings read interactions")
			}
		})
	}
}

func TestSchemaOfHistoryIsAsDocumented(t *testing.T) {
	t.Parallel()
	golden.Equal(t, "history.golden", []byte(trainingset.HistorySchema()))
}
