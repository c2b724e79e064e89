package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/pgvector/pgvector-go"

	"kindred/internal/serving/pgcopy"
)

// batchRows is the size of an INSERT batch: larger ones were no faster.
const batchRows = 1000

// way is a way to load all vectors into a table bench(id integer, embedding vector).
type way struct {
	name string
	load func(ctx context.Context, conn *pgx.Conn, vectors [][]float32) error
}

func ways() []way {
	return []way{
		{"COPY BINARY (kindred)", copyBinary},
		{"pgx CopyFrom (pgvector-go's loading example)", copyFrom},
		{"COPY TEXT", copyText},
		{"batched INSERT", insertBatches},
	}
}

func compareLoads(ctx context.Context, dsn string, c *command, out io.Writer) error {
	rng := rand.New(rand.NewPCG(1, 1))
	vectors := make([][]float32, c.Rows)
	for i := range vectors {
		vectors[i] = make([]float32, c.Dim)
		for j := range vectors[i] {
			vectors[i][j] = float32(rng.NormFloat64())
		}
	}
	printf(out, "%d rows of vector(%d), one connection, one transaction with its commit, best of %d; server's CPU where "+
		"it runs here\n", c.Rows, c.Dim, c.Runs)
	printf(out, "%-46s %-9s %10s %12s %13s %13s\n", "", "table", "rows/s", "x COPY TEXT", "server µs/row", "client µs/row")
	for _, table := range []string{"logged", "unlogged"} {
		best := map[string]result{}
		for range c.Runs { // interleaved, so that a slow moment of the machine meets all
			for _, w := range ways() {
				r, err := timeLoad(ctx, dsn, w, table, c.Dim, vectors)
				if err != nil {
					return fmt.Errorf("%s into a %s table: %w", w.name, table, err)
				}
				if was, ok := best[w.name]; !ok || r.Wall < was.Wall {
					best[w.name] = r
				}
			}
		}
		c.keep("copy to a "+table+" table", best)
		for _, w := range ways() {
			b := best[w.name]
			printf(out, "%-46s %-9s %10.0f %12.1f %13.2f %13.2f\n", w.name, table, float64(c.Rows)/b.Wall.Seconds(),
				float64(best["COPY TEXT"].Wall)/float64(b.Wall), float64(b.Server.Microseconds())/float64(c.Rows), float64(
					b.Client.Microseconds())/float64(c.Rows))
		}
	}
	return nil
}

// result is what a load took: time, and the time that the server's process and this one had a CPU.
type result struct {
	Wall   time.Duration `json:"wall_ns"`
	Server time.Duration `json:"server_ns"`
	Client time.Duration `json:"client_ns"`
}

func timeLoad(ctx context.Context, dsn string, w way, table string, dim int,
	vectors [][]float32) (r result, err error) {
	conn, err := connect(ctx, dsn)
	if err != nil {
		return r, err
	}
	defer func() { _ = conn.Close(ctx) }()
	kind := ""
	if table == "unlogged" {
		kind = "UNLOGGED"
	}
	if err := execAll(ctx, conn, `DROP TABLE IF EXISTS bench`, `CHECKPOINT`); err != nil {
		return r, err
	}
	server, client, start := serverTime(conn), clientTime(), time.Now()
	if err := execAll(ctx, conn, `BEGIN`, fmt.Sprintf(
		`CREATE %s TABLE bench (id integer NOT NULL, embedding vector(%d) NOT NULL)`, kind, dim)); err != nil {
		return r, err
	}
	if err := w.load(ctx, conn, vectors); err != nil {
		return r, err
	}
	if err := execAll(ctx, conn, `COMMIT`); err != nil {
		return r, err
	}
	r = result{time.Since(start), serverTime(conn) - server, clientTime() - client}
	var rows int
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM bench`).Scan(&rows); err != nil || rows != len(vectors) {
		return r, fmt.Errorf("%d rows arrived of %d: %w", rows, len(vectors), err)
	}
	return r, nil
}

// clientTime is how long this process has had a CPU.
func clientTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func copyBinary(ctx context.Context, conn *pgx.Conn, vectors [][]float32) error {
	i := 0
	r := pgcopy.NewReader(2, func(row *pgcopy.Row) bool {
		if i == len(vectors) {
			return false
		}
		row.Int32(int32(i))
		row.Vector(vectors[i])
		i++
		return true
	})
	_, err := conn.PgConn().CopyFrom(ctx, r, `COPY bench (id, embedding) FROM STDIN (FORMAT binary, FREEZE)`)
	return err
}

// copyFrom is what https://github.com/pgvector/pgvector-go/blob/v0.3.0/examples/loading/main.go does.
func copyFrom(ctx context.Context, conn *pgx.Conn, vectors [][]float32) error {
	_, err := conn.CopyFrom(ctx, pgx.Identifier{"bench"}, []string{"id", "embedding"},
		pgx.CopyFromSlice(len(vectors), func(i int) ([]any, error) {
			return []any{int32(i), pgvector.NewVector(vectors[i])}, nil
		}))
	return err
}

func copyText(ctx context.Context, conn *pgx.Conn, vectors [][]float32) error {
	var buf []byte
	i := 0
	r := readerFunc(func(p []byte) (int, error) {
		for len(buf) < len(p) && i < len(vectors) {
			buf = append(strconv.AppendInt(buf, int64(i), 10), '\t', '[')
			for j, x := range vectors[i] {
				if j > 0 {
					buf = append(buf, ',')
				}
				buf = strconv.AppendFloat(buf, float64(x), 'g', -1, 32)
			}
			buf = append(buf, ']', '\n')
			i++
		}
		if len(buf) == 0 {
			return 0, io.EOF
		}
		n := copy(p, buf)
		buf = buf[:copy(buf, buf[n:])]
		return n, nil
	})
	_, err := conn.PgConn().CopyFrom(ctx, r, `COPY bench (id, embedding) FROM STDIN`)
	return err
}

type readerFunc func(p []byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func insertBatches(ctx context.Context, conn *pgx.Conn, vectors [][]float32) error {
	for from := 0; from < len(vectors); from += batchRows {
		var batch pgx.Batch
		for i := from; i < min(from+batchRows, len(vectors)); i++ {
			batch.Queue(`INSERT INTO bench (id, embedding) VALUES ($1, $2)`, int32(i), pgvector.NewVector(vectors[i]))
		}
		if err := conn.SendBatch(ctx, &batch).Close(); err != nil {
			return err
		}
	}
	return nil
}
