package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/serving/vectorstore/vectorstoretest"
)

// timeSteps loads a version as publish does, index and recall included, makes it live and takes it back.
func (c *command) timeSteps(ctx context.Context, dsn string, items int, out io.Writer) error {
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return err
	}
	v := vectorstoretest.Version(fmt.Sprintf("m%015d", items), 1,
		vectorstoretest.Shape{Items: items, Customers: items, RatedEach: 20, Dim: c.Dim})
	printf(out, "\n%d items and %d customers of %d, 20 rated products each: load, index, swap\n", items, items, c.Dim)
	start := time.Now()
	steps, err := store.Load(ctx, v)
	if err != nil {
		return err
	}
	begin := time.Now()
	if err := store.Promote(ctx, v.ID, vectorstore.PromoteOptions{Actor: "bench"}); err != nil {
		return err
	}
	steps = append(steps, vectorstore.Step{Name: "swap", Seconds: time.Since(begin).Seconds()},
		vectorstore.Step{Name: "all", Seconds: time.Since(start).Seconds()})
	for _, s := range steps {
		printf(out, "%-20s %8.3f s\n", s.Name, s.Seconds)
	}
	c.keep(fmt.Sprintf("steps of %d items", items), steps)
	versions, err := store.Versions(ctx)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Live && v.Recall != nil && v.Similar != nil && v.EFSearch != nil {
			printf(out, "recall@10 %.3f, of similar products %.3f, at ef_search %d\n", *v.Recall, *v.Similar, *v.EFSearch)
		}
	}
	return nil
}
