package integration

import (
	"errors"
	"fmt"
	"math"
	"testing"

	"github.com/jackc/pgx/v5"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/memory"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
)

// TestSearchByIndexAddsNeighbours asks a version whose products have an index, and compares the answers
// with scores that are added up for every product. Some of the best products are far from the best by
// their vectors alone, so no index finds them.
func TestSearchByIndexAddsNeighbours(t *testing.T) {
	t.Parallel()
	dsn := withSettings(t, mustStack(t).mustVectorDatabase(t), "enable_seqscan", "off", "enable_sort", "off")
	store := mustVectorStore(t, dsn)
	v := randomVersion("m000000000000006", 3, 600, 12, 8)
	recommendtest.AddNeighbours(v, 4, 20)
	v.Solver.SimilarWeight = 3 // up to 1.5, beside a cosine
	if _, err := store.Load(t.Context(), v); err != nil {
		t.Fatal(err)
	}
	execPostgres(t, t.Context(), dsn, `CREATE INDEX ON model_`+v.ID+`.item USING hnsw (embedding vector_ip_ops);
		CREATE INDEX ON model_`+v.ID+`.item USING hnsw (embedding vector_cosine_ops);
		UPDATE kindred.model_version SET index_kind = 'hnsw', ef_search = 400; ANALYZE`)
	m := mustGoLive(t, store, v)
	exact := memory.New(v)
	for i := range v.Customers {
		compareSimilar(t, store, m, exact, recommend.Neighbours{Code: v.Items[5*i].Code, Limit: 10})
		id := v.Customers[i].ID
		search := recommend.Search{Vector: v.Customers[i].Vector, Customer: &id, Added: v.Near.Customers[i],
			Exclude: []string{v.Items[3*i].Code}, Limit: 10}
		for n := range search.Added {
			search.Added[n].Weight *= 40 // up to twice the best inner products
		}
		found, _, err := store.Retrieve(t.Context(), m, []recommend.Search{search}, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := exact.Search(search)
		for n, c := range want {
			if len(found[0]) != len(want) || found[0][n].Code != c.Code || found[0][n].Item != c.Item ||
				math.Abs(float64(found[0][n].Score-c.Score)) > 1e-4 {
				t.Fatalf("customer %s: found %v\nwant %v", id, found[0], want)
			}
		}
	}
}

// compareSimilar asks for products similar to one, and compares them with a scan of all.
func compareSimilar(t *testing.T, store *vectorstore.Store, m *recommend.Model, exact *memory.Version,
	q recommend.Neighbours) {
	t.Helper()
	_, found, err := store.Retrieve(t.Context(), m, nil, []recommend.Neighbours{q})
	_, want, otherErr := memory.NewStore(exact).Retrieve(t.Context(), m, nil, []recommend.Neighbours{q})
	if err = errors.Join(err, otherErr); err != nil {
		t.Fatal(err)
	}
	for n, s := range want[0] {
		if len(found[0]) != len(want[0]) || found[0][n].Code != s.Code ||
			math.Abs(float64(found[0][n].Distance-s.Distance)) > 1e-4 {
			t.Fatalf("similar to %s: found %v\nwant %v", q.Code, found[0], want[0])
		}
	}
}

// TestNeighboursAreLoadedWithTheirVersion: their tables are of the version, a reader may ask them, and
// damage to them is found and repaired. A version without neighbours has none of it.
func TestNeighboursAreLoadedWithTheirVersion(t *testing.T) {
	t.Parallel()
	dsn := mustStack(t).mustVectorDatabase(t)
	store := mustVectorStore(t, dsn)
	plain := randomVersion("m000000000000007", 5, 50, 8, 4)
	v := randomVersion("m000000000000008", 6, 50, 8, 4)
	recommendtest.AddNeighbours(v, 7, 10)
	mustGoLive(t, store, plain)
	role := "reader_" + randomName()
	if err := migration.AdmitReader(t.Context(), store, role); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := cleanupContext()
		defer stop()
		execPostgres(t, ctx, dsn, "DROP OWNED BY "+role+"; DROP ROLE "+role)
	})
	mustGoLive(t, store, v)
	if err := store.CheckVersion(t.Context(), v.ID); err != nil {
		t.Errorf("as a reader: %v", err)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(t.Context())
	for _, of := range []*modelversion.Version{plain, v} {
		var tables int
		if err := conn.QueryRow(t.Context(),
			`SELECT count(*) FROM pg_tables WHERE schemaname = $1 AND tablename LIKE 'near%'`, "model_"+of.ID).
			Scan(&tables); err != nil {
			t.Fatal(err)
		}
		if of.Near == nil && tables != 0 || of.Near != nil && tables != 2 {
			t.Errorf("version %s has %d tables of neighbours", of.ID, tables)
		}
	}
	for _, harm := range []string{`DELETE FROM %s.near_item WHERE key = (SELECT min(key) FROM %[1]s.near_item)`,
		`TRUNCATE %s.near_customer`, `DROP TABLE %s.near_item`, `DROP INDEX %s.item_key_idx`} {
		execPostgres(t, t.Context(), dsn, fmt.Sprintf(harm, "model_"+v.ID))
		if steps, err := store.Load(t.Context(), v); err != nil || len(steps) == 0 {
			t.Errorf("after %s: %d steps, %v", harm, len(steps), err)
		}
		if steps, err := store.Load(t.Context(), v); err != nil || len(steps) != 0 {
			t.Errorf("once more after %s: %d steps, %v", harm, len(steps), err)
		}
	}
}
