package main

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
)

// visits is a batch of a session that says only what is new, what else somebody noticed of it, and its login.
func visits() events.KinesisEvent {
	batch := batchOf(5)
	for i, data := range []string{`"session_id":"A","continues_session":true,"browse_history":[{"product_code":"L2_07"}]`,
		`"type":"interaction","session_id":"A","kind":"cart","product_code":"L2_08"`,
		`"session_id":"A","continues_session":true,"browse_history":[]`,
		`"session_id":"A","continues_session":true,"customer_number":"new","browse_history":[{"product_code":"L1_03"}]`,
		`"session_id":"B","customer_number":"new","browse_history":[]`} {
		batch.Records[i].Kinesis.Data = fmt.Appendf(nil, `{"event_id":"e%d",%s}`, i, data)
		batch.Records[i].Kinesis.ApproximateArrivalTimestamp = events.SecondsEpochTime{Time: time.Now()}
	}
	return batch
}

// answered are the delivered records by event, without what depends on the time of the attempt.
func (b bundle) answered(t *testing.T) map[string]activity.Record {
	t.Helper()
	all := map[string]activity.Record{}
	for _, line := range b.delivery.lines {
		record, err := activity.ParseRecord([]byte(line))
		if err != nil {
			t.Fatal(err)
		}
		record.Recommendation.GeneratedAt, record.Recommendation.LatencyMS = time.Time{}, 0
		all[record.Recommendation.EventID] = record
	}
	return all
}

// TestASessionIsContinuedByItsEvents: each is answered from what lies before it and itself. An interaction
// is not answered.
func TestASessionIsContinuedByItsEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if failed := b.run(t, visits()); failed != 5 {
		t.Fatalf("failed at %d", failed)
	}
	for event, want := range map[string]string{"e0": "L2_07", "e1": "", "e2": "L2_08", "e3": "L2_08", "e4": "L2_08"} {
		record := b.answered(t)[event]
		source := activity.SourceSession
		if want == "" {
			source = activity.SourceState
		}
		if record.Recommendation.Source != source || record.Recommendation.UnknownProducts > 0 || want != "" &&
			(record.SimilarItems == nil || record.SimilarItems.ProductCode != want) {
			t.Errorf("%s: %+v", event, record)
		}
	}
}

// TestARetryOfVisitsGivesTheSameRecords lets Firehose take nothing although the state is written, and then
// a part, while the session goes on.
func TestARetryOfVisitsGivesTheSameRecords(t *testing.T) {
	t.Parallel()
	batch := visits()
	whole := setup(t)
	whole.run(t, batch)
	b := setup(t)
	for _, refused := range []string{`"event_id"`, `"event_id":"e1"`, `"event_id":"e0"`} {
		b.delivery.refuse = func(line string) bool { return strings.Contains(line, refused) }
		if failed := b.run(t, batch); failed == len(batch.Records) {
			t.Fatal("the batch is done")
		}
	}
	b.delivery.refuse, b.delivery.lines = nil, nil
	if failed := b.run(t, batch); failed != len(batch.Records) {
		t.Fatalf("failed at %d", failed)
	}
	if diff := cmp.Diff(whole.answered(t), b.answered(t)); diff != "" {
		t.Error(diff)
	}
}

// TestOnlyWhatIsKeptTakesRoundTrips counts the questions of a batch.
func TestOnlyWhatIsKeptTakesRoundTrips(t *testing.T) {
	t.Parallel()
	trips := func(kept bool, batch events.KinesisEvent) int {
		b := setup(t)
		if kept {
			b.run(t, visits())
		}
		before := b.store.Trips()
		if failed := b.run(t, batch); failed != len(batch.Records) {
			t.Fatalf("failed at %d", failed)
		}
		return b.store.Trips() - before
	}
	if got := trips(false, batchOf(20)); got != 3 {
		t.Errorf("whole records: %d", got)
	}
	if got := trips(true, batchOf(20)); got != 3 {
		t.Errorf("whole records of others, where something is kept: %d", got)
	}
	if got := trips(false, visits()); got != 5 { // it is written, and its products are looked up
		t.Errorf("visits: %d", got)
	}
}

// TestWithoutVisitsNothingIsAnswered: an event is done only when its state is written.
func TestWithoutVisitsNothingIsAnswered(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.state = broken{}
	if failed := b.run(t, visits()); failed != 0 || len(b.delivery.lines) > 0 {
		t.Errorf("failed at %d, %d delivered", failed, len(b.delivery.lines))
	}
}

// written keeps what is written of visits.
type written struct {
	stateWriter

	visits []activity.Visit
}

func (w *written) WriteState(ctx context.Context, state recommend.State) error {
	w.visits = append(w.visits, state.Visits...)
	return w.stateWriter.WriteState(ctx, state)
}

// TestAnEventWithAWrongControlWritesNothing: it goes to quarantine before anything that it says is kept.
func TestAnEventWithAWrongControlWritesNothing(t *testing.T) {
	t.Parallel()
	for _, control := range []string{`{"filter":"product.colour == \"red\""}`, `{"boost":[{"where":"1","factor":2}]}`,
		`{"min_share":[{"where":"product.stock","share":0.5}]}`, `{"cursor":"AAAA"}`} {
		b := setup(t)
		w := &written{stateWriter: b.state}
		b.state = w
		batch := visits()
		batch.Records[0].Kinesis.Data = fmt.Appendf(nil, `{"event_id":"e0","session_id":"A","continues_session":true,`+
			`"browse_history":[{"product_code":"L2_07"}],"kindred":%s}`, control)
		if failed := b.run(t, batch); failed != len(batch.Records) {
			t.Fatalf("%s: failed at %d", control, failed)
		}
		for _, v := range w.visits {
			for _, c := range v.Clicks {
				if c.Product == "L2_07" {
					t.Errorf("%s: written: %+v", control, v)
				}
			}
		}
		q := b.quarantine.kept[batch.Records[0].Kinesis.SequenceNumber]
		if q.Reason != activity.ReasonSchema || len(b.quarantine.kept) != 1 || len(b.delivery.lines) != 4 {
			t.Errorf("%s: quarantined %+v, %d lines", control, q, len(b.delivery.lines))
		}
	}
}
