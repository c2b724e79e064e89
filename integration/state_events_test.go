package integration

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/stream/activity"
)

// mustInteractions reads what customers bought, in the order of the keys.
func mustInteractions(t *testing.T, dsn string) []string {
	t.Helper()
	rows, err := mustVectorConn(t, dsn).Query(t.Context(),
		`SELECT format('%s %s %s %s %s', customer, session, product, kind, place) FROM kindred.interaction ORDER BY customer, session, product`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// wantStateOfReplay compares the state of the stage's database with that of a new one to which a function
// of its own has written the stream's events, without any fault.
func wantStateOfReplay(t *testing.T, stack Stack, s stage, stream *memoryStream) {
	t.Helper()
	fresh := mustStage(t, stack)
	stream.mustDrain(t, fresh.function, len(stream.records))
	of := func(dsn string) (rows []string) {
		for _, row := range mustInteractions(t, dsn) {
			var customer, session string
			_, _ = fmt.Sscan(row, &customer, &session)
			if slices.ContainsFunc(stream.records, func(r memoryRecord) bool {
				items := activity.Read(nil, r.position, r.data)
				return items[0].Event != nil && items[0].Event.SessionID == session
			}) {
				rows = append(rows, row)
			}
		}
		return rows
	}
	products := func(dsn string) map[string]stateRow { return mustState(t, t.Context(), mustVectorConn(t, dsn)) }
	if diff := cmp.Diff(products(fresh.dsn), products(s.dsn)); diff != "" || len(products(s.dsn)) == 0 {
		t.Errorf("the state of products, after a replay from zero and now: %s", diff)
	}
	got, want := of(s.dsn), of(fresh.dsn)
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("the state has %d rows, and %d after a replay from zero:\n%q\n%q", len(got), len(want), got, want)
	}
}

// TestAPurchaseInOneSessionCountsInTheOthers sends a purchase by the function, and asks over HTTP's and
// the stream's ways. The version's rules decide, also where another version goes live, and back.
func TestAPurchaseInOneSessionCountsInTheOthers(t *testing.T) {
	t.Parallel()
	s := mustStage(t, mustStack(t))
	const customer = recommendtest.CustomerOfLine1
	shows := recommendtest.Version("m700000000000002")
	shows.Repeats = &modelversion.Repeats{Rule: modelversion.RepeatShow}
	for i := range shows.Items {
		shows.Items[i].Repeat = modelversion.RepeatShow
	}
	shows.Items[26].Repeat = modelversion.RepeatHide // L1_06
	for i := range shows.Customers {
		c := &shows.Customers[i]
		c.Last, c.Count = make([]int64, len(c.Rated)), slices.Repeat([]int32{1}, len(c.Rated))
	}
	clicks := []click{{"A", []byte(`{"session_id":"A","event_id":"e1","customer_number":"` + customer + `","browse_history":[` +
		`{"product_code":"L1_05","quantity":1,"purchased":true},{"product_code":"L1_06","quantity":1,"purchased":true}]}`)}}
	newMemoryStream(clicks).mustDrain(t, s.function, 10)
	r := recommend.New(s.vectors)
	id := activity.ID(customer)
	want := func(when string, hidden map[string]bool) {
		t.Helper()
		answers, err := r.Batch(t.Context(), []*activity.Event{{CustomerID: &id}, {SessionID: "B", CustomerID: &id,
			BrowseHistory: []activity.Browse{{ProductCode: "L2_07"}, {ProductCode: "L1_07"}}}})
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range []string{"GET", "session B"} {
			for _, code := range []string{"L1_05", "L1_06"} {
				if got := recommends(answers[i:i+1], code); got && hidden[code] || !got && !hidden[code] && i == 0 {
					t.Errorf("%s: %s: recommends %s: %v", when, name, code, got)
				}
			}
		}
	}
	both := map[string]bool{"L1_05": true, "L1_06": true}
	want("after the purchase", both)
	mustGoLive(t, s.vectors, shows)
	want("where the rules show what was bought", map[string]bool{"L1_06": true})
	if _, err := s.vectors.Rollback(t.Context(), vectorstore.PromoteOptions{Actor: "test", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	want("after a rollback", both)
	if rows := mustInteractions(t, s.dsn); len(rows) != 2 {
		t.Errorf("the state after a promotion and a rollback: %q", rows)
	}
}

// TestAProductEventCountsAtOnce says that the best product is sold out, by the function's role: neither the
// next event nor a question over HTTP sees it, whatever is published or rolled back, until it can be
// bought again. What arrives late, or is sent again, undoes nothing.
func TestAProductEventCountsAtOnce(t *testing.T) {
	t.Parallel()
	s := mustStage(t, mustStack(t))
	r := recommend.New(s.vectors)
	event := []*activity.Event{{SessionID: "A", BrowseHistory: []activity.Browse{{ProductCode: "L2_07"}}}}
	best := func() string {
		t.Helper()
		answers, err := r.Batch(t.Context(), event)
		if err != nil {
			t.Fatal(err)
		}
		return answers[0].Items[0].ID
	}
	first := best()
	say := func(fields string) {
		t.Helper()
		data := fmt.Appendf(nil, `{"type":"product","product_code":%q,%s}`, first, fields)
		newMemoryStream([]click{{first, data}}).mustDrain(t, s.function, 10)
	}
	say(`"stock":0,"price":"12.50"`)
	second := best()
	if second == first {
		t.Errorf("%s is sold out and recommended", first)
	}
	mustGoLive(t, s.vectors, recommendtest.Version("m700000000000002"))
	if got := best(); got != second {
		t.Errorf("after a publish: %s, want %s", got, second)
	}
	if _, err := s.vectors.Rollback(t.Context(), vectorstore.PromoteOptions{Actor: "test", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	if got := best(); got != second {
		t.Errorf("after a rollback: %s, want %s", got, second)
	}
	say(`"stock":9,"occurred_at":"2026-01-01T00:00:00Z"`)
	if got := best(); got != second {
		t.Errorf("after a stock of before: %s, want %s", got, second)
	}
	say(`"stock":9`)
	if got := best(); got != first {
		t.Errorf("it can be bought again: %s, want %s", got, first)
	}
	row := mustState(t, t.Context(), mustVectorConn(t, s.dsn))[first]
	if row.Stock == nil || *row.Stock != 9 || row.Price == nil || *row.Price != "12.5000" {
		t.Errorf("the state is %+v", row)
	}
}

// TestOldPurchasesAreForgotten: with the next version that goes live.
func TestOldPurchasesAreForgotten(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	s := mustVectorStore(t, dsn)
	mustGoLive(t, s, recommendtest.Version("m700000000000001"))
	var purchases []recommend.Purchase
	for _, days := range []int{0, 89, 91, 1000} {
		purchases = append(purchases, recommend.Purchase{Customer: "c", Session: fmt.Sprint(days), Product: "p",
			Order: activity.Order{At: time.Now().AddDate(0, 0, -days)}})
	}
	if err := s.WriteState(t.Context(), purchases, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if rows := mustInteractions(t, dsn); len(rows) != 2 {
		t.Errorf("of purchases of 0, 89, 91 and 1,000 days ago there are still %q", rows)
	}
}
