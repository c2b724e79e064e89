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
	"kindred/internal/platform/retry"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/shardreader"
	"kindred/internal/stream/shardwriter"
)

// The stream of TestVerifyFindsLossDuplicateAndReorderingMadeByHand: more than one PutRecords, and
// one bad record.
const (
	damageEvents, damageSessions, damagePoison = 1200, 50, 900
	damageTries                                = 5 // streams
)

// TestVerifyFindsLossDuplicateAndReorderingMadeByHand fills a stream, writes what a function would
// have answered, and damages that at places that the seed chooses. The program has to find exactly
// the damage.
func TestVerifyFindsLossDuplicateAndReorderingMadeByHand(t *testing.T) {
	t.Parallel()
	stack := mustStack(t)
	bucket := stack.mustBucket(t)
	store := objectstore.NewS3(awsclient.S3(stack.AWS), bucket, "")
	name, answers, quarantined := mustAnsweredStream(t, stack)
	p := mustPrograms(t, map[string]string{"ACTIVITY_STREAM": name, "RECOMMENDATIONS_BUCKET": bucket,
		"PGVECTOR_DSN": "", "ARTIFACTS_BUCKET": "", // the answers' version is made up
		"AWS_REGION":       stack.AWS.Region,
		"AWS_ENDPOINT_URL": *stack.AWS.BaseEndpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}, "verify")

	d := damage{rand.New(rand.NewPCG(*faultSeed, 8))}
	whole := auditFigures{Events: damageEvents, Recommended: damageEvents - 1, Quarantined: 1}
	for _, test := range []struct {
		name    string
		damage  []func([]activity.Record) []activity.Record
		release bool // the poison record from quarantine
		change  func(r *auditFigures)
		exit    int
	}{
		{"nothing", nil, false, func(*auditFigures) {}, 0},
		{"one loss", []func([]activity.Record) []activity.Record{d.lose(1)}, false,
			func(r *auditFigures) { r.Recommended--; r.Lost++ }, 1},
		{"one duplicate", []func([]activity.Record) []activity.Record{d.repeat(1)}, false,
			func(r *auditFigures) { r.Duplicates++ }, 0},
		{"one reordering", []func([]activity.Record) []activity.Record{d.reorder(1)}, false,
			func(r *auditFigures) { r.OutOfOrder++ }, 0},
		{"the quarantine emptied", nil, true, func(r *auditFigures) { r.Quarantined--; r.Lost++ }, 1},
		{"many of each", []func([]activity.Record) []activity.Record{d.reorder(9), d.repeat(17)}, false,
			func(r *auditFigures) { r.Duplicates += 17; r.OutOfOrder += 9 }, 0},
		{"many losses", []func([]activity.Record) []activity.Record{d.lose(33)}, true,
			func(r *auditFigures) { r.Recommended -= 33; r.Quarantined--; r.Lost += 34 }, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			list := slices.Clone(answers)
			for _, damage := range test.damage {
				list = damage(list)
			}
			mustDeliver(t, store, list, quarantined, test.release)
			want := whole
			test.change(&want)
			mustFind(t, p, list, want, test.exit)
		})
	}
}

// auditFigures is the part of verify's result that the damage changes.
type auditFigures struct {
	Events, Recommended, Quarantined, Lost, Duplicates int
	OutOfOrder                                         int `json:"out_of_order"`
	Unknown, Conflicts, Malformed                      int
	Findings                                           []verify.Finding
}

// damage makes changes to the answers of a stream, at random places.
type damage struct{ rng *rand.Rand }

// lose takes n answers away.
func (d damage) lose(n int) func([]activity.Record) []activity.Record {
	return func(list []activity.Record) []activity.Record {
		for range n {
			i := d.rng.IntN(len(list))
			list = slices.Delete(list, i, i+1)
		}
		return list
	}
}

// repeat appends n answers once more.
func (d damage) repeat(n int) func([]activity.Record) []activity.Record {
	return func(list []activity.Record) []activity.Record {
		for range n {
			list = append(list, list[d.rng.IntN(damageEvents-100)])
		}
		return list
	}
}

// reorder exchanges the times of the second and the third answer of n sessions.
func (d damage) reorder(n int) func([]activity.Record) []activity.Record {
	return func(list []activity.Record) []activity.Record {
		for _, session := range d.rng.Perm(damageSessions)[:n] {
			var at []int
			for i, r := range list {
				if r.Recommendation.Position.PartitionKey == fmt.Sprintf("session-%d", session) {
					at = append(at, i)
				}
			}
			one, other := &list[at[1]].Recommendation, &list[at[2]].Recommendation
			one.GeneratedAt, other.GeneratedAt = other.GeneratedAt, one.GeneratedAt
			one.LatencyMS = latency(one.GeneratedAt, one.Position)
			other.LatencyMS = latency(other.GeneratedAt, other.Position)
		}
		return list
	}
}

// mustDeliver puts the answers into the bucket in place of those before, and the bad records into
// quarantine, or out of it.
func mustDeliver(t *testing.T, store *objectstore.S3, list []activity.Record, quarantined map[string]string,
	release bool) {
	t.Helper()
	var lines []byte
	for _, r := range list {
		var err error
		if lines, err = r.AppendLine(lines); err != nil {
			t.Fatal(err)
		}
	}
	mustPut(t, store, "recommendations/2026/01/01/00/one", string(lines))
	for key, content := range quarantined {
		if !release {
			mustPut(t, store, key, content)
		} else if err := store.Delete(t.Context(), key); err != nil {
			t.Fatal(err)
		}
	}
}

// mustFind runs verify and compares what it finds with the damage that left these answers.
func mustFind(t *testing.T, p programs, list []activity.Record, want auditFigures, exit int) {
	t.Helper()
	var got auditFigures
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
	if diff := cmp.Diff(want, got); diff != "" || code != exit {
		t.Errorf("seed %d: exit %d, want %d: %s\n%s", *faultSeed, code, exit, diff, stderr)
	}
}

// mustAnsweredStream fills a stream, each record once, and returns what a function would have
// answered. A producer's retry may put a record twice: then the next stream is filled.
func mustAnsweredStream(t *testing.T, stack Stack) (name string, answers []activity.Record,
	quarantined map[string]string) {
	t.Helper()
	client := kinesis.NewFromConfig(stack.AWS)
	for range damageTries {
		name = mustOwnStream(t, stack)
		w := shardwriter.New(client, name, retry.Sleep)
		for i := range damageEvents {
			key := fmt.Sprintf("session-%d", i%damageSessions)
			data := fmt.Appendf(nil, `{"event_id":"event-%d","session_id":%q,"browse_history":[]}`, i, key)
			if i == damagePoison {
				data = data[:20]
			}
			w.Add(shardwriter.Record{Key: key, Data: data})
		}
		for w.Pending() > 0 {
			if _, err := w.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		answers, quarantined = mustAnswers(t, shardreader.New(client, name))
		if len(answers) == damageEvents-1 && len(quarantined) == 1 {
			return name, answers, quarantined
		}
		t.Logf("stream %s holds %d events and %d bad records", name, len(answers), len(quarantined))
	}
	t.Fatalf("in %d streams the records were not there once each", damageTries)
	return "", nil, nil
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
				quarantined[deadletter.Key(p)] = string(kept)
				return err
			}
			now := time.Now()
			answers = append(answers, activity.Record{Event: data, Recommendation: activity.Recommendation{
				ID: activity.RecommendationID(event.EventID, ""), EventID: event.EventID, ModelVersion: "m1",
				Source:   activity.SourcePopularity,
				Position: p, GeneratedAt: now, LatencyMS: latency(now, p)}})
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
	if err := waiter.Wait(t.Context(), &kinesis.DescribeStreamInput{StreamName: name}, cleanupTime); err != nil {
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

// latency is what an answer of that time says, in milliseconds.
func latency(generated time.Time, p activity.Position) float64 {
	return float64(generated.Sub(p.ArrivedAt)) / float64(time.Millisecond)
}
