package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"testing"
	"time"

	"kindred/internal/job/verify"
	"kindred/internal/lake/objectstore"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// shardName is the only shard of a memoryStream.
const shardName = "shardId-000000000000"

// memoryStream is an activity stream of one shard in memory: package audit reads it, and drain
// hands it to a function.
type memoryStream struct {
	name    string
	records []memoryRecord
}

type memoryRecord struct {
	position activity.Position
	data     []byte
}

func newMemoryStream(clicks []click) *memoryStream {
	s := &memoryStream{name: "activity-" + randomName()}
	for _, c := range clicks {
		s.records = append(s.records, memoryRecord{data: c.data, position: activity.Position{Stream: s.name, Shard: shardName,
			SequenceNumber: fmt.Sprintf("4966%08d",
				len(s.records)), PartitionKey: c.key, ArrivedAt: time.Now().UTC().Truncate(time.Millisecond)}})
	}
	return s
}

func (s *memoryStream) Retention(context.Context) (time.Duration, error) { return 24 * time.Hour, nil }
func (s *memoryStream) Shards(context.Context) ([]string, error)         { return []string{shardName}, nil }

func (s *memoryStream) Read(_ context.Context, _, after string, visit func(activity.Position, []byte) error) error {
	return s.visit(func(p activity.Position) bool { return p.SequenceNumber > after }, visit)
}

func (s *memoryStream) ReadSince(_ context.Context, _ string, since time.Time,
	visit func(activity.Position, []byte) error) error {
	return s.visit(func(p activity.Position) bool { return !p.ArrivedAt.Before(since) }, visit)
}

func (s *memoryStream) visit(wanted func(activity.Position) bool, visit func(activity.Position, []byte) error) error {
	for _, r := range s.records {
		if wanted(r.position) {
			if err := visit(r.position, r.data); err != nil {
				return err
			}
		}
	}
	return nil
}

// batch is what Lambda makes of the records from the one at first, at most n.
func (s *memoryStream) batch(first, n int) (batch events.KinesisEvent) {
	for _, r := range s.records[first:min(first+n, len(s.records))] {
		batch.Records = append(batch.Records, events.KinesisEventRecord{
			EventID:        r.position.Shard + ":" + r.position.SequenceNumber,
			EventSourceArn: "arn:aws:kinesis:eu-west-1:000000000000:stream/" + s.name,
			Kinesis: events.KinesisRecord{SequenceNumber: r.position.SequenceNumber, PartitionKey: r.position.PartitionKey,
				Data:                        r.data,
				ApproximateArrivalTimestamp: events.SecondsEpochTime{Time: r.position.ArrivedAt}},
		})
	}
	return batch
}

// part is the stream with its records from the one at first to the one before end.
func (s *memoryStream) part(first, end int) *memoryStream {
	return &memoryStream{name: s.name, records: s.records[first:end]}
}

// drain hands the stream to the function as Lambda's event source mapping does, n records at a
// time: after a response that names a record it goes on with that one, after an error with the same
// batch. It returns how many batches were not done at once.
func (s *memoryStream) drain(ctx context.Context, f *function, n int) (incomplete int, err error) {
	for next := 0; next < len(s.records); {
		batch := s.batch(next, n)
		failures, err := f.invoke(batch)
		if ctx.Err() != nil {
			return incomplete, fmt.Errorf("%d of %d records are done, the last answer was %v, %w", next, len(s.records),
				failures, err)
		}
		if err != nil || len(failures) > 0 {
			incomplete++
		}
		switch {
		case err != nil:
		case len(failures) == 0:
			next += len(batch.Records)
		default:
			at := slices.IndexFunc(batch.Records, func(r events.KinesisEventRecord) bool {
				return r.Kinesis.SequenceNumber == failures[0].ItemIdentifier
			})
			if at < 0 || len(failures) > 1 {
				return incomplete, fmt.Errorf("the function names %v", failures)
			}
			next += at
		}
	}
	return incomplete, nil
}

// drainTime bounds a drain on a busy machine.
const drainTime = 5 * time.Minute

// mustDrain is drain for a function that ends within drainTime.
func (s *memoryStream) mustDrain(t *testing.T, f *function, n int) (incomplete int) {
	t.Helper()
	ctx, stop := context.WithTimeout(t.Context(), drainTime)
	defer stop()
	incomplete, err := s.drain(ctx, f, n)
	if err != nil {
		t.Fatal(err)
	}
	return incomplete
}

// mustAudit reconciles the stream with what lies in store.
func (s *memoryStream) mustAudit(t *testing.T, store *objectstore.S3) verify.Report {
	t.Helper()
	report, err := verify.New(s, store).Run(t.Context(), verify.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// click is a record on its way to the stream.
type click struct {
	key  string
	data []byte
}

// clicksOf makes n events of sessions that grow by one product each time, in the order in which
// they happen. Their ids tell the seed. The products are those of recommendtest.Version, and some
// that nobody knows.
func clicksOf(seed uint64, n int) []click {
	rng := rand.New(rand.NewPCG(seed, 1))
	sessions := make([]activity.Event, 1+n/10)
	for i := range sessions {
		sessions[i] = activity.Event{SessionID: fmt.Sprintf("session-%d-%d", seed, i), Country: "France"}
		if number := 100 + rng.IntN(5); number > 100 {
			sessions[i].CustomerID = new(activity.ID(strconv.Itoa(number)))
		}
	}
	clicks := make([]click, n)
	for i := range clicks {
		e := &sessions[rng.IntN(len(sessions))]
		e.EventID = fmt.Sprintf("click-%d-%d", seed, i)
		b := activity.Browse{ProductCode: activity.ID(fmt.Sprintf("L%d_%02d", rng.IntN(5), rng.IntN(20))), Quantity: 1,
			InShoppingCart: rng.IntN(4) == 0}
		b.Purchased = b.InShoppingCart && i%2 == 0
		e.BrowseHistory = append(e.BrowseHistory, b)
		data, err := json.Marshal(e)
		if err != nil {
			panic(err) // an event is always JSON
		}
		clicks[i] = click{e.SessionID, data}
	}
	return clicks
}

// withProducts puts n events among the clicks that say something of products.
func withProducts(seed uint64, clicks []click, n int) []click {
	rng := rand.New(rand.NewPCG(seed, 4))
	for i := range n {
		code := fmt.Sprintf("L%d_%02d", rng.IntN(5), rng.IntN(3))
		at := rng.IntN(len(clicks) + 1)
		clicks = slices.Insert(clicks, at, click{code, fmt.Appendf(nil,
			`{"type":"product","event_id":"product-%d-%d","product_code":%q,"stock":%d,"hidden":%t,"name":"Name %d"}`, seed, i, code,
			rng.IntN(3), rng.IntN(4) == 0, i)})
	}
	return clicks
}

// withVisitors puts n events among the clicks that say something of customers and sessions.
func withVisitors(seed uint64, clicks []click, n int) []click {
	rng := rand.New(rand.NewPCG(seed, 5))
	for i := range n {
		customer, session := fmt.Sprint(101+rng.IntN(4)), fmt.Sprintf("visit-%d-%d", seed, rng.IntN(4))
		code := fmt.Sprintf("L%d_%02d", rng.IntN(5), rng.IntN(20))
		key, fields := customer, fmt.Sprintf(`"type":"customer","customer_number":%s,`, customer)
		switch rng.IntN(8) {
		case 0:
			fields += `"forget":true`
		case 1:
			fields += fmt.Sprintf(`"hide":[%q],"city":"Lyon"`, code)
		case 2:
			fields += fmt.Sprintf(`"show":[%q],"country":null`, code)
		case 3:
			fields = fmt.Sprintf(`"type":"interaction","kind":"purchase","customer_number":%s,"product_code":%q`, customer, code)
		case 4:
			key, fields = session, fmt.Sprintf(`"type":"interaction","kind":"remove","session_id":%q,"product_code":%q`, session,
				code)
		default:
			key, fields = session, fmt.Sprintf(`"session_id":%q,"continues_session":true,"browse_history":[{"product_code":%q}]`,
				session, code)
			if rng.IntN(3) == 0 {
				fields += `,"customer_number":` + customer
			}
		}
		clicks = slices.Insert(clicks, rng.IntN(len(clicks)+1),
			click{key, fmt.Appendf(nil, `{"event_id":"visitor-%d-%d",%s}`, seed, i, fields)})
	}
	return clicks
}

// withPoison puts n records that no retry would mend among the clicks, in their sessions.
func withPoison(seed uint64, clicks []click, n int) []click {
	rng := rand.New(rand.NewPCG(seed, 2))
	for i := range n {
		at := rng.IntN(len(clicks))
		poison := clicks[at]
		switch i % 5 {
		case 0:
			poison.data = poison.data[:len(poison.data)/2]
		case 1:
			poison.data = []byte("\xF3\x89\x9A\xC2 packed by the Kinesis Producer Library")
		case 2:
			poison.data = []byte(`{"session_id":"s"}`)
		case 3:
			poison.data = []byte("{\"session_id\":\"\xff\",\"browse_history\":[]}")
		case 4:
			poison.data = make([]byte, activity.MaxEventBytes+1)
		}
		clicks = slices.Insert(clicks, at, poison)
	}
	return clicks
}
