package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/vectorstore"
	"kindred/internal/serving/vectorstore/migration"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/stream/activity"
)

// questions is how many customers are asked for, one by one.
const questions = 1000

// longIDs makes every id 36 characters long, as a UUID is.
func longIDs(v *modelversion.Version) {
	long := func(id string) string { return fmt.Sprintf("018f3c1e-5d0b-7c3a-9c52-%012s", id) }
	for i := range v.Items {
		v.Items[i].Code = long(v.Items[i].Code)
	}
	for i := range v.Customers {
		c := &v.Customers[i]
		c.ID = long(c.ID)
		for n := range c.Rated {
			c.Rated[n] = long(c.Rated[n])
		}
	}
}

// idCost is what a version costs with ids of one kind.
type idCost struct {
	IDs     string  `json:"ids"`
	Publish float64 `json:"publish_seconds"` // load, index and swap
	Bytes   int64   `json:"bytes"`           // of the version's tables and indexes
	P95     float64 `json:"answer_p95_ms"`   // of a customer with five browsed products, alone
}

// compareIDs publishes a version with short ids and with ids of 36 characters, in turn, each in a
// database of its own.
func (c *command) compareIDs(ctx context.Context, out io.Writer) error {
	shape := vectorstoretest.Shape{Items: c.Items, Customers: c.Customers, RatedEach: c.RatedEach, Dim: c.Dim}
	printf(out, "\n%d products, %d customers with up to %d rated products each, dimension %d, best of %d\n", shape.Items,
		shape.Customers, shape.RatedEach, shape.Dim, c.Runs)
	printf(out, "%-14s %12s %12s %16s\n", "ids", "publish s", "MB", "answer p95 ms")
	best := [2]idCost{{IDs: "short"}, {IDs: "36 characters"}}
	for range c.Runs {
		for i := range best {
			v := vectorstoretest.Version("m000000000000001", 1, shape)
			if i == 1 {
				longIDs(v)
			}
			cost, err := c.measureIDs(ctx, v)
			if err != nil {
				return fmt.Errorf("ids of %s: %w", best[i].IDs, err)
			}
			if was := best[i]; was.Bytes > 0 {
				cost.Publish, cost.P95 = min(cost.Publish, was.Publish), min(cost.P95, was.P95)
			}
			cost.IDs = best[i].IDs
			best[i] = cost
		}
	}
	for _, b := range best {
		printf(out, "%-14s %12.2f %12.1f %16.2f\n", b.IDs, b.Publish, float64(b.Bytes)/1e6, b.P95)
	}
	printf(out, "%-14s %12.2f %12.2f %16.2f\n", "ratio", best[1].Publish/best[0].Publish,
		float64(best[1].Bytes)/float64(best[0].Bytes), best[1].P95/best[0].P95)
	c.keep("ids", best)
	return nil
}

func (c *command) measureIDs(ctx context.Context, v *modelversion.Version) (cost idCost, err error) {
	dsn, drop, err := vectorstoretest.Database(ctx, c.DSN)
	if err != nil {
		return cost, err
	}
	defer func() {
		if e := drop(); err == nil {
			err = e
		}
	}()
	store, err := vectorstore.Open(ctx, envconfig.PGVector{DSN: dsn})
	if err != nil {
		return cost, err
	}
	defer store.Close()
	if err := migration.Up(ctx, store); err != nil {
		return cost, err
	}
	start := time.Now()
	if _, err := store.Load(ctx, v); err != nil {
		return cost, err
	}
	if err := store.Promote(ctx, v.ID, vectorstore.PromoteOptions{Actor: "bench"}); err != nil {
		return cost, err
	}
	cost.Publish = time.Since(start).Seconds()
	conn, err := connect(ctx, dsn)
	if err != nil {
		return cost, err
	}
	defer func() { _ = conn.Close(ctx) }()
	err = conn.QueryRow(ctx, `SELECT sum(pg_total_relation_size(c.oid))::bigint FROM pg_class c
		JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND n.nspname = $1`, "model_"+v.ID).
		Scan(&cost.Bytes)
	if err != nil {
		return cost, err
	}
	cost.P95, err = answerP95(ctx, store, v)
	return cost, err
}

// answerP95 asks for customers one by one.
func answerP95(ctx context.Context, store *vectorstore.Store, v *modelversion.Version) (float64, error) {
	recommender := recommend.New(store)
	times := make([]time.Duration, 0, questions)
	for i := range 2 * questions { // the first half connects, plans and fills the cache
		id := activity.ID(v.Customers[i*7919%len(v.Customers)].ID)
		e := &activity.Event{SessionID: fmt.Sprint(i), CustomerID: &id}
		for n := range 5 {
			code := v.Items[(i*31+n*17)%len(v.Items)].Code
			e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(code), Quantity: 1})
		}
		start := time.Now()
		if _, err := recommender.Batch(ctx, []*activity.Event{e}); err != nil {
			return 0, err
		}
		if i >= questions {
			times = append(times, time.Since(start))
		}
	}
	slices.Sort(times)
	return ms(times[len(times)*95/100]), nil
}
