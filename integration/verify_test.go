package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/google/go-cmp/cmp"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/awsclient"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/quarantine"
	"kindred/internal/stream/shardreader"
	"kindred/internal/stream/shardwriter"
)

// TestVerifyFindsLossDuplicateAndReorderingMadeByHand fills a stream, writes what a function would
// have answered, and damages that: at places that the seed chooses. The program has to find exactly
// the damage.
func TestVerifyFindsLossDuplicateAndReorderingMadeByHand(t *testing.T) {
	t.Parallel()
	const events, sessions, poison = 1200, 50, 900 // more than one PutRecords and two shards
	stack := mustStack(t)
	name, bucket := mustOwnStream(t, stack), stack.mustBucket(t)
	client, store := kinesis.NewFromConfig(stack.AWS), objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")
	w := shardwriter.New(client, name, shardwriter.Pause)
	for i := range events {
		key := fmt.Sprintf("session-%d", i%sessions)
		data := fmt.Appendf(nil, `{"event_id":"event-%d","session_id":%q,"browse_history":[]}`, i, key)
		if i == poison {
			data = data[:20]
		}
		w.Add(shardwriter.Record{Key: key, Data: data})
	}
	for w.Pending() > 0 {
		if _, err := w.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	answers, quarantined := mustAnswers(t, shardreader.New(client, name))
	if len(answers) != events-1 || len(quarantined) != 1 {
		t.Fatalf("read %d events and %d poison records", len(answers), len(quarantined))
	}
	p := mustPrograms(t, map[string]string{"ACTIVITY_STREAM": name, "RECOMMENDATIONS_BUCKET": bucket,
		"AWS_REGION":       stack.AWS.Region,
		"AWS_ENDPOINT_URL": *stack.AWS.BaseEndpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}, "verify")

	rng := rand.New(rand.NewPCG(*faultSeed, 8))
	lose := func(n int) func([]activity.Record) []activity.Record {
		return func(list []activity.Record) []activity.Record {
			for range n {
				i := rng.IntN(len(list))
				list = slices.Delete(list, i, i+1)
			}
			return list
		}
	}
	repeat := func(n int) func([]activity.Record) []activity.Record {
		return func(list []activity.Record) []activity.Record {
			for range n {
				list = append(list, list[rng.IntN(events-100)])
			}
			return list
		}
	}
	reorder := func(n int) func([]activity.Record) []activity.Record { // of n sessions the second and third answer
		return func(list []activity.Record) []activity.Record {
			for _, session := range rng.Perm(sessions)[:n] {
				var at []int
				for i, r := range list {
					if r.Recommendation.Position.PartitionKey == fmt.Sprintf("session-%d", session) {
						at = append(at, i)
					}
				}
				one, other := &list[at[1]].Recommendation, &list[at[2]].Recommendation
				one.GeneratedAt, other.GeneratedAt = other.GeneratedAt, one.GeneratedAt
			}
			return list
		}
	}
	type report struct {
		Events, Recommended, Quarantined, Lost, Duplicates int
		OutOfOrder                                         int `json:"out_of_order"`
		Unknown, Conflicts, Malformed                      int
		Findings                                           []verify.Finding
	}
	whole := report{Events: events, Recommended: events - 1, Quarantined: 1}
	for _, test := range []struct {
		name    string
		damage  []func([]activity.Record) []activity.Record
		release bool // the poison record from quarantine
		change  func(r *report)
		exit    int
	}{
		{"nothing", nil, false, func(*report) {}, 0},
		{"one loss", []func([]activity.Record) []activity.Record{lose(1)}, false,
			func(r *report) { r.Recommended--; r.Lost++ }, 1},
		{"one duplicate", []func([]activity.Record) []activity.Record{repeat(1)}, false,
			func(r *report) { r.Duplicates++ }, 0},
		{"one reordering", []func([]activity.Record) []activity.Record{reorder(1)}, false,
			func(r *report) { r.OutOfOrder++ }, 0},
		{"the quarantine emptied", nil, true, func(r *report) { r.Quarantined--; r.Lost++ }, 1},
		{"many of each", []func([]activity.Record) []activity.Record{reorder(9), repeat(17)}, false,
			func(r *report) { r.Duplicates += 17; r.OutOfOrder += 9 }, 0},
		{"many losses", []func([]activity.Record) []activity.Record{lose(33)}, true,
			func(r *report) { r.Recommended -= 33; r.Quarantined--; r.Lost += 34 }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := slices.Clone(answers)
			for _, damage := range test.damage {
				list = damage(list)
			}
			var lines []byte
			for _, r := range list {
				var err error
				if lines, err = r.AppendLine(lines); err != nil {
					t.Fatal(err)
				}
			}
			mustPut(t, store, "recommendations/2026/01/01/00/one", string(lines))
			for key, content := range quarantined {
				if test.release {
					if err := store.Delete(t.Context(), key); err != nil {
						t.Fatal(err)
					}
				} else {
					mustPut(t, store, key, content)
				}
			}
			want := whole
			test.change(&want)
			var got report
			code, stderr := p.run(t, &got, "verify", "--wait", "0s")
			left := map[string]bool{} // positions that have an answer
			for _, r := range list {
				left[r.Recommendation.Position.Shard+" "+r.Recommendation.Position.SequenceNumber] = true
			}
			for _, f := range got.Findings {
				if f.Kind != "lost" || left[f.Where] {
					t.Errorf("seed %d: %+v is no loss", *faultSeed, f)
				}
			}
			if len(got.Findings) == 0 != (want.Lost == 0) {
				t.Errorf("seed %d: findings %+v", *faultSeed, got.Findings)
			}
			got.Findings = nil
			if diff := cmp.Diff(want, got); diff != "" || code != test.exit {
				t.Errorf("seed %d: exit %d, want %d: %s\n%s", *faultSeed, code, test.exit, diff, stderr)
			}
		})
	}
}

// mustAnswers makes of every record on the stream what a function would have written: answers in
// the stream's order, and the objects of the poison records by key.
func mustAnswers(t *testing.T, reader *shardreader.Reader) (answers []activity.Record, quarantined map[string]string) {
	t.Helper()
	shards, err := reader.Shards(t.Context())
	if err != nil || len(shards) != 2 {
		t.Fatalf("shards %v, %v", shards, err)
	}
	quarantined = map[string]string{}
	for _, shard := range shards {
		err := reader.Read(t.Context(), shard, "", func(p activity.Position, data []byte) error {
			event, err := activity.Parse(data)
			if err != nil {
				kept, err := json.Marshal(activity.Quarantined{Reason: activity.ReasonNotJSON, Message: "made by hand",
					EventID: activity.EventID(nil, p), Position: p, QuarantinedAt: time.Now(), Data: data})
				quarantined[quarantine.Key(p)] = string(kept)
				return err
			}
			answers = append(answers, activity.Record{Event: data, Recommendation: activity.Recommendation{
				ID: activity.RecommendationID(event.EventID), EventID: event.EventID, ModelVersion: "m1",
				Source:   activity.SourcePopularity,
				Position: p, GeneratedAt: time.Now(), LatencyMS: 5}})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return answers, quarantined
}

// mustOwnStream makes a stream of two shards, deleted at the test's end.
func mustOwnStream(t *testing.T, stack Stack) string {
	t.Helper()
	client, name := kinesis.NewFromConfig(stack.AWS), aws.String("kindred-"+randomName())
	if _, err := client.CreateStream(t.Context(),
		&kinesis.CreateStreamInput{StreamName: name, ShardCount: aws.Int32(2)}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, stop := context.WithTimeout(context.Background(), cleanupTime)
		defer stop()
		if _, err := client.DeleteStream(ctx, &kinesis.DeleteStreamInput{StreamName: name}); err != nil {
			t.Errorf("delete stream: %v", err)
		}
	})
	waiter := kinesis.NewStreamExistsWaiter(client,
		func(o *kinesis.StreamExistsWaiterOptions) { o.MinDelay = 50 * time.Millisecond })
	if err := waiter.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: name}, 30*time.Second); err != nil {
		t.Fatal(err)
	}
	return *name
}

func mustPut(t *testing.T, store *objectstore.S3, key, content string) {
	t.Helper()
	if _, err := store.Put(t.Context(), key, strings.NewReader(content), int64(len(content)),
		objectstore.Condition{}); err != nil {
		t.Fatal(err)
	}
}
