package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// bought is the product that the events of purchases buy.
const bought = "L1_05"

// purchases is a batch of four events of customer 101: in sessions B and A before A buys a product, the
// purchase, and one in session B behind it.
func purchases() events.KinesisEvent {
	batch := batchOf(4)
	for i, data := range []string{`"session_id":"B","browse_history":[]`,
		`"session_id":"A","browse_history":[{"product_code":"L2_03","quantity":1}]`,
		`"session_id":"A","browse_history":[{"product_code":"` + bought + `","quantity":1,"purchased":true}]`,
		`"session_id":"B","browse_history":[{"product_code":"L1_06","quantity":1}]`} {
		batch.Records[i].Kinesis.Data = fmt.Appendf(nil, `{"event_id":"e%d","customer_number":%s,%s}`, i,
			recommendtest.CustomerOfLine1, data)
	}
	return batch
}

// items are the products of each delivered line, by event.
func (b bundle) items(t *testing.T) map[string][]string {
	t.Helper()
	all := map[string][]string{}
	for _, line := range b.delivery.lines {
		record, err := activity.ParseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, it := range record.RecommendedItems {
			codes = append(codes, it.ID)
		}
		all[record.Recommendation.EventID] = codes
	}
	return all
}

func TestAPurchaseCountsForTheEventsBehindIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.run(t, purchases())
	items := b.items(t)
	for event, want := range map[string]bool{"e0": true, "e3": false} {
		if got := slices.Contains(items[event], bought); got != want {
			t.Errorf("%s recommends %s: %v, want %v", event, bought, got, want)
		}
	}
	id := activity.ID(recommendtest.CustomerOfLine1)
	answers, err := recommend.New(b.store).Batch(t.Context(), []*activity.Event{{CustomerID: &id}}) // as serve asks
	if err != nil {
		t.Fatal(err)
	}
	for _, it := range answers[0].Items {
		if it.ID == bought {
			t.Error("the customer's page recommends what was bought")
		}
	}
}

// TestARetryAfterTheStateWasWrittenGivesTheSameItems lets Firehose take nothing although the state is
// written, and then a part.
func TestARetryAfterTheStateWasWrittenGivesTheSameItems(t *testing.T) {
	t.Parallel()
	whole := setup(t)
	whole.run(t, purchases())
	want := whole.items(t)
	b := setup(t)
	batch := purchases()
	for i := range batch.Records {
		batch.Records[i].Kinesis.ApproximateArrivalTimestamp = events.SecondsEpochTime{Time: time.Now()}
	}
	for _, refused := range []string{`"session_id"`, `"event_id":"e1"`} {
		b.delivery.refuse = func(line string) bool { return strings.Contains(line, refused) }
		if failed := b.run(t, batch); failed == len(batch.Records) {
			t.Fatal("the batch is done")
		}
	}
	b.delivery.refuse, b.delivery.lines = nil, nil
	if failed := b.run(t, batch); failed != len(batch.Records) {
		t.Fatalf("failed at %d", failed)
	}
	for event, got := range b.items(t) {
		if !slices.Equal(got, want[event]) {
			t.Errorf("%s: %v, and %v at once", event, got, want[event])
		}
	}
}

func TestWithoutStateNothingIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.state = broken{}
	if failed := b.run(t, purchases()); failed != 0 || len(b.delivery.lines)+len(b.quarantine.kept) > 0 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
	if failed := b.run(t, batchOf(3)); failed != 3 {
		t.Errorf("without a purchase: failed at %d", failed)
	}
}

// TestAPurchaseThatTheDatabaseRefusesHoldsUpNobody makes the database refuse one purchase for ever.
func TestAPurchaseThatTheDatabaseRefusesHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.state = broken{&recommend.RefusedError{Reason: "SQLSTATE 54000"}}
	if failed := b.run(t, purchases()); failed != 4 || len(b.delivery.lines) != 3 || len(b.quarantine.kept) != 1 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
}

// broken writes nothing.
type broken struct{ err error }

func (b broken) WriteState(context.Context, recommend.State) error {
	if b.err != nil {
		return b.err
	}
	return errors.New("connection refused")
}
