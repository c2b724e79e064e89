package integration

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"pgregory.net/rapid"

	"kindred/internal/job/publish"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
)

// write writes the state of products as one transaction.
func write(ctx context.Context, dsn string, writes ...activity.ProductWrite) error {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	return pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		_, err := vectorstore.WriteProducts(ctx, tx, writes)
		return err
	})
}

// mustSay says of some products whether they can be bought.
func mustSay(t *testing.T, dsn string, available map[string]bool) {
	t.Helper()
	var writes []activity.ProductWrite
	for id, can := range available {
		writes = append(writes, activity.ProductWrite{ID: id, Order: activity.Order{At: time.Now()},
			Values: map[activity.Field]any{activity.FieldAvailable: can}})
	}
	if err := write(t.Context(), dsn, writes...); err != nil {
		t.Fatal(err)
	}
}

// stateRow is a row of product_state.
type stateRow struct {
	ID         string
	Available  *bool
	Hidden     bool
	Stock      *int64
	Price      *string
	Categories []string
	Texts      []*string // currency, brand, name, url, image
	Attributes map[string]any
	First      time.Time
	Changed    time.Time
}

func mustState(t require, ctx context.Context, conn *pgx.Conn) map[string]stateRow {
	t.Helper()
	rows, err := conn.Query(ctx, `SELECT id, available, hidden, stock, price::text, categories, ARRAY[currency, brand, name, url, image], attributes, first_seen, changed
		FROM kindred.product_state`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByPos[stateRow])
	if err != nil {
		t.Fatal(err)
	}
	state := map[string]stateRow{}
	for _, row := range all {
		row.First, row.Changed = row.First.UTC(), row.Changed.UTC()
		state[row.ID] = row
	}
	return state
}

// require is a *testing.T or a *rapid.T.
type require interface {
	Helper()
	Fatal(args ...any)
}

// someWrite draws a write of some fields with an order that no other write of the test has.
func someWrite(t *rapid.T, number int) activity.ProductWrite {
	sequence := rapid.SampledFrom([]string{"", "9", "49590338271490256608559692538361571095921575989136588898",
		"149590338271490256608559692538361571095921575989136588898"}).Draw(t, "sequence")
	w := activity.ProductWrite{ID: rapid.SampledFrom([]string{"a", "B", "é'\"\\"}).Draw(t, "id"),
		Values: map[activity.Field]any{},
		Order: activity.Order{At: time.UnixMicro(1_790_000_000_000_000 + int64(rapid.IntRange(0, 3).Draw(t, "time"))).
			UTC(),
			Sequence: sequence, Sub: int64(number)}}
	nothing := rapid.Just[any](nil)
	flag := rapid.Map(rapid.Bool(), func(b bool) any { return b })
	values := map[activity.Field]*rapid.Generator[any]{
		activity.FieldAvailable: flag,
		activity.FieldHidden:    flag,
		activity.FieldStock:     rapid.OneOf(nothing, rapid.Map(rapid.Int64(), func(n int64) any { return n })),
		activity.FieldPrice: rapid.OneOf(nothing,
			rapid.SampledFrom([]any{"0.0000", "12.3400", "99999999999999.9999"})),
		activity.FieldCategories: rapid.OneOf(nothing, rapid.SampledFrom([]any{[]string{}, []string{"a", "b,\"{}"}})),
		activity.FieldAttributes: rapid.OneOf(nothing,
			rapid.SampledFrom([]any{map[string]any{"colour": "red", "size": 4.5, "new": true}})),
	}
	text := rapid.OneOf(nothing, rapid.Map(rapid.StringMatching(`[ -~é🛒]{0,9}`), func(s string) any { return s }))
	whole := rapid.Bool().Draw(t, "whole")
	for _, f := range activity.Fields() {
		value, own := values[f]
		if !own {
			value = text
		}
		if whole || rapid.Bool().Draw(t, "says "+string(f)) {
			w.Values[f] = value.Draw(t, string(f))
		}
	}
	return w
}

// inOrder is the state after writes in the order of each field.
func inOrder(writes []activity.ProductWrite) map[string]stateRow {
	sorted := slices.SortedFunc(slices.Values(writes), func(a, b activity.ProductWrite) int {
		number := func(w activity.ProductWrite) string { return fmt.Sprintf("%060s", w.Order.Sequence) }
		return cmp.Or(a.Order.At.Compare(b.Order.At), cmp.Compare(number(a), number(b)),
			cmp.Compare(a.Order.Sub, b.Order.Sub))
	})
	texts := []activity.Field{activity.FieldCurrency, activity.FieldBrand, activity.FieldName,
		activity.FieldURL, activity.FieldImage}
	state := map[string]stateRow{}
	for _, w := range sorted {
		row, there := state[w.ID]
		if !there {
			row.ID, row.First, row.Texts = w.ID, w.Order.At, make([]*string, len(texts))
		}
		row.Changed = w.Order.At
		for f, value := range w.Values {
			switch f {
			case activity.FieldAvailable:
				row.Available = new(value.(bool))
			case activity.FieldHidden:
				row.Hidden = value.(bool)
			case activity.FieldStock:
				row.Stock = known[int64](value)
			case activity.FieldPrice:
				row.Price = known[string](value)
			case activity.FieldCategories:
				row.Categories, _ = value.([]string)
			case activity.FieldAttributes:
				row.Attributes, _ = value.(map[string]any)
			default:
				row.Texts[slices.Index(texts, f)] = known[string](value)
			}
		}
		state[w.ID] = row
	}
	return state
}

func known[T any](value any) *T {
	if value == nil {
		return nil
	}
	return new(value.(T))
}

// TestStateIsTheSameInAnyOrder writes the same things in any order, any number of times and in
// transactions of any size: the state is that of a replay in order, field by field.
func TestStateIsTheSameInAnyOrder(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	mustVectorStore(t, dsn)
	conn := mustVectorConn(t, dsn)
	rapid.Check(t, func(rt *rapid.T) {
		if _, err := conn.Exec(t.Context(), `DELETE FROM kindred.product_state`); err != nil {
			rt.Fatal(err)
		}
		var writes []activity.ProductWrite
		for i := range rapid.IntRange(1, 12).Draw(rt, "writes") {
			writes = append(writes, someWrite(rt, i))
		}
		sent := append(slices.Clone(writes), rapid.SliceOfN(rapid.SampledFrom(writes), 0, 6).Draw(rt, "again")...)
		sent = rapid.Permutation(sent).Draw(rt, "order")
		for len(sent) > 0 {
			n := rapid.IntRange(1, len(sent)).Draw(rt, "transaction")
			err := pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
				_, err := vectorstore.WriteProducts(t.Context(), tx, sent[:n])
				return err
			})
			if err != nil {
				rt.Fatal(err)
			}
			sent = sent[n:]
		}
		if diff := gocmp.Diff(inOrder(writes), mustState(rt, t.Context(), conn)); diff != "" {
			rt.Fatal(diff)
		}
		_ = pgx.BeginFunc(t.Context(), conn, func(tx pgx.Tx) error {
			if changed, err := vectorstore.WriteProducts(t.Context(), tx, writes); changed != 0 || err != nil {
				rt.Fatalf("all of it once more changes %d products: %v", changed, err)
			}
			return nil
		})
	})
}

// TestStateHoldsWhateverVersionAnswers hides the best product and brings one back that the versions
// call sold out, while versions are published, promoted, refused, rolled back and tried as a canary.
func TestStateHoldsWhateverVersionAnswers(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	first, second, refused := randomVersion("m510000000000001", 1, 60, 6, 4), randomVersion("m510000000000002",
		2, 60, 6, 4), randomVersion("m510000000000003", 3, 60, 6, 4)
	refused.Report.Verdict.Pass = false
	mustGoLive(t, store, first)
	state := map[string]bool{}
	for _, v := range []string{"S000001", "S000002", "S000003"} {
		state[v] = false
	}
	for _, item := range first.Items {
		if item.QuantityInStock == 0 {
			state[item.Code] = true
		}
	}
	mustSay(t, dsn, state)
	r := recommend.New(store)
	events := []*activity.Event{{SessionID: "a"},
		{SessionID: "b", BrowseHistory: []activity.Browse{{ProductCode: "S000007"}}}}
	for i := range 40 { // some of them for a canary
		id := activity.ID(fmt.Sprint(100 + i%7))
		events = append(events, &activity.Event{SessionID: fmt.Sprint("s", i), CustomerID: &id})
	}
	want := func(when string) {
		t.Helper()
		answers, err := r.Batch(t.Context(), events)
		if err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		for _, v := range []*modelversion.Version{first, second} {
			inMemory := memory.NewStore(memory.New(v))
			inMemory.SetState(state)
			expected, err := recommend.New(inMemory).Batch(t.Context(), events)
			if err != nil {
				t.Fatal(err)
			}
			for i, a := range answers {
				if a.ModelVersion != v.ID {
					continue
				}
				if diff := gocmp.Diff(codesOf(expected[i]), codesOf(a)); diff != "" {
					t.Errorf("%s, event %d: %s", when, i, diff)
				}
				if a.Similar == nil {
					continue
				}
				for _, s := range a.Similar.SimilarItems {
					if can, said := state[s.ID]; said && !can {
						t.Errorf("%s, event %d: %s is similar, and cannot be bought", when, i, s.ID)
					}
				}
			}
		}
	}
	want("after the state was written")
	mustGoLive(t, store, second)
	want("after a promotion")
	if _, err := publish.Run(t.Context(), publish.Database{Store: store}, trained{refused}, "", byTest); !errors.Is(err,
		vectorstore.ErrRefused) {
		t.Fatal(err)
	}
	want("after a refused gate")
	if err := store.StartCanary(t.Context(), first.ID, 0.5, byTest); err != nil {
		t.Fatal(err)
	}
	want("beside a canary")
	if _, err := store.Rollback(t.Context(), byTest); err != nil {
		t.Fatal(err)
	}
	want("after a rollback")
	mustSay(t, dsn, map[string]bool{"S000001": true, "S000002": true})
	state["S000001"], state["S000002"] = true, true
	want("after two products came back")
	if _, err := store.Check(t.Context()); err != nil {
		t.Errorf("check: %v", err)
	}
}

// TestAnIndexAndAScanFollowTheState asks a version that is searched by index, and one that is scanned
// and of which nine in ten products were hidden, so that the best ones do not suffice.
func TestAnIndexAndAScanFollowTheState(t *testing.T) {
	t.Parallel()
	for name, items := range map[string]int{"scan": 900, "index": vectorstore.ExactBelow + 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dsn := mustStack(t).mustVectorDatabase(t)
			store := mustVectorStore(t, dsn)
			v := randomVersion("m520000000000001", 4, items, 30, 8)
			mustGoLive(t, store, v)
			inMemory := memory.NewStore(memory.New(v))
			for _, hidden := range []int{2, 10} { // all but one of so many
				state := map[string]bool{}
				for i, item := range v.Items {
					state[item.Code] = i%hidden == 0
				}
				mustSay(t, dsn, state)
				inMemory.SetState(state)
				traffic, err := store.Traffic(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				var searches []recommend.Search
				var neighbours []recommend.Neighbours
				for i := range 20 {
					customer := v.Customers[i].ID
					searches = append(searches, recommend.Search{Vector: v.Customers[i].Vector, Customer: &customer, Limit: 10},
						recommend.Search{Customer: &customer, Limit: 10})
					neighbours = append(neighbours, recommend.Neighbours{Code: v.Items[17*i].Code, Limit: 5})
				}
				want, wantNear, err := inMemory.Retrieve(t.Context(), traffic.Live, searches, neighbours)
				if err != nil {
					t.Fatal(err)
				}
				got, near, err := store.Retrieve(t.Context(), traffic.Live, searches, neighbours)
				if err != nil {
					t.Fatal(err)
				}
				missed := 0
				for i := range want {
					for n, c := range want[i] {
						if len(got[i]) != len(want[i]) || got[i][n].Code != c.Code {
							missed++
						}
					}
				}
				for i := range wantNear {
					for n, c := range wantNear[i] {
						if len(near[i]) != len(wantNear[i]) || near[i][n].Code != c.Code {
							missed++
						}
					}
				}
				if allowed := map[string]int{"scan": 0, "index": 30}[name]; missed > allowed { // an index misses some
					t.Errorf("one of %d can be bought: %d of 500 places differ", hidden, missed)
				}
				for _, list := range got {
					for _, c := range list {
						if !state[c.Code] {
							t.Errorf("%s was found, and cannot be bought", c.Code)
						}
					}
				}
			}
		})
	}
}

// TestAWriterWritesStateAndNothingElse admits a role of its own.
func TestAWriterWritesStateAndNothingElse(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	said := activity.ProductWrite{ID: "S000001", Order: activity.Order{At: time.Now()},
		Values: map[activity.Field]any{activity.FieldHidden: true}}
	denied := func(err error) bool {
		var state *pgconn.PgError
		return errors.As(err, &state) && state.Code == "42501"
	}
	if err := write(t.Context(), d.reader, said); !denied(err) {
		t.Errorf("a reader wrote the state: %v", err)
	}
	purchase := recommend.State{Purchases: []recommend.Purchase{{Customer: "7", Session: "e", Product: "S000001",
		Order: said.Order}}}
	if err := mustReader(t, d).WriteState(t.Context(), purchase); !errors.Is(err, vectorstore.ErrMayNotWrite) {
		t.Errorf("a reader wrote a purchase: %v", err)
	}
	for range 2 {
		if err := migration.AdmitWriter(t.Context(), d.store, d.role); err != nil {
			t.Fatal(err)
		}
	}
	if err := migration.AdmitReader(t.Context(), d.store, d.role); err != nil { // it stays a writer
		t.Fatal(err)
	}
	execPostgres(t, t.Context(), d.owner, "REVOKE ALL ON kindred.product_state, kindred.interaction, "+
		"kindred.customer_state, kindred.visit FROM "+d.role)
	if _, err := d.publish(t.Context()); err != nil { // renews the grants
		t.Fatal(err)
	}
	if err := write(t.Context(), d.reader, said); err != nil {
		t.Errorf("a writer: %v", err)
	}
	if err := mustReader(t, d).WriteState(t.Context(), purchase); err != nil {
		t.Errorf("a writer: a purchase: %v", err)
	}
	conn := mustVectorConn(t, d.reader)
	if _, err := conn.Exec(t.Context(), "SELECT kindred.analyze_state()"); err != nil {
		t.Errorf("a writer renews the statistics: %v", err)
	}
	version := d.versions[0].ID
	for _, statement := range []string{"UPDATE kindred.live SET moves = 7", "UPDATE kindred.model_version SET items = 1",
		"DELETE FROM model_" + version + ".item", "UPDATE model_" + version + ".item SET quantity_in_stock = 0",
		"INSERT INTO kindred.reader (role) VALUES ('x')", "DROP TABLE kindred.product_state",
		"TRUNCATE kindred.product_state",
		"CREATE SCHEMA own", "INSERT INTO kindred.promotion (actor, action, to_version, reason) VALUES ('x', 'promote', " +
			"'x', 'x')"} {
		if _, err := conn.Exec(t.Context(), statement); !denied(err) {
			t.Errorf("a writer: %s: %v", statement, err)
		}
	}
	if answers, err := d.answers(t.Context()); err != nil || recommends(answers, "S000001") {
		t.Errorf("a hidden product is recommended: %v", err)
	}
}

// beforeState takes a database back to what the programs of commit 4f913f0 made.
const beforeState = beforeExperiments + `;
	DROP TABLE kindred.product_state, kindred.catalogue, kindred.catalogue_product, kindred.interaction,
		kindred.customer_state, kindred.visit, kindred.trend, kindred.trend_event;
	DROP FUNCTION kindred.analyze_state();
	ALTER TABLE kindred.reader DROP COLUMN writes;
	DELETE FROM public.kindred_migration WHERE version_id > 4`

// TestADatabaseWithoutStateAnswersAndIsMigrated: functions answer before it is migrated, and those that
// run meanwhile follow the state afterwards.
func TestADatabaseWithoutStateAnswersAndIsMigrated(t *testing.T) {
	t.Parallel()
	d, drop := mustStack(t).serving(t.Context(), t)
	defer drop()
	if err := d.goLive(t.Context()); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, t.Context(), d.owner, beforeState)
	running := recommend.New(mustReader(t, d))
	event := []*activity.Event{{SessionID: "d"}}
	before, err := running.Batch(t.Context(), event)
	if err != nil || len(before[0].Items) == 0 {
		t.Fatalf("before the migration: %+v, %v", before, err)
	}
	if err := d.check(t.Context()); err != nil {
		t.Errorf("before the migration: check: %v", err)
	}
	if _, err := d.store.WriteCatalogue(t.Context(), vectorstore.Catalogue{ReadAt: time.Now()},
		vectorstore.CatalogueOptions{}); !errors.Is(err, vectorstore.ErrNotMigrated) {
		t.Errorf("a catalogue before the migration: %v", err)
	}
	if err := migration.Up(t.Context(), d.store); err != nil {
		t.Fatal(err)
	}
	if after, err := running.Batch(t.Context(), event); err != nil || !slices.Equal(codesOf(after[0]),
		codesOf(before[0])) {
		t.Errorf("after the migration: %+v, %v", after, err)
	}
	best := before[0].Items[0].ID
	mustSay(t, d.owner, map[string]bool{best: false})
	after, err := running.Batch(t.Context(), event)
	if err != nil || recommends(after, best) || after[0].Items[0].ID != before[0].Items[1].ID {
		t.Errorf("%s cannot be bought: %+v, %v", best, after, err)
	}
}

// recommends says whether a product is in any of the answers.
func recommends(answers []recommend.Answer, id string) bool {
	return slices.ContainsFunc(answers, func(a recommend.Answer) bool {
		return slices.ContainsFunc(a.Items, func(item activity.RecommendedItem) bool { return item.ID == id })
	})
}
