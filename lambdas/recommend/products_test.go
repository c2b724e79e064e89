package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// withProducts is a batch of a click, what the shop says of a product, a click, and what it says of none.
func withProducts(stock string) events.KinesisEvent {
	batch := batchOf(4)
	batch.Records[1].Kinesis.SequenceNumber += stock // a later batch comes later, in the same millisecond too
	for i, data := range []string{"", `{"type":"product","event_id":"p1","product_code":"L2_11","stock":` + stock + `}`, "",
		`{"type":"product","event_id":"p2","product_code":"","stock":1}`} {
		if data != "" {
			batch.Records[i].Kinesis.Data = []byte(data)
		}
	}
	return batch
}

// TestAProductEventCountsAtOnceAndLeavesARecord: it is delivered in the form of all records, without an
// answer, and a broken one ends in quarantine.
func TestAProductEventCountsAtOnceAndLeavesARecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, stock := range []string{"0", "5"} {
		b.delivery.lines = nil
		if failed := b.run(t, withProducts(stock)); failed != 4 || len(b.quarantine.kept) != 1 || len(b.delivery.lines) != 3 {
			t.Fatalf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
		}
		items := b.items(t)
		if got := slices.Contains(items["e2"], "L2_11"); got != (stock == "5") {
			t.Errorf("stock %s: recommended: %v: %v", stock, got, items)
		}
		record, err := activity.ParseRecord([]byte(b.delivery.lines[1]))
		if err != nil {
			t.Fatal(err)
		}
		r := record.Recommendation
		if r.Source != activity.SourceState || r.EventID != "p1" || r.ModelVersion != "" ||
			r.ID != activity.RecommendationID("p1", "") || len(record.RecommendedItems) > 0 ||
			!strings.Contains(b.delivery.lines[1], `"recommended_items":[],"recommendation":{`) {
			t.Errorf("the record of a product event: %s", b.delivery.lines[1])
		}
	}
	if !strings.Contains(b.metrics.String(), `"source_state":1`) {
		t.Errorf("metrics: %s", b.metrics)
	}
}

// TestProductEventsNeedNoVersion: what the shop says is written although no version can be asked.
func TestProductEventsNeedNoVersion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Break("m1")
	batch := withProducts("0")
	batch.Records = batch.Records[1:2]
	if failed := b.run(t, batch); failed != 1 || len(b.delivery.lines) != 1 {
		t.Errorf("failed at %d, %d delivered", failed, len(b.delivery.lines))
	}
	b.state = broken{}
	if failed := b.run(t, batch); failed != 0 {
		t.Errorf("without state: failed at %d", failed)
	}
}

// TestACustomerEventCountsAtOnceAndLeavesARecord: in every session of the customer, and as often as it comes.
func TestACustomerEventCountsAtOnceAndLeavesARecord(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const hidden = bought
	batch := batchOf(3)
	for i, data := range []string{`"session_id":"A","browse_history":[]`,
		`"type":"customer","hide":["` + hidden + `"]`, `"session_id":"B","browse_history":[]`} {
		batch.Records[i].Kinesis.Data = fmt.Appendf(nil, `{"event_id":"e%d","customer_number":%s,%s}`, i,
			recommendtest.CustomerOfLine1, data)
	}
	for range 2 {
		b.delivery.lines = nil
		if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines) != 3 {
			t.Fatalf("failed at %d, %d delivered", failed, len(b.delivery.lines))
		}
		items := b.items(t)
		if len(items["e0"]) == 0 || len(items["e2"]) == 0 || slices.Contains(items["e0"], hidden) ||
			slices.Contains(items["e2"], hidden) {
			t.Errorf("%v", items)
		}
		if record, err := activity.ParseRecord([]byte(b.delivery.lines[1])); err != nil ||
			record.Recommendation.Source != activity.SourceState || record.Recommendation.EventID != "e1" {
			t.Errorf("the record of a customer event: %s, %v", b.delivery.lines[1], err)
		}
	}
}
