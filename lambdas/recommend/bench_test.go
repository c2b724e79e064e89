package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/serving/vectorstore/vectorstoretest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/activity/activitytest"
	"kindred/internal/stream/deadletter"
)

// BenchmarkHandle measures what the function itself costs for each event of a full batch: the
// database answers at once, out of memory, and Firehose takes everything.
func BenchmarkHandle(b *testing.B) {
	version := vectorstoretest.Version("m000000000000001", 1,
		vectorstoretest.Shape{Items: 800, Customers: 500, RatedEach: 20, Dim: 64})
	h := &handler{recommender: recommend.New(newCanned(version)), counter: recommendtest.Bare{},
		load: func(context.Context) {}, delivery: discard{},
		quarantine: deadletter.NewQuarantine(nil),
		log:        slog.New(slog.DiscardHandler), metrics: io.Discard, headRoom: time.Second, now: time.Now}
	shop := activitytest.Shop{}
	for _, item := range version.Items {
		shop.Products = append(shop.Products, item.Code)
	}
	for _, customer := range version.Customers {
		shop.Customers = append(shop.Customers, customer.ID)
	}
	raw, err := json.Marshal(shop.Batch(0, chunkEvents))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += chunkEvents {
		response, err := h.Invoke(b.Context(), raw)
		if err != nil || string(response) != `{"batchItemFailures":[]}` {
			b.Fatal(string(response), err)
		}
	}
}

type discard struct{}

func (discard) Put(context.Context, [][]byte) ([]int, error) { return nil, nil }

// canned answers at once, whatever is asked.
type canned struct {
	recommendtest.Bare

	traffic    recommend.Traffic
	lookup     recommend.Lookup
	candidates []recommend.Candidate
	similar    []recommend.Similar
}

func newCanned(v *modelversion.Version) *canned {
	c := &canned{
		traffic: recommend.Traffic{Live: &recommend.Model{Version: v.ID, Solver: v.Solver, Encoder: v.Encoder}},
		lookup:  recommend.Lookup{Items: map[string]recommend.Item{}, Customers: map[string]recommend.Customer{}},
	}
	for i, item := range v.Items {
		c.lookup.Items[item.Code] = recommend.Item{Vector: item.Vector}
		if i < 10 {
			c.candidates = append(c.candidates, recommend.Candidate{Code: item.Code, Score: 0.7831123, Vector: item.Vector})
		}
		if i < 5 {
			c.similar = append(c.similar, recommend.Similar{Code: item.Code, Distance: 0.1234567})
		}
	}
	for _, customer := range v.Customers {
		c.lookup.Customers[customer.ID] = recommend.Customer{Origin: customer.Origin, Vector: customer.Vector}
	}
	return c
}

func (c *canned) Traffic(context.Context) (recommend.Traffic, error) { return c.traffic, nil }

func (c *canned) Lookup(_ context.Context, _ *recommend.Model, _, _, _ []string,
	_ activity.Order) (recommend.Lookup, error) {
	return c.lookup, nil
}

func (c *canned) Retrieve(_ context.Context, _ *recommend.Model, searches []recommend.Search,
	neighbours []recommend.Neighbours,
) ([][]recommend.Candidate, [][]recommend.Similar, error) {
	candidates, similar := make([][]recommend.Candidate, len(searches)), make([][]recommend.Similar, len(neighbours))
	for i := range candidates {
		candidates[i] = c.candidates
	}
	for i := range similar {
		similar[i] = c.similar
	}
	return candidates, similar, nil
}

func (c *canned) CanaryFailed(context.Context, string, error) error { return nil }
