package main

import (
	"context"
	"fmt"
	"slices"

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
