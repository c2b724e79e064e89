package integration

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/objectstore"
	"kindred/internal/model/modelfile"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/inmemory"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/rule"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/activity/activitytest"
)

// artifactFolder is a store of model versions.
type artifactFolder string

// ReadRange reads a part of a file.
func (f artifactFolder) ReadRange(_ context.Context, key string, from, n int64) ([]byte, error) {
	file, err := os.Open(filepath.Join(string(f), filepath.FromSlash(key)))
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was read only
	return io.ReadAll(io.NewSectionReader(file, from, n))
}

// mustKeep writes versions as train does.
func mustKeep(t *testing.T, versions ...*modelversion.Version) artifactFolder {
	t.Helper()
	folder := t.TempDir()
	repo := commit.NewRepository(objectstore.NewFolder(folder), "model")
	for _, v := range versions {
		if v == nil {
			continue
		}
		if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); err != nil {
			t.Fatal(err)
		}
	}
	return artifactFolder(folder)
}

// mustBringIn brings the versions that answer into memory.
func mustBringIn(t *testing.T, s *inmemory.Store, want ...string) {
	t.Helper()
	if _, err := s.Traffic(t.Context()); err != nil {
		t.Fatal(err)
	}
	for s.Step(t.Context()) {
	}
	if slices.Sort(want); !slices.Equal(s.Held(), want) {
		t.Fatalf("in memory: %v, want %v", s.Held(), want)
	}
}

// TestMemoryConforms holds the memory to the answers that every store of package recommend gives.
func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	recommendtest.Conformance(t, func(t *testing.T, s recommendtest.Setup) recommendtest.Conformer {
		db, want := mustConform(t, stack, s), []string{s.Live.ID}
		if s.Canary != nil {
			want = append(want, s.Canary.ID)
		}
		store := inmemory.New(db, mustKeep(t, s.Live, s.Canary), math.MaxInt64, slog.New(slog.DiscardHandler))
		mustBringIn(t, store, want...)
		return written{store, db}
	})
}

// written is a memory, and the database in which its state is written.
type written struct {
	*inmemory.Store

	db *vectorstore.Store
}

func (w written) WriteState(ctx context.Context, state recommend.State) error {
	return w.db.WriteState(ctx, state)
}

func (w written) Count(ctx context.Context, clicks []recommend.Counted) error {
	return w.db.Count(ctx, clicks)
}

// Retrieve has the facts of products in memory before it answers a question with rules.
func (w written) Retrieve(ctx context.Context, m *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	rules := slices.ContainsFunc(searches, func(q recommend.Search) bool { return q.Rules != nil })
	if !rules || slices.Contains(w.Ruled(), m.Version) {
		return w.Store.Retrieve(ctx, m, searches, neighbours)
	}
	if _, _, err := w.Store.Retrieve(ctx, m, searches, neighbours); err != nil { // the database answers
		return nil, nil, err
	}
	for w.Step(ctx) {
	}
	if !slices.Contains(w.Ruled(), m.Version) {
		return nil, nil, errors.New("the facts of products do not come into memory")
	}
	return w.Store.Retrieve(ctx, m, searches, neighbours)
}

// TestMemoryFollowsTheDatabase takes random steps: transactions that write the state overlap and end in
// any order, the state is forgotten, versions go live, become a canary and go. After each step the
// memory answers what the database answers at that moment.
func TestMemoryFollowsTheDatabase(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	db := mustVectorStore(t, dsn)
	rng := rand.New(rand.NewPCG(18, 5))
	versions := []*modelversion.Version{randomVersion("m770000000000001", 1, 80, 12, 6),
		randomVersion("m770000000000002", 2, 70, 12, 9)}
	recommendtest.AddNeighbours(versions[1], 3, 9)
	versions[1].Solver.SimilarWeight = 0.2
	for i, v := range versions {
		recommendtest.AddProductEncoder(v, uint64(i))
		if _, err := db.Load(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	w := walk{t: t, rng: rng, db: db, versions: versions, conn: mustVectorConn(t, dsn), rules: mustRules(t)}
	for range 3 {
		w.writers = append(w.writers, &writer{conn: mustVectorConn(t, dsn)})
	}
	if err := db.Promote(t.Context(), versions[0].ID, byTest); err != nil {
		t.Fatal(err)
	}
	w.memory = inmemory.New(db, mustKeep(t, versions...), math.MaxInt64, slog.New(slog.DiscardHandler))
	for n := range 150 {
		did := w.step(n)
		w.compare(fmt.Sprintf("step %d: %s", n, did))
	}
	if w.fromMemory < 100 || w.byFacts < 50 {
		t.Errorf("the memory answered %d times only, and %d times with rules", w.fromMemory, w.byFacts)
	}
}

// TestMemoryAnswersFromARestoredDatabase: the rows of product_state have numbers of transactions that
// this server has not reached. They count before `publish migrate` and after it, which stamps them anew.
func TestMemoryAnswersFromARestoredDatabase(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	db, conn, v := mustVectorStore(t, dsn), mustVectorConn(t, dsn), randomVersion("m770000000000003", 3, 80, 12, 6)
	mustGoLive(t, db, v)
	mustSay(t, dsn, map[string]bool{v.Items[7].Code: false, v.Items[8].Code: false})
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	exec(`ALTER TABLE kindred.product_state DISABLE TRIGGER stamp_state`)
	exec(`UPDATE kindred.product_state SET transaction = '1000000000000'`)
	exec(`ALTER TABLE kindred.product_state ENABLE TRIGGER stamp_state`)
	w := walk{t: t, rng: rand.New(rand.NewPCG(18, 6)), db: db, versions: []*modelversion.Version{v}, rules: mustRules(t),
		memory: inmemory.New(db, mustKeep(t, v), math.MaxInt64, slog.New(slog.DiscardHandler))}
	mustBringIn(t, w.memory, v.ID)
	w.compare("restored")
	generation := ""
	for range 2 {
		if err := migration.Up(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		w.compare("migrated")
		var ahead int
		var now string
		if err := conn.QueryRow(t.Context(), `SELECT count(*), (SELECT generation::text FROM kindred.catalogue)
			FROM kindred.product_state WHERE transaction >= pg_snapshot_xmax(pg_current_snapshot())`).
			Scan(&ahead, &now); err != nil || ahead > 0 || now == generation {
			t.Errorf("%d rows are ahead, the generation is %s after %s: %v", ahead, now, generation, err)
		}
		generation = now
		mustSay(t, dsn, map[string]bool{v.Items[7].Code: true, v.Items[9].Code: false})
		w.compare("written")
	}
	if w.fromMemory != 5 {
		t.Errorf("the memory answered %d times", w.fromMemory)
	}
}

// TestMemoryReadsChangesByTheIndex: what has changed is found without reading all of the state.
func TestMemoryReadsChangesByTheIndex(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	mustVectorStore(t, dsn)
	conn := mustVectorConn(t, dsn)
	// The numbers are in no order, as after many small writes.
	if _, err := conn.Exec(t.Context(), `ALTER TABLE kindred.product_state DISABLE TRIGGER stamp_state;
		INSERT INTO kindred.product_state (id, first_seen, changed, written, transaction)
		SELECT 'p' || i, now(), now(), '{}', (i * 7919 % 601 + 3)::text::xid8 FROM generate_series(1, 20000) i;
		ALTER TABLE kindred.product_state ENABLE TRIGGER stamp_state; ANALYZE kindred.product_state`,
		pgx.QueryExecModeSimpleProtocol); err != nil {
		t.Fatal(err)
	}
	scans := func() (whole, index int64) {
		t.Helper()
		if err := conn.QueryRow(t.Context(), `SELECT t.seq_scan, i.idx_scan FROM pg_stat_user_tables t
			JOIN pg_stat_user_indexes i USING (relid) WHERE i.indexrelname = 'product_state_transaction'`).
			Scan(&whole, &index); err != nil {
			t.Fatal(err)
		}
		return whole, index
	}
	before, _ := scans()
	db, err := vectorstore.Open(t.Context(), envconfig.PGVector{DSN: dsn})
	if err != nil {
		t.Fatal(err)
	}
	var since vectorstore.Since
	for range 10 { // PostgreSQL makes a plan for all values after five
		c, err := db.State(t.Context(), since, nil)
		if err != nil || c.Whole != (since == vectorstore.Since{}) || c.Whole && len(c.Shown) != 20000 {
			t.Errorf("%d changes, %v", len(c.Shown), err)
		}
		since = c.Next
	}
	db.Close() // a connection tells its statistics at its end
	whole, index := scans()
	for deadline := time.Now().Add(time.Minute); index < 10 && time.Now().Before(deadline); whole, index = scans() {
		time.Sleep(50 * time.Millisecond)
	}
	if whole != before || index < 10 {
		t.Errorf("%d scans of the whole table, and %d by the index", whole-before, index)
	}
}

// writer writes state in a transaction that stays open.
type writer struct {
	conn   *pgx.Conn
	tx     pgx.Tx
	locked []string
}

type walk struct {
	t          *testing.T
	rng        *rand.Rand
	db         *vectorstore.Store
	memory     *inmemory.Store
	versions   []*modelversion.Version
	conn       *pgx.Conn
	writers    []*writer
	fromMemory int
	byFacts    int // with the facts that rules see
	rules      *recommend.Rules
}

// mustRules are about what the walk says of products.
func mustRules(t *testing.T) *recommend.Rules {
	t.Helper()
	compile := func(text string) *rule.Expr {
		e, err := rule.Compile(text)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	return &recommend.Rules{Filters: []*rule.Expr{compile(`!(product.stock > 3) && product.id != "new 2"`)},
		Boosts: []rule.Boost{{Where: compile(`product.brand == "b=c" || product.stock == 0`), Factor: 3}},
		Marks:  []*rule.Expr{compile(`product.available`), compile(`product.price > 10.0`)}, By: recommend.ByBrand}
}

func (w *walk) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// step changes something.
func (w *walk) step(n int) string {
	t, ctx := w.t, w.t.Context()
	by := w.writers[w.rng.IntN(len(w.writers))]
	switch w.rng.IntN(12) {
	case 0:
		if slices.ContainsFunc(w.writers, func(o *writer) bool { return o.tx != nil }) {
			return "nothing: somebody writes"
		}
		_, err := w.conn.Exec(ctx, []string{`DELETE FROM kindred.product_state`, `TRUNCATE kindred.product_state`}[n%2])
		w.must(err)
		return "forgot the state"
	case 1:
		if err := w.db.Promote(ctx, w.versions[n%2].ID, byTest); err != nil {
			return "no promotion: " + err.Error()
		}
		return "promoted"
	case 2:
		if err := w.db.StartCanary(ctx, w.versions[n%2].ID, 0.5, byTest); err != nil {
			return "no canary: " + err.Error()
		}
		return "a canary"
	case 3, 4, 5:
		if by.tx == nil {
			return "nothing: nobody writes"
		}
		w.must(by.tx.Commit(ctx))
		by.tx, by.locked = nil, nil
		return "committed"
	case 6, 7:
		for w.memory.Step(ctx) {
		}
		return "loaded"
	}
	code := w.versions[0].Items[w.rng.IntN(80)].Code
	if w.rng.IntN(3) == 0 {
		code = fmt.Sprint("new ", w.rng.IntN(4))
	}
	for _, other := range w.writers {
		if other != by && slices.Contains(other.locked, code) {
			return "nothing: it is locked"
		}
	}
	if by.tx == nil {
		tx, err := by.conn.Begin(ctx)
		w.must(err)
		by.tx = tx
	}
	by.locked = append(by.locked, code)
	values := map[activity.Field]any{activity.FieldAvailable: w.rng.IntN(2) == 0}
	switch w.rng.IntN(4) {
	case 0:
		values[activity.FieldAvailable] = nil
	case 1:
		values[activity.FieldHidden] = w.rng.IntN(2) == 0
	case 2:
		values[activity.FieldPrice] = strconv.Itoa(w.rng.IntN(30))
	}
	_, err := vectorstore.WriteProducts(ctx, by.tx, []activity.ProductWrite{{ID: code,
		Order: activity.Order{At: time.UnixMicro(int64(n))}, Values: values}})
	if err != nil {
		t.Fatal(err)
	}
	return "wrote " + code
}

// compare asks both.
func (w *walk) compare(did string) {
	t, ctx := w.t, w.t.Context()
	t.Helper()
	traffic, err := w.memory.Traffic(ctx)
	w.must(err)
	now := time.Now()
	for _, m := range []*recommend.Model{traffic.Live, traffic.Canary} {
		if m == nil {
			continue
		}
		if slices.Contains(w.memory.Held(), m.Version) {
			w.fromMemory++
		}
		if slices.Contains(w.memory.Ruled(), m.Version) {
			w.byFacts++
		}
		v := w.versions[slices.IndexFunc(w.versions, func(v *modelversion.Version) bool { return v.ID == m.Version })]
		customer := v.Customers[w.rng.IntN(len(v.Customers))].ID
		searches := []recommend.Search{{Limit: 100, At: now, New: 3}, {Limit: 12, At: now, Customer: &customer, New: 5,
			Vector: v.Customers[0].Vector, Exclude: []string{v.Items[3].Code}}}
		if v.Near != nil {
			searches[1].Added = v.Near.Customers[w.rng.IntN(len(v.Customers))]
		}
		neighbours := []recommend.Neighbours{{Code: v.Items[w.rng.IntN(len(v.Items))].Code, Limit: 7}}
		candidates, similar, err := w.memory.Retrieve(ctx, m, searches, neighbours)
		w.must(err)
		wantCandidates, wantSimilar, err := w.db.Retrieve(ctx, m, searches, neighbours)
		w.must(err)
		if diff := unlike(candidates, wantCandidates, func(c recommend.Candidate) (string, float32) {
			return c.Code, c.Score
		}); diff != "" {
			t.Fatalf("%s: %s", did, diff)
		}
		if diff := unlike(similar, wantSimilar, func(s recommend.Similar) (string, float32) {
			return s.Code, s.Distance
		}); diff != "" {
			t.Fatalf("%s: similar products: %s", did, diff)
		}
		ruled := []recommend.Search{{Limit: 30, At: now, New: 3, Vector: v.Customers[0].Vector, Rules: w.rules}}
		candidates, _, err = w.memory.Retrieve(ctx, m, ruled, nil)
		w.must(err)
		wantCandidates, _, err = w.db.Retrieve(ctx, m, ruled, nil)
		w.must(err)
		if diff := unlike(candidates, wantCandidates, func(c recommend.Candidate) (string, float32) {
			return fmt.Sprintf("%s %v %q", c.Code, c.Marks, c.Labels), c.Score
		}); diff != "" {
			t.Fatalf("%s: by rules: %s", did, diff)
		}
		codes := []string{v.Items[1].Code, "unknown", "new 1"}
		got, err := w.memory.Lookup(ctx, m, codes, []string{customer}, nil, activity.Order{})
		w.must(err)
		want, err := w.db.Lookup(ctx, m, codes, []string{customer}, nil, activity.Order{})
		w.must(err)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("%s: found %v\nwant %v", did, got, want)
		}
	}
}

// unlike is the first difference of lists, but for rounding.
func unlike[T any](got, want [][]T, of func(T) (string, float32)) string {
	for i := range want {
		if len(got[i]) != len(want[i]) {
			return fmt.Sprintf("%d found, want %d", len(got[i]), len(want[i]))
		}
		for k := range want[i] {
			code, score := of(got[i][k])
			wantCode, wantScore := of(want[i][k])
			if math.Abs(float64(score-wantScore)) > 1e-5 || code != wantCode && math.Abs(float64(score-wantScore)) > 1e-6 {
				return fmt.Sprintf("at %d %s %g, want %s %g", k, code, score, wantCode, wantScore)
			}
		}
	}
	return ""
}

// TestTheFunctionAnswersFromMemory runs the program: after some batches it answers although the
// database has lost the products' table.
func TestTheFunctionAnswersFromMemory(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, artifacts := stack.mustVectorDatabase(t), stack.mustBucket(t)
	v := randomVersion("m770000000000003", 3, 200, 20, 8)
	mustGoLive(t, mustVectorStore(t, dsn), v)
	repo := commit.NewRepository(objectstore.NewS3(awsclient.S3(stack.AWS), artifacts, ""), "model")
	if _, err := modelfile.Write(t.Context(), repo, v, t.TempDir()); err != nil {
		t.Fatal(err)
	}
	shop := activitytest.Shop{}
	for _, item := range v.Items {
		shop.Products = append(shop.Products, item.Code)
	}
	for _, customer := range v.Customers {
		shop.Customers = append(shop.Customers, customer.ID)
	}
	answer := func(f *function, n int) (failed int) {
		t.Helper()
		for i := range n {
			failed += len(f.mustInvoke(t, shop.Batch(20*i, 20)))
		}
		return failed
	}
	inMemory := mustFunction(t, stack, dsn, stack.mustBucket(t), "ARTIFACTS_BUCKET="+artifacts)
	without := mustFunction(t, stack, dsn, stack.mustBucket(t), "ARTIFACTS_BUCKET="+artifacts, "MEMORY_SHARE=0")
	if failed := answer(inMemory, 12) + answer(without, 2); failed > 0 {
		t.Errorf("%d batches failed", failed)
	}
	execPostgres(t, t.Context(), dsn, "ALTER TABLE model_m770000000000003.item RENAME TO gone")
	if failed := answer(inMemory, 2); failed > 0 {
		t.Errorf("%d batches failed: the memory does not answer", failed)
	}
	if failed := answer(without, 1); failed == 0 {
		t.Error("without memory, it answers from a table that is gone")
	}
}
