package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

// storageItems is a large shop's catalogue, the size at which an index serves.
const storageItems = 41_000

// compareStorage measures what decides how a version's tables are made: vector or halfvec, logged
// or unlogged and logged later, how many workers build the index.
func compareStorage(ctx context.Context, dsn string, c *command, out io.Writer) error {
	conn, err := connect(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	v := vectorstoretest.Version("m000000000000001", 1,
		vectorstoretest.Shape{Items: storageItems, Customers: 200, Dim: c.Dim})
	vectors := make([][]float32, len(v.Items))
	for i := range v.Items {
		vectors[i] = v.Items[i].Vector
	}
	if err := compareSetLogged(ctx, conn, c, vectors, out); err != nil {
		return err
	}
	printf(out, "\n%d items, a scan's and an HNSW search's ten best by inner product (ef_search 200), per query; recall "+
		"against float32\n", storageItems)
	printf(out, "%-9s %9s %9s %12s %9s %12s %12s %8s %12s\n", "type", "table MB", "index MB", "build 0+1 s", "build 2+1 s",
		"scan ms", "scan recall", "HNSW ms", "HNSW recall")
	want := map[int][]int32{}
	for _, kind := range []string{"vector", "halfvec"} {
		if err := c.storageRow(ctx, conn, kind, v, want, out); err != nil {
			return fmt.Errorf("measure %s: %w", kind, err)
		}
	}
	return nil
}

func compareSetLogged(ctx context.Context, conn *pgx.Conn, c *command, vectors [][]float32, out io.Writer) error {
	printf(out, "\n%d rows: a logged table, and an unlogged one that becomes logged at the end\n", len(vectors))
	for _, test := range []struct{ name, kind, after string }{{"logged", "", ""}, {"unlogged, then SET LOGGED", "UNLOGGED",
		`ALTER TABLE bench SET LOGGED`}} {
		best := time.Hour
		for range c.Runs {
			if err := execAll(ctx, conn, `DROP TABLE IF EXISTS bench`, `CHECKPOINT`); err != nil {
				return err
			}
			start := time.Now()
			statements := []string{`BEGIN`, fmt.Sprintf(
				`CREATE %s TABLE bench (id integer NOT NULL, embedding vector(%d) NOT NULL)`, test.kind, c.Dim)}
			if err := execAll(ctx, conn, statements...); err != nil {
				return err
			}
			if err := copyBinary(ctx, conn, vectors); err != nil {
				return err
			}
			statements = []string{`COMMIT`}
			if test.after != "" {
				statements = []string{test.after, `COMMIT`}
			}
			if err := execAll(ctx, conn, statements...); err != nil {
				return err
			}
			best = min(best, time.Since(start))
		}
		printf(out, "%-28s %6.0f ms\n", test.name, ms(best))
		c.keep(test.name, map[string]float64{"ms": ms(best)})
	}
	return nil
}

func (c *command) storageRow(ctx context.Context, conn *pgx.Conn, kind string, v *modelversion.Version,
	want map[int][]int32, out io.Writer) error {
	vectors := make([][]float32, len(v.Items))
	for i := range v.Items {
		vectors[i] = v.Items[i].Vector
	}
	err := execAll(ctx, conn, `DROP TABLE IF EXISTS bench`, `BEGIN`,
		fmt.Sprintf(`CREATE TABLE bench (id integer NOT NULL, embedding vector(%d) NOT NULL)`, c.Dim))
	if err != nil {
		return err
	}
	if err := copyBinary(ctx, conn, vectors); err != nil {
		return err
	}
	err = execAll(ctx, conn, `COMMIT`, fmt.Sprintf(`ALTER TABLE bench ALTER embedding TYPE %s(%d)`, kind, c.Dim),
		`VACUUM ANALYZE bench`,
		`SET maintenance_work_mem = '256MB'`, `SET max_parallel_workers_per_gather = 0`, `SET hnsw.ef_search = 200`)
	if err != nil {
		return err
	}
	scan, scanRecall, err := search(ctx, conn, kind, v, want)
	if err != nil {
		return err
	}
	var builds [2]time.Duration
	for i, workers := range []int{0, 2} {
		start := time.Now()
		err := execAll(ctx, conn, `DROP INDEX IF EXISTS bench_embedding_idx`, fmt.Sprintf(
			`SET max_parallel_maintenance_workers = %d`, workers),
			fmt.Sprintf(`CREATE INDEX ON bench USING hnsw (embedding %s_ip_ops)`, kind))
		if err != nil {
			return err
		}
		builds[i] = time.Since(start)
	}
	found, recall, err := search(ctx, conn, kind, v, want)
	if err != nil {
		return err
	}
	var table, index float64
	if err := conn.QueryRow(ctx, `SELECT pg_table_size('bench') / 1e6, pg_indexes_size('bench') / 1e6`).Scan(&table,
		&index); err != nil {
		return err
	}
	printf(out, "%-9s %9.1f %9.1f %12.1f %9.1f %12.2f %12.3f %8.2f %12.3f\n", kind, table, index, builds[0].Seconds(),
		builds[1].Seconds(),
		ms(scan), scanRecall, ms(found), recall)
	c.keep(kind, map[string]float64{"table_mb": table, "index_mb": index, "build_seconds": builds[0].Seconds(),
		"build_seconds_2_workers": builds[1].Seconds(), "scan_ms": ms(scan), "scan_recall": scanRecall,
		"hnsw_ms": ms(found), "hnsw_recall": recall})
	return nil
}

// search asks for the ten best of each of the version's customers. The first answers to all
// questions become what later ones are measured by.
func search(ctx context.Context, conn *pgx.Conn, kind string, v *modelversion.Version,
	want map[int][]int32) (each time.Duration, recall float64, err error) {
	found, wanted := 0, 0
	cpu, start := serverTime(conn), time.Now()
	for n, c := range v.Customers {
		var query any = pgvector.NewVector(c.Vector)
		if kind == "halfvec" {
			query = pgvector.NewHalfVector(c.Vector)
		}
		rows, err := conn.Query(ctx, `SELECT id FROM bench ORDER BY embedding <#> $1 LIMIT 10`, query)
		if err != nil {
			return 0, 0, err
		}
		ids, err := pgx.CollectRows(rows, pgx.RowTo[int32])
		if err != nil {
			return 0, 0, err
		}
		if want[n] == nil {
			want[n] = ids
		}
		right := map[int32]bool{}
		for _, id := range want[n] {
			right[id] = true
		}
		for _, id := range ids {
			if right[id] {
				found++
			}
		}
		wanted += len(want[n])
	}
	each = time.Since(start)
	if server := serverTime(conn) - cpu; server > 0 {
		each = server
	}
	return each / time.Duration(len(v.Customers)), float64(found) / float64(wanted), nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// serverTime is how long the connection's server process has had a CPU, when it is a process of
// this Linux machine, or 0.
func serverTime(conn *pgx.Conn) time.Duration {
	var ns int64
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", conn.PgConn().PID()))
	if err != nil {
		return 0
	}
	if _, err := fmt.Sscan(string(data), &ns); err != nil {
		return 0
	}
	return time.Duration(ns)
}
