package integration

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"kindred/internal/activity"
	"kindred/internal/audit"
	"kindred/internal/awsclient"
	"kindred/internal/objectstore"
	"kindred/internal/shardreader"
)

// TestVerifyFindsAHandMadeLoss fills a stream, answers all but one record by hand, and gives one of them twice.
func TestVerifyFindsAHandMadeLoss(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	const records, missing, twice = 1200, 700, 30 // more than one PutRecords and two shards
	name, client := mustOwnStream(t, stack), kinesis.NewFromConfig(stack.AWS)
	entries := make([]types.PutRecordsRequestEntry, records)
	for i := range entries {
		session := fmt.Sprintf("session-%d", i%50)
		entries[i] = types.PutRecordsRequestEntry{PartitionKey: aws.String(session),
			Data: fmt.Appendf(nil, `{"event_id":"event-%d","session_id":%q,"browse_history":[]}`, i, session)}
	}
	for len(entries) > 0 {
		n := min(500, len(entries))
		out, err := client.PutRecords(t.Context(), &kinesis.PutRecordsInput{StreamName: aws.String(name), Records: entries[:n]})
		if err != nil || aws.ToInt32(out.FailedRecordCount) > 0 {
			t.Fatalf("put records: %v, %+v", err, out)
		}
		entries = entries[n:]
	}

	// What a function would have written, had it lost one event and answered another twice.
	reader := shardreader.New(client, name)
	shards, err := reader.Shards(t.Context())
	if err != nil || len(shards) != 2 {
		t.Fatalf("shards %v, %v", shards, err)
	}
	var lines []byte
	var lost string
	seen := 0
	for _, shard := range shards {
		err := reader.Read(t.Context(), shard, "", func(p activity.Position, data []byte) error {
			seen++
			event, err := activity.Parse(data)
			if err != nil {
				return err
			}
			if event.EventID == fmt.Sprintf("event-%d", missing) {
				lost = p.Shard + " " + p.SequenceNumber
				return nil
			}
			record := activity.Record{Event: data, Recommendation: activity.Recommendation{
				ID: activity.RecommendationID(event.EventID), EventID: event.EventID, ModelVersion: "m1", Source: activity.SourcePopularity,
				Position: p, GeneratedAt: time.Now(), LatencyMS: 5}}
			if lines, err = record.AppendLine(lines); err == nil && event.EventID == fmt.Sprintf("event-%d", twice) {
				lines, err = record.AppendLine(lines)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen != records {
		t.Fatalf("read %d of %d records", seen, records)
	}
	store := objectstore.NewS3(awsclient.S3(stack.AWS), stack.mustBucket(t), "")
	mustPut(t, store, "recommendations/2026/01/01/00/one", string(lines))

	r, err := audit.New(reader, store).Run(t.Context(), audit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if r.Events != records || r.Recommended != records-1 || r.Lost != 1 || r.Duplicates != 1 || r.Unknown != 0 || r.OutOfOrder != 0 {
		t.Errorf("report:\n%s", r)
	}
	if r.Fault() == nil || !strings.Contains(r.String(), "lost: "+lost) {
		t.Errorf("fault %v; the lost record %s is not named in\n%s", r.Fault(), lost, r)
	}
}

// mustOwnStream makes a stream of two shards, deleted at the test's end.
func mustOwnStream(t *testing.T, stack Stack) string {
	t.Helper()
	client, name := kinesis.NewFromConfig(stack.AWS), aws.String("kindred-"+randomName())
	if _, err := client.CreateStream(t.Context(), &kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), cleanupTime)
		defer stop()
		if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: name}); err != nil {
			t.Errorf("delete stream: %v", err)
		}
	})
	waiter := kinesis.NewStreamExistsWaiter(client, func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond })
	if err := waiter.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: name}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	return *name
}

func mustPut(t *testing.T, store *objectstore.S3, key, content string) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, strings.NewReader(content), int64(len(content)), objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
}
