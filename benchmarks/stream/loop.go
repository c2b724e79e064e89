package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/pgvector/pgvector-go"
	pgxvector "github.com/pgvector/pgvector-go/pgx"
	"golang.org/x/sync/errgroup"
)

// maxShort is how many queries a question has at most that is not the retrieval: which version is
// live, and two lookups.
const maxShort = 2

// frozen are kindred's queries of 2026-11-29, before an answer knew any state beside the model. They are
// found by how the query begins that has taken their place, and have its parameters.
var frozen = []struct{ today, then string }{
	{`SELECT version, canary,`, `SELECT version, canary, coalesce(canary_share, 0) FROM kindred.live`},
	{`SELECT code, key, positives, embedding,`, `SELECT code, embedding FROM ` + schema + `.item WHERE code = ANY($1)`},
	{`SELECT id, origin, embedding,`, `SELECT id, origin, embedding FROM ` + schema + `.customer WHERE id = ANY($1)`},
	{`SELECT key, code, (0 - distance)::real,`, `SELECT code, (0 - distance)::real, embedding
		FROM (SELECT i.code, i.embedding, (i.embedding <#> $3) + 0 AS distance FROM ` + schema + `.item i
			WHERE i.quantity_in_stock > 0 AND i.code NOT IN (SELECT unnest($1::text[])) AND i.key NOT IN (SELECT r.item
				FROM ` + schema + `.rated r WHERE r.customer = (SELECT c.key FROM ` + schema + `.customer c WHERE c.id = $2))
			ORDER BY distance, i.code LIMIT 10) found ORDER BY distance, code`},
	{`SELECT code, distance::real`, `SELECT code, distance::real
		FROM (SELECT i.code, (i.embedding <=> (SELECT embedding FROM ` + schema + `.item WHERE code = $1)) + 0 AS distance
			FROM ` + schema + `.item i WHERE i.quantity_in_stock > 0 AND i.code <> $1
				AND EXISTS (SELECT 1 FROM ` + schema + `.item WHERE code = $1)
			ORDER BY distance, i.code LIMIT 5) found ORDER BY distance, code`},
}

// freeze turns what kindred asked into the queries of 2026-11-29. Queries that had no counterpart then are
// left out. Each of the frozen queries must occur.
func freeze(asked [][]question) ([][]question, error) {
	occurred := make([]int, len(frozen))
	then := make([][]question, len(asked))
	for i, questions := range asked {
		for _, q := range questions {
			var kept question
			for _, query := range q {
				at := slices.IndexFunc(frozen, func(f struct{ today, then string }) bool {
					return strings.HasPrefix(query.sql, f.today)
				})
				if at >= 0 {
					occurred[at]++
					query.sql = frozen[at].then
					kept = append(kept, query)
				}
			}
			if len(kept) > 0 {
				then[i] = append(then[i], kept)
			}
		}
	}
	if at := slices.Index(occurred, 0); at >= 0 {
		return nil, fmt.Errorf("kindred asked nothing that begins with %q", frozen[at].today)
	}
	return then, nil
}

// loop asks PostgreSQL what kindred asked for a batch, pipelined and over as many connections at
// once, and reads codes and scores.
type loop struct {
	conns   [2]*pgx.Conn
	batches [][]*arguments // of each batch of events, the questions in their order
}

// arguments is a question as pgx takes it.
type arguments struct {
	sql  []string
	args [][]any
}

// newLoops makes the loops of the rows loopRow and frozenRow, and runs each batch once.
func newLoops(ctx context.Context, dsn string, asked [][]question) (map[string]*loop, error) {
	then, err := freeze(asked)
	if err != nil {
		return nil, err
	}
	loops := map[string]*loop{}
	for subject, questions := range map[string][][]question{loopRow: asked, frozenRow: then} {
		l, err := newLoop(ctx, dsn, questions)
		if err != nil {
			return nil, err
		}
		for i := range questions {
			if err := l.run(ctx, i); err != nil {
				return nil, fmt.Errorf("%s: %w", subject, err)
			}
		}
		loops[subject] = l
	}
	return loops, nil
}

func newLoop(ctx context.Context, dsn string, asked [][]question) (*loop, error) {
	l := &loop{}
	for i := range l.conns {
		conn, err := pgx.Connect(ctx, dsn)
		if err != nil {
			return nil, fmt.Errorf("connect: %w", err)
		}
		l.conns[i] = conn
		if err := pgxvector.RegisterTypes(ctx, conn); err != nil {
			return nil, fmt.Errorf("register vector types: %w", err)
		}
		// What kindred's connections are set to.
		for _, set := range []string{"plan_cache_mode = 'force_generic_plan'", "jit = off",
			"max_parallel_workers_per_gather = 0", "hnsw.iterative_scan = 'strict_order'"} {
			if _, err := conn.Exec(ctx, "SET "+set); err != nil {
				return nil, err
			}
		}
	}
	for _, questions := range asked {
		var batch []*arguments
		for _, q := range questions {
			a := &arguments{}
			for _, query := range q {
				described, err := l.conns[0].Prepare(ctx, query.sql, query.sql)
				if err != nil {
					return nil, fmt.Errorf("prepare %s: %w", query.sql, err)
				}
				args, err := decode(l.conns[0].TypeMap(), described.ParamOIDs, query)
				if err != nil {
					return nil, fmt.Errorf("read the parameters of %s: %w", query.sql, err)
				}
				a.sql, a.args = append(a.sql, query.sql), append(a.args, args)
			}
			batch = append(batch, a)
		}
		l.batches = append(l.batches, batch)
	}
	return l, nil
}

// decode turns parameters on the wire into Go values.
func decode(types *pgtype.Map, oids []uint32, q query) ([]any, error) {
	args := make([]any, len(q.params))
	for i, raw := range q.params {
		var format int16
		switch len(q.formats) {
		case 0:
		case 1:
			format = q.formats[0]
		default:
			format = q.formats[i]
		}
		switch oids[i] {
		case pgtype.TextArrayOID:
			var v []string
			if err := types.Scan(oids[i], format, raw, &v); err != nil {
				return nil, err
			}
			args[i] = v
		case pgtype.Int4ArrayOID:
			var v []int32
			if err := types.Scan(oids[i], format, raw, &v); err != nil {
				return nil, err
			}
			args[i] = v
		case pgtype.Int4OID:
			var v int32
			if err := types.Scan(oids[i], format, raw, &v); err != nil {
				return nil, err
			}
			args[i] = v
		case pgtype.TextOID, pgtype.VarcharOID:
			args[i] = string(raw)
		default:
			var v pgvector.Vector
			if err := types.Scan(oids[i], format, raw, &v); err != nil {
				return nil, err
			}
			args[i] = v
		}
	}
	return args, nil
}

// run asks the questions of one batch of events.
func (l *loop) run(ctx context.Context, n int) error {
	var group errgroup.Group
	next := 0
	for _, a := range l.batches[n%len(l.batches)] {
		if len(a.sql) <= maxShort {
			if err := send(ctx, l.conns[0], a); err != nil {
				return err
			}
			continue
		}
		conn := l.conns[next%len(l.conns)]
		next++
		group.Go(func() error { return send(ctx, conn, a) })
	}
	return group.Wait()
}

func send(ctx context.Context, conn *pgx.Conn, a *arguments) error {
	var batch pgx.Batch
	var code string
	var score float32
	for i, sql := range a.sql {
		batch.Queue(sql, a.args[i]...).Query(func(rows pgx.Rows) error {
			fields := rows.FieldDescriptions()
			columns := make([]any, len(fields)) // those that stay nil are not read
			at := slices.IndexFunc(fields, func(f pgconn.FieldDescription) bool { return f.Name == "code" })
			if len(a.sql) > maxShort && at >= 0 {
				columns[at], columns[at+1] = &code, &score // or a distance
			}
			for rows.Next() {
				if err := rows.Scan(columns...); err != nil {
					return err
				}
			}
			return rows.Err()
		})
	}
	return conn.SendBatch(ctx, &batch).Close()
}

func (l *loop) close(ctx context.Context) {
	for _, conn := range l.conns {
		if conn != nil {
			_ = conn.Close(ctx) // nothing is lost by it
		}
	}
}
