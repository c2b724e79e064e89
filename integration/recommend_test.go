package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"

	"github.com/aws/aws-lambda-go/events"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// TestRecommendTurnsABatchIntoLinesOnS3 runs the function's own process against PostgreSQL, Firehose and S3.
func TestRecommendTurnsABatchIntoLinesOnS3(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	dsn, bucket := stack.mustVectorDatabase(t), stack.mustBucket(t)
	version := recommendtest.Version("m700000000000001")
	mustGoLive(t, mustVectorStore(t, dsn), version)
	function := mustFunction(t, stack, dsn, bucket)
	store := objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")

	const poison = 10
	batch, sent := activityBatch(30, poison)
	if failures := function.mustInvoke(t, batch); len(failures) > 0 {
		t.Fatalf("failures %+v", failures)
	}
	first := mustRecords(t, store)
	if len(first) != len(sent) {
		t.Fatalf("%d lines for %d events", len(first), len(sent))
	}
	// PostgreSQL decides as an exact scan in memory does.
	want, err := recommend.New(recommendtest.NewStore(version)).Batch(t.Context(), sent)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range sent {
		got, ok := first[activity.RecommendationID(e.EventID, "")]
		if !ok {
			t.Fatalf("event %s has no line", e.EventID)
		}
		answer := recommend.Answer{Items: got.RecommendedItems, Similar: got.SimilarItems,
			Source: got.Recommendation.Source, ModelVersion: got.Recommendation.ModelVersion,
			UnknownProducts: got.Recommendation.UnknownProducts, UnknownCustomer: got.Recommendation.UnknownCustomer}
		if diff := cmp.Diff(want[i], answer, cmpopts.EquateApprox(0, 1e-4)); diff != "" {
			t.Errorf("event %s: %s", e.EventID, diff)
		}
		if !bytes.Contains(got.Event, []byte(`"price":10.10`)) || got.Recommendation.LatencyMS <= 0 {
			t.Errorf("event %s: %+v", e.EventID, got)
		}
	}
	position := activity.Position{Stream: "activity", Shard: "shardId-000000000000",
		SequenceNumber: batch.Records[poison].Kinesis.SequenceNumber}
	data, _, err := objectstore.ReadAll(t.Context(), store, deadletter.Key(position))
	if err != nil {
		t.Fatal(err)
	}
	var kept activity.Quarantined
	if err := json.Unmarshal(data, &kept); err != nil {
		t.Fatal(err)
	}
	if kept.Reason != activity.ReasonNotJSON || !bytes.Equal(kept.Data, batch.Records[poison].Kinesis.Data) {
		t.Errorf("quarantined %+v", kept)
	}

	// Lambda may send the batch again: more lines, no more ids, one object in quarantine.
	if failures := function.mustInvoke(t, batch); len(failures) > 0 {
		t.Fatalf("failures %+v", failures)
	}
	again := mustRecords(t, store)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(first)), slices.Sorted(maps.Keys(again))); diff != "" {
		t.Error(diff)
	}
	if n := countObjects(t, store, envconfig.QuarantinePrefix); n != 1 {
		t.Errorf("%d objects in quarantine", n)
	}
}

// TestRecommendWithoutDatabaseGivesTheBatchBack holds that a database that is down neither loses
// nor quarantines anything.
func TestRecommendWithoutDatabaseGivesTheBatchBack(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	bucket := stack.mustBucket(t)
	function := mustFunction(t, stack, "postgres://nobody@127.0.0.1:1/nothing?sslmode=disable", bucket)
	batch, _ := activityBatch(20, 5)
	failures := function.mustInvoke(t, batch)
	if len(failures) != 1 || failures[0].ItemIdentifier != batch.Records[0].Kinesis.SequenceNumber {
		t.Errorf("failures %+v", failures)
	}
	if n := countObjects(t, objectstore.NewS3(awsclient.S3(stack.AWS), bucket, ""), ""); n != 0 {
		t.Errorf("%d objects were written", n)
	}
}

// activityBatch makes n records as Lambda sends them; the one at index poison is cut off, the
// others are in sent.
func activityBatch(n, poison int) (batch events.KinesisEvent, sent []*activity.Event) {
	customers := []string{"null", "101", "102", "103", "999"}
	for i := range n {
		data := fmt.Appendf(nil, `{"session_id":"s%d","event_id":"e%d","customer_number":%s,"country":"France","price":10.10,`+
			`"browse_history":[{"product_code":"L%d_%02d","quantity":"2","in_shopping_cart":%t}]}`, i%3, i, customers[i%5], i%5,
			i%20, i%2 == 0)
		if i == poison {
			data = data[:len(data)/2]
		} else if e, err := activity.Parse(data); err == nil {
			sent = append(sent, e)
		}
		sequence := fmt.Sprintf("4966%08d", i)
		batch.Records = append(batch.Records, events.KinesisEventRecord{
			EventID: "shardId-000000000000:" +
				sequence, EventSourceArn: "arn:aws:kinesis:eu-west-1:000000000000:stream/activity",
			Kinesis: events.KinesisRecord{SequenceNumber: sequence, PartitionKey: fmt.Sprintf("s%d", i%3), Data: data,
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: time.Now().Add(-time.Second)}},
		})
	}
	return batch, sent
}

// mustRecords reads every recommendation on S3, by its id.
func mustRecords(t *testing.T, store objectstore.Store) map[string]activity.Record {
	t.Helper()
	records := map[string]activity.Record{}
	for info, err := range store.List(t.Context(), envconfig.RecommendationPrefix) {
		if err != nil {
			t.Fatal(err)
		}
		data, _, err := objectstore.ReadAll(t.Context(), store, info.Key)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasSuffix(data, []byte("\n")) {
			t.Errorf("%s does not end with a newline", info.Key)
		}
		for line := range bytes.Lines(data) {
			record, err := activity.ParseRecord(line)
			if err != nil {
				t.Fatal(err)
			}
			records[record.Recommendation.ID] = record
		}
	}
	return records
}

func countObjects(t *testing.T, store objectstore.Store, prefix string) (n int) {
	t.Helper()
	for _, err := range store.List(t.Context(), prefix) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	return n
}
