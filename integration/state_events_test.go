package integration

import (
	"errors"
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
	"kindred/internal/serving/vectorstore/migration"
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
				return items[0].Event != nil && (items[0].Event.SessionID == session || items[0].Event.EventID == session)
			}) {
				rows = append(rows, row)
			}
		}
		return rows
	}
	for _, table := range []string{"customer_state", "visit"} {
		rows := func(dsn string) []string {
			rows, err := mustVectorConn(t, dsn).Query(t.Context(), `SELECT t::text FROM kindred.`+table+` t ORDER BY 1`)
			if err != nil {
				t.Fatal(err)
			}
			all, err := pgx.CollectRows(rows, pgx.RowTo[string])
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		if diff := cmp.Diff(rows(fresh.dsn), rows(s.dsn)); diff != "" || len(rows(s.dsn)) == 0 {
			t.Errorf("%s, after a replay from zero and now: %s", table, diff)
		}
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

// TestACustomerHidesAndIsForgotten says it by the function's role. What is hidden is in no answer of the
// customer, whatever is published or rolled back. What was said and done before a forgetting is gone, also
// if it is sent again.
func TestACustomerHidesAndIsForgotten(t *testing.T) {
	t.Parallel()
	s := mustStage(t, mustStack(t))
	const customer = recommendtest.CustomerOfLine1
	send := func(events ...string) {
		t.Helper()
		var clicks []click
		for _, e := range events {
			clicks = append(clicks, click{customer, []byte(e)})
		}
		newMemoryStream(clicks).mustDrain(t, s.function, len(clicks))
	}
	said := func(fields string) string {
		return `{"type":"customer","customer_number":` + customer + `,` + fields + `}`
	}
	before := []string{said(`"event_id":"e1","hide":["L1_05","L1_06"],"occurred_at":"2026-11-01T00:00:00Z"`),
		`{"session_id":"A","event_id":"e2","customer_number":` + customer + `,"browse_history":[` +
			`{"product_code":"L1_08","quantity":1,"purchased":true}]}`}
	r := recommend.New(s.vectors)
	id := activity.ID(customer)
	want := func(when string, hidden ...string) {
		t.Helper()
		answers, err := r.Batch(t.Context(), []*activity.Event{{CustomerID: &id}, {SessionID: "B", CustomerID: &id}})
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{"L1_05", "L1_06", "L1_08"} {
			for i := range answers {
				if got := recommends(answers[i:i+1], code); got == slices.Contains(hidden, code) {
					t.Errorf("%s: answer %d recommends %s: %v", when, i, code, got)
				}
			}
		}
	}
	want("at first")
	send(before...)
	want("after both events", "L1_05", "L1_06", "L1_08")
	mustGoLive(t, s.vectors, recommendtest.Version("m700000000000002"))
	want("after a publish", "L1_05", "L1_06", "L1_08")
	if _, err := s.vectors.Rollback(t.Context(), vectorstore.PromoteOptions{Actor: "test", Reason: "test"}); err != nil {
		t.Fatal(err)
	}
	send(said(`"show":["L1_06"],"occurred_at":"2026-11-02T00:00:00Z"`))
	want("after one is shown again", "L1_05", "L1_08")
	send(before[0])
	want("after an event is sent again", "L1_05", "L1_08")
	send(said(`"forget":true`))
	want("after the customer is forgotten")
	if rows := mustInteractions(t, s.dsn); len(rows) != 0 {
		t.Errorf("what the customer bought: %q", rows)
	}
	send(before[0], said(`"hide":["L1_08"]`))
	want("after an old event and a new one", "L1_08")
}

// TestASessionInPiecesMovesItsCustomersAnswers sends it by the function's role, and asks as serve does.
func TestASessionInPiecesMovesItsCustomersAnswers(t *testing.T) {
	t.Parallel()
	s := mustStage(t, mustStack(t))
	id := activity.ID("new")
	r := recommend.New(s.vectors)
	source := func(want activity.Source, lines ...string) {
		t.Helper()
		answers, err := r.Batch(t.Context(), []*activity.Event{{CustomerID: &id}, {SessionID: "B", CustomerID: &id}})
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range answers {
			if best := a.Items[0].ID[:2]; a.Source != want || len(lines) > 0 && !slices.Contains(lines, best) {
				t.Errorf("answer %d is %+v, want %s", i, a, want)
			}
		}
	}
	source(activity.SourcePopularity)
	newMemoryStream([]click{
		{"A", []byte(`{"session_id":"A","continues_session":true,"browse_history":[{"product_code":"L2_07"}]}`)},
		{"A", []byte(`{"type":"interaction","session_id":"A","kind":"cart","product_code":"L2_08"}`)},
	}).mustDrain(t, s.function, 1)
	source(activity.SourcePopularity)
	newMemoryStream([]click{{"A", []byte(`{"session_id":"A","customer_number":"new","continues_session":true,` +
		`"browse_history":[]}`)}}).mustDrain(t, s.function, 1)
	source(activity.SourceSession, "L2")
	mustGoLive(t, s.vectors, recommendtest.Version("m700000000000002"))
	source(activity.SourceSession, "L2")
	newMemoryStream([]click{{"new", []byte(`{"type":"customer","customer_number":"new","forget":true}`)}}).
		mustDrain(t, s.function, 1)
	source(activity.SourcePopularity)
}

// TestOldVisitsAreDeleted: also what is too many of a session, or of a customer without one.
func TestOldVisitsAreDeleted(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	s := mustVectorStore(t, dsn)
	mustGoLive(t, s, recommendtest.Version("m700000000000001"))
	var state recommend.State
	add := func(session string, ago time.Duration) {
		v := activity.Visit{EventID: fmt.Sprint(len(state.Visits)), Session: session,
			Place: activity.Order{At: time.Now().Add(-ago)}}
		if session == "" {
			v.Customer = []string{"a", "b"}[len(state.Visits)%2]
		}
		state.Visits = append(state.Visits, v)
	}
	for _, days := range []int{0, 13, 15} {
		add("old", time.Duration(days)*24*time.Hour)
	}
	for range recommend.LookedUp + 3 {
		add("long", time.Minute)
	}
	for range 2 * (recommend.LookedUp + 3) {
		add("", time.Minute)
	}
	if err := s.WriteState(t.Context(), state); err != nil {
		t.Fatal(err)
	}
	if err := s.PruneState(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows, err := mustVectorConn(t, dsn).Query(t.Context(), `SELECT session || ' ' || count(*) FROM kindred.visit GROUP BY session`)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.CollectRows(rows, pgx.RowTo[string])
	want := []string{fmt.Sprint(" ", 2*recommend.LookedUp), fmt.Sprint("long ", recommend.LookedUp), "old 2"}
	if slices.Sort(got); err != nil || !slices.Equal(got, want) {
		t.Errorf("left: %q, want %q: %v", got, want, err)
	}
}

// beforeCustomers takes a database back to what the programs of commit 8d06c66 made.
const beforeCustomers = beforeExperiments + `;
	DROP INDEX kindred.product_state_first_seen;
	DROP TABLE kindred.customer_state, kindred.visit, kindred.trend, kindred.trend_event;
	ALTER TABLE kindred.interaction DROP COLUMN said;
	DELETE FROM public.kindred_migration WHERE version_id > 7`

// TestADatabaseWithoutCustomersAnswersAndIsMigrated: what was bought before counts before and after. What
// events say waits for the migration.
func TestADatabaseWithoutCustomersAnswersAndIsMigrated(t *testing.T) {
	t.Parallel()
	s := mustStage(t, mustStack(t))
	id := activity.ID(recommendtest.CustomerOfLine1)
	purchase := recommend.State{Purchases: []recommend.Purchase{{Customer: string(id), Session: "A", Product: "L1_05",
		Order: activity.Order{At: time.Now()}}}}
	hide := recommend.State{Customers: []activity.CustomerWrite{{ID: string(id), Order: activity.Order{At: time.Now()},
		Hidden: map[string]bool{"L1_06": true}}}}
	visit := recommend.State{Visits: []activity.Visit{{EventID: "e", Session: "A", Place: activity.Order{At: time.Now()}}}}
	if err := s.vectors.WriteState(t.Context(), purchase); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, t.Context(), s.dsn, beforeCustomers)
	r := recommend.New(s.vectors)
	for _, migrated := range []bool{false, true} {
		for what, state := range map[string]recommend.State{"a purchase": purchase, "what a customer hides": hide,
			"a visit": visit} {
			if err := s.vectors.WriteState(t.Context(), state); errors.Is(err, vectorstore.ErrNotMigrated) == migrated {
				t.Errorf("migrated: %v: %s: %v", migrated, what, err)
			}
		}
		if err := s.vectors.PruneState(t.Context()); err != nil {
			t.Errorf("migrated: %v: %v", migrated, err)
		}
		answers, err := r.Batch(t.Context(), []*activity.Event{{CustomerID: &id}})
		if err != nil || recommends(answers, "L1_05") || recommends(answers, "L1_06") == migrated {
			t.Errorf("migrated: %v: %+v, %v", migrated, answers, err)
		}
		if err := migration.Up(t.Context(), s.vectors); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOldPurchasesAreForgotten: those of more than 90 days ago.
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
	if err := s.WriteState(t.Context(), recommend.State{Purchases: purchases}); err != nil {
		t.Fatal(err)
	}
	if err := s.PruneState(t.Context()); err != nil {
		t.Fatal(err)
	}
	if rows := mustInteractions(t, dsn); len(rows) != 2 {
		t.Errorf("of purchases of 0, 89, 91 and 1,000 days ago there are still %q", rows)
	}
}
