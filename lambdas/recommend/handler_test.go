package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/platform/text"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/delivery"

	"github.com/aws/aws-lambda-go/events"
	gocmp "github.com/google/go-cmp/cmp"
)

// fakeDelivery takes all lines but those that refuse names.
type fakeDelivery struct {
	refuse func(line string) bool
	lines  []string
	calls  int
}

func (f *fakeDelivery) Put(ctx context.Context, records [][]byte) (failed []int, err error) {
	f.calls++
	for i, r := range records {
		if ctx.Err() != nil {
			failed, err = append(failed, i), ctx.Err()
			continue
		}
		if f.refuse != nil && f.refuse(string(r)) {
			failed = append(failed, i)
			err = errors.New("refused with ServiceUnavailableException: slow down")
			continue
		}
		f.lines = append(f.lines, string(r))
	}
	return failed, err
}

// fakeQuarantine keeps records by sequence number; err makes a write fail.
type fakeQuarantine struct {
	mu   sync.Mutex
	err  func(q activity.Quarantined) error
	kept map[string]activity.Quarantined
	all  map[string]activity.Quarantined // by object key
}

func (f *fakeQuarantine) Write(ctx context.Context, q activity.Quarantined) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		if err := f.err(q); err != nil {
			return err
		}
	}
	f.kept[q.Position.SequenceNumber] = q
	f.all[deadletter.Key(q.Position)] = q
	return ctx.Err()
}

type bundle struct {
	*handler
	store      *recommendtest.Store
	delivery   *fakeDelivery
	quarantine *fakeQuarantine
	log        *bytes.Buffer
	metrics    *bytes.Buffer
}

func setup(t *testing.T) bundle {
	t.Helper()
	b := bundle{store: recommendtest.NewStore(recommendtest.Version("m1")), delivery: &fakeDelivery{},
		quarantine: &fakeQuarantine{kept: map[string]activity.Quarantined{}, all: map[string]activity.Quarantined{}},
		log:        &bytes.Buffer{}, metrics: &bytes.Buffer{}}
	b.handler = &handler{recommender: recommend.New(b.store), state: b.store, counter: b.store, delivery: b.delivery,
		quarantine: b.quarantine, load: func(context.Context) {},
		log: slog.New(slog.NewJSONHandler(b.log, nil)), metrics: b.metrics, name: "kindred-dev-recommend",
		headRoom: time.Second, now: time.Now}
	return b
}

// run handles the batch and returns the index that the response names, or the number of records
// when it names none.
func (b bundle) run(t *testing.T, batch events.KinesisEvent) int {
	t.Helper()
	return b.runWith(t, t.Context(), batch)
}

func (b bundle) runWith(t *testing.T, ctx context.Context, batch events.KinesisEvent) int {
	t.Helper()
	payload, err := json.Marshal(batch)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := b.Invoke(ctx, payload)
	var response events.KinesisEventResponse
	if err == nil {
		err = json.Unmarshal(answer, &response)
	}
	if err != nil {
		t.Fatal(err)
	}
	if response.BatchItemFailures == nil || len(response.BatchItemFailures) > 1 {
		t.Fatalf("response %+v", response)
	}
	for _, f := range response.BatchItemFailures {
		return slices.IndexFunc(batch.Records,
			func(r events.KinesisEventRecord) bool { return r.Kinesis.SequenceNumber == f.ItemIdentifier })
	}
	return len(batch.Records)
}

func TestInvokeRefusesWhatIsNoBatch(t *testing.T) {
	t.Parallel()
	for _, payload := range []string{"", "[]", `{"Records":[{"kinesis":{"data":"no base64!"}}]}`, `{"Records":[`} {
		if answer, err := setup(t).Invoke(t.Context(), []byte(payload)); err == nil {
			t.Errorf("%q: %s", payload, answer)
		}
	}
}

func TestInvokeTakesAPartitionKeyThatIsNoUnicode(t *testing.T) {
	t.Parallel()
	payload, err := json.Marshal(batchOf(1))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`"\ud800"`, "\"\xff\""} {
		b := setup(t)
		strange := bytes.Replace(payload, []byte(`"partitionKey":"s"`), []byte(`"partitionKey":`+key), 1)
		if answer, err := b.Invoke(t.Context(), strange); err != nil || string(answer) != `{"batchItemFailures":[]}` ||
			len(b.delivery.lines) != 1 {
			t.Errorf("partition key %s: %s, %v, delivered %q", key, answer, err, b.delivery.lines)
		}
	}
}

// batchOf makes a batch of n events with ids e0, e1, …; those whose index is listed are broken.
func batchOf(n int, broken ...int) events.KinesisEvent {
	var batch events.KinesisEvent
	for i := range n {
		sequence := fmt.Sprintf("4966%08d", i)
		data := fmt.Appendf(nil, `{"session_id":"s","event_id":"e%d","customer_number":740193265,"city":"Secretville",`+
			`"browse_history":[{"product_code":"L2_03","quantity":"1"}]}`, i)
		if slices.Contains(broken, i) {
			data = data[:len(data)/2]
		}
		batch.Records = append(batch.Records, events.KinesisEventRecord{
			EventID: "shardId-000000000000:" +
				sequence, EventSourceArn: "arn:aws:kinesis:eu-west-1:000000000000:stream/activity",
			Kinesis: events.KinesisRecord{SequenceNumber: sequence, PartitionKey: "s", Data: data,
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: time.Now().Add(-time.Second)}},
		})
	}
	return batch
}

func TestFixture(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("testdata/batch.json")
	if err != nil {
		t.Fatal(err)
	}
	var batch events.KinesisEvent
	if err := json.Unmarshal(raw, &batch); err != nil {
		t.Fatal(err)
	}
	b := setup(t)
	if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines) != 2 {
		t.Fatalf("failed at %d, delivered %q", failed, b.delivery.lines)
	}
	if !strings.HasPrefix(b.delivery.lines[0], `{"session_id":"s-1","event_id":"e-1","customer_number":101,`) ||
		!strings.Contains(b.delivery.lines[0], `"credit_limit":21000.00`) || !strings.Contains(b.delivery.lines[0], `"device":"phone"`) {
		t.Errorf("the event did not stay as it came: %s", b.delivery.lines[0])
	}
	first, err := activity.ParseRecord([]byte(b.delivery.lines[0]))
	if err != nil {
		t.Fatal(err)
	}
	r := first.Recommendation
	arrived := time.Date(2026, 3, 1, 12, 0, 0, 250e6, time.UTC)
	want := activity.Position{Stream: "kindred-activity", Shard: "shardId-000000000001",
		SequenceNumber: batch.Records[0].Kinesis.SequenceNumber, PartitionKey: "s-1", ArrivedAt: arrived}
	if r.ID != activity.RecommendationID("e-1", "") || r.EventID != "e-1" || r.ModelVersion != "m1" ||
		r.Source != activity.SourceSession ||
		r.Position != want || r.LatencyMS <= 0 || len(first.RecommendedItems) != 10 || first.SimilarItems == nil {
		t.Errorf("got %+v", first)
	}
	second, err := activity.ParseRecord([]byte(b.delivery.lines[1]))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(second.Recommendation.EventID, "evt-") ||
		second.Recommendation.Source != activity.SourcePopularity {
		t.Errorf("got %+v", second)
	}
	kept := b.quarantine.kept[batch.Records[2].Kinesis.SequenceNumber]
	if kept.Reason != activity.ReasonKPLAggregated || !bytes.Equal(kept.Data, batch.Records[2].Kinesis.Data) ||
		kept.EventID == "" {
		t.Errorf("quarantined %+v", kept)
	}
}

func TestPoisonAmongHundred(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if failed := b.run(t, batchOf(100, 50)); failed != 100 || len(b.delivery.lines) != 99 || len(b.quarantine.kept) != 1 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
	if b.store.Trips() != 3 || b.delivery.calls != 1 {
		t.Errorf("%d round trips and %d deliveries", b.store.Trips(), b.delivery.calls)
	}
	var metrics map[string]any
	if err := json.Unmarshal(b.metrics.Bytes(), &metrics); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]float64{"events": 100, "recommended": 99, "quarantined": 1, "retried": 0,
		"source_session": 99} {
		if metrics[name] != want {
			t.Errorf("metric %s is %v, want %g", name, metrics[name], want)
		}
	}
	if age := metrics["iterator_age_ms"].(float64); age < 900 || age > 60_000 {
		t.Errorf("iterator age %g ms", age)
	}
	if got := metrics["model_versions"].(map[string]any)["m1"]; got != 99.0 || metrics["model_version"] != "m1" {
		t.Errorf("version m1 answered %v", got)
	}
	directive := metrics["_aws"].(map[string]any)["CloudWatchMetrics"].([]any)[0].(map[string]any)
	for _, m := range directive["Metrics"].([]any) {
		if name := m.(map[string]any)["Name"].(string); metrics[name] == nil {
			t.Errorf("metric %s is named and not given", name)
		}
	}
	if metrics["function"] != "kindred-dev-recommend" {
		t.Errorf("the metrics are those of %v", metrics["function"])
	}
	if diff := gocmp.Diff(mustMetrics(t), directive); diff != "" {
		t.Errorf("terraform/rules takes testdata/metrics.json for what the function writes (-file +written):\n%s", diff)
	}
}

// mustMetrics reads the metrics with which terraform/rules compares the alarms.
func mustMetrics(t *testing.T) (metrics map[string]any) {
	t.Helper()
	data, err := os.ReadFile("testdata/metrics.json")
	if err == nil {
		err = json.Unmarshal(data, &metrics)
	}
	if err != nil {
		t.Fatal(err)
	}
	return metrics
}

// PostgreSQL takes no NUL in a text, for ever: the event must not reach it, where its fault would
// look transient.
func TestNULInAProductCodeHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	batch := batchOf(3)
	batch.Records[1].Kinesis.Data = []byte(`{"session_id":"s","browse_history":[{"product_code":"L2_03\u0000"}]}`)
	if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines) != 2 || len(b.quarantine.kept) != 1 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
}

// A value that the database takes never must not hold up the events beside it, whatever Parse does
// not foresee.
func TestEventThatTheDatabaseRefusesHoldsUpNobody(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Refuse("odd")
	batch := batchOf(100, 50)
	odd := []int{0, 17, 18, 99}
	for _, i := range odd {
		batch.Records[i].Kinesis.Data = fmt.Appendf(nil,
			`{"session_id":"s","event_id":"odd%d","browse_history":[{"product_code":"odd"}]}`, i)
	}
	if failed := b.run(t, batch); failed != 100 || len(b.delivery.lines) != 95 || len(b.quarantine.kept) != 5 ||
		b.delivery.calls != 1 {
		t.Errorf("failed at %d, %d delivered in %d calls, %d quarantined", failed, len(b.delivery.lines), b.delivery.calls,
			len(b.quarantine.kept))
	}
	for _, i := range odd {
		r := batch.Records[i].Kinesis
		if q := b.quarantine.kept[r.SequenceNumber]; q.Reason != activity.ReasonRefused ||
			q.EventID != fmt.Sprintf("odd%d", i) ||
			!bytes.Equal(q.Data, r.Data) || !strings.Contains(q.Message, "22021") || strings.Contains(q.Message, "odd") {
			t.Errorf("record %d: quarantined %+v", i, q)
		}
	}
	next, stop := iter.Pull(slices.Values(b.delivery.lines))
	defer stop()
	for i := range 100 {
		if i == 50 || slices.Contains(odd, i) {
			continue
		}
		if line, _ := next(); !strings.Contains(line, fmt.Sprintf(`"event_id":"e%d",`, i)) {
			t.Fatalf("event %d is not the next of %s", i, line)
		}
	}
}

// While the culprit is looked for the database goes down: nothing is quarantined, because nothing is known.
func TestDatabaseDownWhileAnEventIsRefusedQuarantinesNothing(t *testing.T) {
	t.Parallel()
	for trips := 1; trips <= 15; trips++ {
		b := setup(t)
		b.store.Refuse("odd")
		batch := batchOf(4)
		batch.Records[1].Kinesis.Data = []byte(`{"session_id":"s","browse_history":[{"product_code":"odd"}]}`)
		b.store.Fail(func(context.Context) error {
			if b.store.Trips() >= trips {
				return errors.New("connection refused")
			}
			return nil
		})
		failed := b.run(t, batch)
		if healthy := b.store.Trips() < trips; healthy != (failed == 4) || healthy != (len(b.quarantine.kept) == 1) {
			t.Errorf("down from round trip %d: failed at %d, %d delivered, %d quarantined", trips, failed, len(b.delivery.lines),
				len(b.quarantine.kept))
		}
		if failed != 4 && (failed > 0 || len(b.delivery.lines) > 0) {
			t.Errorf("down from round trip %d: failed at %d, %d delivered", trips, failed, len(b.delivery.lines))
		}
	}
}

func TestDatabaseDownQuarantinesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Fail(func(context.Context) error { return errors.New("connection refused") })
	if failed := b.run(t, batchOf(100, 50)); failed != 0 || len(b.delivery.lines)+len(b.quarantine.kept) != 0 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
	b.store.Fail(nil) // and back
	if failed := b.run(t, batchOf(100, 50)); failed != 100 || len(b.delivery.lines) != 99 || len(b.quarantine.kept) != 1 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
}

func TestPoisonBeforeATransientFaultDoesNotComeAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Fail(func(context.Context) error { return errors.New("connection refused") })
	if failed := b.run(t, batchOf(5, 0, 1, 4)); failed != 2 || len(b.quarantine.kept) != 2 {
		t.Errorf("failed at %d, %d quarantined", failed, len(b.quarantine.kept))
	}
	if failed := b.run(t, batchOf(2, 0, 1)); failed != 2 { // nothing sound: the database is not asked
		t.Errorf("failed at %d", failed)
	}
}

func TestFirehoseRefusesSome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.delivery.refuse = func(line string) bool {
		return strings.Contains(line, `"event_id":"e7",`) || strings.Contains(line, `"event_id":"e9",`)
	}
	if failed := b.run(t, batchOf(12, 3, 8)); failed != 7 || len(b.delivery.lines) != 8 || len(b.quarantine.kept) != 1 {
		t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
	}
	if !strings.Contains(b.log.String(), "ServiceUnavailableException") || !strings.Contains(b.log.String(),
		`"retried":5`) {
		t.Errorf("log: %s", b.log)
	}
}

func TestChunksBeforeARefusalAreDone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.delivery.refuse = func(line string) bool { return strings.Contains(line, `"event_id":"e700",`) }
	if failed := b.run(t, batchOf(1200, 10)); failed != 700 || b.delivery.calls != 2 || len(b.quarantine.kept) != 1 {
		t.Errorf("failed at %d after %d deliveries, %d quarantined", failed, b.delivery.calls, len(b.quarantine.kept))
	}
}

func TestQuarantineDownIsTransient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.quarantine.err = func(q activity.Quarantined) error {
		if strings.HasSuffix(q.Position.SequenceNumber, "20") {
			return errors.New("bucket is down")
		}
		return nil
	}
	if failed := b.run(t, batchOf(40, 10, 20, 30)); failed != 20 {
		t.Errorf("failed at %d", failed)
	}
	b.quarantine.err = nil
	if failed := b.run(t, batchOf(40, 10, 20, 30)); failed != 40 || len(b.quarantine.kept) != 3 {
		t.Errorf("failed at %d, %d quarantined", failed, len(b.quarantine.kept))
	}
}

func TestRetryWritesTheSameIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	batch := batchOf(3)
	b.run(t, batch)
	b.run(t, batch)
	for i := range 3 {
		first, err := activity.ParseRecord([]byte(b.delivery.lines[i]))
		if err != nil {
			t.Fatal(err)
		}
		again, err := activity.ParseRecord([]byte(b.delivery.lines[i+3]))
		if err != nil {
			t.Fatal(err)
		}
		if first.Recommendation.ID != again.Recommendation.ID || first.Recommendation.ID == "" {
			t.Errorf("event %d: %s, then %s", i, first.Recommendation.ID, again.Recommendation.ID)
		}
	}
}

func TestWorkEndsBeforeTheDeadline(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]time.Duration{"no time left": 500 * time.Millisecond,
		"database hangs": 1100 * time.Millisecond} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.store.Fail(func(ctx context.Context) error {
				<-ctx.Done() // answers never
				return ctx.Err()
			})
			ctx, cancel := context.WithTimeout(t.Context(), left)
			defer cancel()
			failed := b.runWith(t, ctx, batchOf(100, 50))
			if ctx.Err() != nil {
				t.Error("the head room was used up")
			}
			if failed != 0 || len(b.delivery.lines)+len(b.quarantine.kept) != 0 {
				t.Errorf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.kept))
			}
		})
	}
}

// The largest event with the largest answer must fit into a record of Firehose: else the event
// would come again for ever.
func TestTheLargestEventCanBeDelivered(t *testing.T) {
	t.Parallel()
	long := func(bytes int) string { return strings.Repeat("\x01", bytes) } // six bytes each in JSON
	head := fmt.Sprintf(`{"session_id":"s","event_id":%q,"browse_history":[],"x":"`, long(activity.MaxID))
	data := []byte(strings.ReplaceAll(head, `\x01`, `\u0001`))
	data = append(append(data, bytes.Repeat([]byte("x"), activity.MaxEventBytes-len(data)-2)...), `"}`...)
	event, err := activity.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	code := long(text.MaxID)
	answer := recommend.Answer{Similar: &activity.SimilarItems{ProductCode: code}, Source: activity.SourcePopularity,
		ModelVersion: long(40)}
	for range 10 {
		answer.Items = append(answer.Items, activity.RecommendedItem{ID: code, Score: -1.2345678e-20, Because: code})
	}
	for range 5 {
		answer.Similar.SimilarItems = append(answer.Similar.SimilarItems,
			activity.SimilarItem{ID: code, Distance: -1.2345678e-20})
	}
	at := time.Date(2026, 3, 1, 12, 0, 0, 123456789, time.UTC)
	position := activity.Position{Stream: long(128), Shard: "shardId-000000000000",
		SequenceNumber: strings.Repeat("9", 128),
		PartitionKey:   long(activity.MaxID), ArrivedAt: at}
	line, err := answer.Record(data, event, position, at.Add(time.Hour)).AppendLine(nil)
	if err != nil || len(line) > delivery.MaxRecordBytes {
		t.Errorf("%d bytes, Firehose takes %d: %v", len(line), delivery.MaxRecordBytes, err)
	}
}

func TestEmptyBatch(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if failed := b.run(t, events.KinesisEvent{}); failed != 0 || b.store.Trips() != 0 {
		t.Errorf("failed at %d after %d round trips", failed, b.store.Trips())
	}
}

// FuzzHandle holds that whatever bytes come between two sound events, both are delivered, and the
// bytes end in exactly one place: in quarantine as they came, or in a line but for white space.
// Its seeds are in testdata/fuzz/FuzzHandle, where integration reads them too.
func FuzzHandle(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		b := setup(t)
		batch := batchOf(3)
		batch.Records[1].Kinesis.Data = data
		items := activity.Read(nil, position(batch.Records[1]), data)
		if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines)+len(b.quarantine.all) != 2+len(items) {
			t.Fatalf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.all))
		}
		lines := b.delivery.lines[1:]
		for _, item := range items {
			if item.Fault != nil {
				kept := b.quarantine.all[deadletter.Key(item.Position)]
				if !bytes.Equal(kept.Data, item.Data) || kept.Reason != item.Fault.Reason {
					t.Errorf("quarantined %+v", kept)
				}
				continue
			}
			var compact bytes.Buffer
			if err := json.Compact(&compact, item.Data); err != nil {
				t.Fatal(err)
			}
			line, err := activity.ParseRecord([]byte(lines[0]))
			if err != nil || !bytes.Equal(line.Event, compact.Bytes()) {
				t.Errorf("%q was delivered as %s, %v", item.Data, lines[0], err)
			}
			lines = lines[1:]
		}
	})
}

func TestLogsHoldNoCustomerField(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.delivery.refuse = func(line string) bool { return strings.Contains(line, `"event_id":"e2",`) }
	b.run(t, batchOf(4, 1))
	for _, secret := range []string{"Secretville", "740193265", "L2_03", "customer_number"} {
		if out := b.log.String() + b.metrics.String(); strings.Contains(out, secret) {
			t.Errorf("%q in %s", secret, out)
		}
	}
}

// A batch costs one line of each, however many records it has.
func TestReportAllocatesNothingPerRecord(t *testing.T) {
	b := setup(t)
	b.handler.log = slog.New(slog.NewJSONHandler(io.Discard, nil))
	b.handler.metrics = io.Discard
	measure := func(n int) float64 {
		batch := batchOf(n)
		return testing.AllocsPerRun(100, func() {
			sum := summary{events: n}
			for range n {
				sum.delivered(recommend.Answer{Source: activity.SourceSession, ModelVersion: "m1"})
			}
			b.report(t.Context(), batch, &sum, time.Now(), nil)
		})
	}
	if few, many := measure(10), measure(500); few != many {
		t.Errorf("%g allocations for 10 records, %g for 500", few, many)
	}
}

func TestPanicIsNotSwallowed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.store.Fail(func(context.Context) error { panic("bug") })
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	b.run(t, batchOf(1))
}

func TestPositionOfAConsumer(t *testing.T) {
	t.Parallel()
	p := position(events.KinesisEventRecord{EventID: "shardId-000000000007:49",
		EventSourceArn: "arn:aws:kinesis:eu-west-1:000000000000:stream/activity/consumer/fast:1457"})
	if p.Stream != "activity" || p.Shard != "shardId-000000000007" {
		t.Errorf("got %+v", p)
	}
}

// TestItLoadsAfterTheAnswers keeps what makes later answers faster out of the way of this one.
func TestItLoadsAfterTheAnswers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	delivered := []int{} // at each load
	b.load = func(context.Context) { delivered = append(delivered, len(b.delivery.lines)) }
	b.run(t, batchOf(3))
	b.delivery.refuse = func(string) bool { return true }
	b.run(t, batchOf(3))
	if !slices.Equal(delivered, []int{3}) {
		t.Errorf("it loaded when so many were delivered: %v", delivered)
	}
}
