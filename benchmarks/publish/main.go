// Publish measures how fast embeddings are loaded into PostgreSQL with pgvector: COPY BINARY
// against the other ways, logged against unlogged tables, vector against halfvec, index builds, and
// a whole publish by step. It works in a database of its own, which it drops.
package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/jackc/pgx/v5"
	pgxvector "github.com/pgvector/pgvector-go/pgx"

	"kindred/benchmarks/results"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

func main() {
	os.Exit(program.Main("bench-publish", "Measure how fast embeddings are loaded into PostgreSQL.", &command{},
		os.Args[1:], os.Stdout, os.Stderr))
}

type command struct {
	envconfig.PGVector
	Rows  int    `default:"100000" help:"Rows to load when ways of copying are compared."`
	Dim   int    `default:"64" help:"Components of a vector."`
	Sizes []int  `default:"41000,100000" help:"Numbers of products to publish, one publish each."`
	Runs  int    `default:"3" help:"How often each way of loading is measured. The best run counts."`
	Part  string `enum:"all,copy,storage,steps,ids" default:"all" help:"What to measure: copy (ways to copy), storage, steps (of a publish), ids (short ids compared with ids of 36 characters), or all."`

	Items     int `default:"20000" help:"With ids: number of products of the version that is loaded."`
	Customers int `default:"100000" help:"With ids: number of customers of the version that is loaded."`
	RatedEach int `default:"50" help:"With ids: largest number of products that a customer has rated."`

	State string `default:".kindred" placeholder:"FOLDER" env:"KINDRED_STATE" help:"State folder. results.json is written to its folder bench/publish."`

	results map[string]any
}

// keep adds to what is written as JSON.
func (c *command) keep(part string, measured any) {
	if c.results == nil {
		c.results = map[string]any{}
	}
	c.results[part] = measured
}

// Run measures and prints.
func (c *command) Run(ctx context.Context, out *program.Output) (err error) {
	if c.DSN == "" {
		return fmt.Errorf("%w: PGVECTOR_DSN is not set", program.ErrConfig)
	}
	dsn, drop, err := vectorstoretest.Database(ctx, c.DSN)
	if err != nil {
		return err
	}
	defer func() {
		if e := drop(); err == nil {
			err = e
		}
	}()
	if c.Part == "all" || c.Part == "copy" {
		if err := compareLoads(ctx, dsn, c, out.Stdout); err != nil {
			return err
		}
	}
	if c.Part == "all" || c.Part == "storage" {
		if err := compareStorage(ctx, dsn, c, out.Stdout); err != nil {
			return err
		}
	}
	if c.Part == "all" || c.Part == "steps" {
		for _, n := range c.Sizes {
			if err := c.timeSteps(ctx, dsn, n, out.Stdout); err != nil {
				return err
			}
		}
	}
	if c.Part == "all" || c.Part == "ids" {
		if err := c.compareIDs(ctx, out.Stdout); err != nil {
			return err
		}
	}
	return results.Write(c.State, "publish", c.results)
}

func connect(ctx context.Context, dsn string) (*pgx.Conn, error) {
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if err := pgxvector.RegisterTypes(ctx, conn); err != nil {
		return nil, fmt.Errorf("register vector types: %w", err)
	}
	return conn, nil
}

func execAll(ctx context.Context, conn *pgx.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.Exec(ctx, s, pgx.QueryExecModeSimpleProtocol); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

func printf(w io.Writer, format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
