package replay

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kindred/internal/lab/simulation"
	"kindred/internal/lab/visitor"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/program"
	"kindred/internal/platform/retry"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/shardwriter"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
	"github.com/google/go-cmp/cmp"
)

// stream is a Kinesis in memory that refuses what refuse says.
type stream struct {
	refuse func(call, entry int) bool
	calls  int
	taken  []types.PutRecordsRequestEntry
	sizes  []int // records of each call
	err    error
}

type option = func(*kinesis.Options)

func (s *stream) PutRecords(_ context.Context, in *kinesis.PutRecordsInput,
	_ ...option) (*kinesis.PutRecordsOutput, error) {
	if s.err != nil {
		return nil, s.err
	}
	s.calls++
	s.sizes = append(s.sizes, len(in.Records))
	out := &kinesis.PutRecordsOutput{FailedRecordCount: aws.Int32(0)}
	keys := map[string]bool{}
	for i, r := range in.Records {
		if keys[*r.PartitionKey] {
			return nil, fmt.Errorf("call %d has key %s twice", s.calls, *r.PartitionKey)
		}
		keys[*r.PartitionKey] = true
		if s.refuse != nil && s.refuse(s.calls, i) {
			*out.FailedRecordCount++
			out.Records = append(out.Records,
				types.PutRecordsResultEntry{ErrorCode: aws.String("ProvisionedThroughputExceededException")})
			continue
		}
		s.taken = append(s.taken, r)
		out.Records = append(out.Records, types.PutRecordsResultEntry{SequenceNumber: aws.String(fmt.Sprint(len(s.taken)))})
	}
	return out, nil
}

// clicker is a crowd of sessions with three clicks each, interleaved.
type clicker struct {
	sessions int
	n        int
}

func (c *clicker) Totals() visitor.Totals { return visitor.Totals{Sessions: min(c.n, c.sessions)} }

func (c *clicker) Show(string, []string) bool { return false }

func (c *clicker) Next(time.Time) (visitor.Click, bool, error) {
	id, session := fmt.Sprintf("e%05d", c.n), fmt.Sprintf("s%d", c.n%c.sessions)
	c.n++
	const shape = `{"event_id":%q,"session_id":%q,"browse_history":[{"product_code":"A","quantity":1,"in_shopping_cart":true}]}`
	data := fmt.Appendf(nil, shape, id, session)
	return visitor.Click{EventID: id, SessionID: session, Data: data}, true, nil
}

// clock counts pauses instead of waiting for them: time passes by pausing only.
type clock struct {
	now    time.Time
	pauses []time.Duration
}

func (c *clock) pause(ctx context.Context, d time.Duration) error {
	c.now = c.now.Add(d)
	c.pauses = append(c.pauses, d)
	return ctx.Err()
}

func mustRun(t *testing.T, plan Plan, s *stream, sessions int) (Result, *clock) {
	t.Helper()
	c := &clock{now: time.Unix(1_800_000_000, 0)}
	p := newPlayer(plan, &clicker{sessions: sessions}, shardwriter.New(s, "clicks", c.pause), func(int) {})
	p.now, p.pause = func() time.Time { return c.now }, c.pause
	r, err := p.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r, c
}

// checkOrder verifies that every event is there once and that each session's came in order, and
// counts events and poison.
func checkOrder(t *testing.T, s *stream) (events, bad int) {
	t.Helper()
	last, seen := map[string]string{}, map[string]bool{}
	for _, r := range s.taken {
		if strings.HasPrefix(*r.PartitionKey, "poison-") {
			bad++
			continue
		}
		var e struct {
			EventID   string `json:"event_id"`
			SessionID string `json:"session_id"`
		}
		if err := json.Unmarshal(r.Data, &e); err != nil {
			t.Fatalf("event %s: %v", r.Data, err)
		}
		if e.SessionID != *r.PartitionKey || seen[e.EventID] || e.EventID <= last[e.SessionID] {
			t.Fatalf("event %s of %s came after %s, or twice, or under key %s", e.EventID, e.SessionID, last[e.SessionID],
				*r.PartitionKey)
		}
		seen[e.EventID], last[e.SessionID] = true, e.EventID
		events++
	}
	return events, bad
}

func TestEveryRecordArrivesOnceAndInOrderHoweverManyAreRefused(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := &stream{refuse: func(int, int) bool { return r.IntN(3) == 0 }}
		result, _ := mustRun(t, Plan{Events: 1200, Poison: 30, Seed: seed, Run: "x"}, s, 90)
		events, bad := checkOrder(t, s)
		if events != 1200 || bad != 30 || result.EventsSent != 1200 || result.PoisonSent != 30 || result.PutRetries == 0 {
			t.Fatalf("seed %d: stream has %d events and %d bad records, result %+v", seed, events, bad, result)
		}
	}
}

func TestRateIsKept(t *testing.T) {
	t.Parallel()
	s := &stream{}
	r, c := mustRun(t, Plan{Events: 1000, Poison: 10, Rate: 200, Seed: 1}, s, 50)
	if r.Seconds < 4.5 || r.Seconds > 5.5 || len(c.pauses) < 80 {
		t.Errorf("1,000 events at 200/s took %.2f s and %d pauses", r.Seconds, len(c.pauses))
	}
	if events, bad := checkOrder(t, s); events != 1000 || bad != 10 {
		t.Errorf("%d events, %d bad records", events, bad)
	}
}

func TestMissingStreamAndCancellation(t *testing.T) {
	t.Parallel()
	absent := &stream{err: &types.ResourceNotFoundException{}}
	p := newPlayer(Plan{Events: 10}, &clicker{sessions: 3}, shardwriter.New(absent, "clicks", (&clock{}).pause),
		func(int) {})
	if _, err := p.run(t.Context()); !errors.Is(err, shardwriter.ErrNoStream) {
		t.Errorf("missing stream: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	p = newPlayer(Plan{Events: 1000, Rate: 1}, &clicker{sessions: 3}, shardwriter.New(&stream{}, "clicks", nil),
		func(int) {})
	p.pause = func(ctx context.Context, _ time.Duration) error {
		cancel()
		return ctx.Err()
	}
	if _, err := p.run(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestPoisonIsPoison(t *testing.T) {
	t.Parallel()
	click, _, _ := (&clicker{sessions: 1}).Next(time.Time{})
	for n, kind := range poisonKinds {
		data := poison(n, click.Data)
		var e struct {
			SessionID     string `json:"session_id"`
			CustomerID    *int32 `json:"customer_number"`
			BrowseHistory []any  `json:"browse_history"`
		}
		if err := json.Unmarshal(data, &e); err == nil && utf8.Valid(data) && e.SessionID != "" {
			t.Errorf("%s is a good event: %s", kind.name, data)
		}
	}
}

// answering is a stream whose records are recommended for at once, in a folder.
type answering struct {
	stream
	t      *testing.T
	folder *objectstore.Folder
}

func (a *answering) PutRecords(ctx context.Context, in *kinesis.PutRecordsInput,
	options ...option) (*kinesis.PutRecordsOutput, error) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	for _, r := range in.Records {
		e, err := activity.Parse(r.Data)
		if err != nil {
			continue
		}
		answer := recommend.Answer{Items: []activity.RecommendedItem{{ID: "S1"}, {ID: "S2"}}}
		line, err := answer.Record(r.Data, e, activity.Position{}, time.Now()).AppendLine(nil)
		if err != nil {
			a.t.Error(err)
		}
		z.Write(line)
	}
	z.Close()
	key := fmt.Sprintf("%s%d.gz", envconfig.RecommendationPrefix, a.calls)
	if _, err := a.folder.Put(ctx, key, bytes.NewReader(packed.Bytes()), int64(packed.Len()),
		objectstore.Condition{}); err != nil {
		a.t.Error(err)
	}
	return a.stream.PutRecords(ctx, in, options...)
}

func TestVisitorsReactToWhatIsDelivered(t *testing.T) {
	t.Parallel()
	planted, err := simulation.New(simulation.DefaultConfig(0.02))
	if err != nil {
		t.Fatal(err)
	}
	crowd, err := visitor.New(visitor.Config{Seed: 1, Active: 20, Patience: time.Hour}, planted.Products(),
		visitor.NewPlanted(planted))
	if err != nil {
		t.Fatal(err)
	}
	folder := objectstore.NewFolder(t.TempDir())
	s := &answering{t: t, folder: folder}
	var saved bytes.Buffer
	p := newPlayer(Plan{Events: 200, Save: &saved}, crowd, shardwriter.New(s, "clicks", retry.Sleep), func(int) {})
	answers := make(chan answer, fullQueue)
	p.answers = answers
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go watch(ctx, folder, time.Now(), answers)
	r, err := p.run(ctx)
	if err != nil {
		t.Fatal(err)
	}
	// Every visitor waits for an hour: all but the first page of 20 sessions follow an answer.
	if r.EventsSent != 200 || r.Shown < 180-20 || r.Sessions < 30 {
		t.Errorf("result %+v", r)
	}
	name := filepath.Join(t.TempDir(), "saved")
	if err := os.WriteFile(name, saved.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	again := &stream{}
	recording := newRecorded([]string{name}, nil)
	defer recording.stop()
	p = newPlayer(Plan{Events: math.MaxInt}, recording, shardwriter.New(again, "clicks", retry.Sleep), func(int) {})
	if r, err := p.run(t.Context()); err != nil || r.EventsSent != 200 {
		t.Fatalf("recorded events: %+v, %v", r, err)
	}
	sent := func(taken []types.PutRecordsRequestEntry) (bySession map[string][]string) {
		bySession = map[string][]string{}
		for _, r := range taken {
			bySession[*r.PartitionKey] = append(bySession[*r.PartitionKey], string(r.Data))
		}
		return bySession
	}
	if diff := cmp.Diff(sent(s.taken), sent(again.taken)); diff != "" {
		t.Errorf("the recording (-sent +recorded):\n%s", diff)
	}
}

func TestRecordedFilesAreSentAsTheyAre(t *testing.T) {
	t.Parallel()
	const event = `{"session_id":"a","browse_history":[]}`
	record, err := activity.Record{Event: []byte(event)}.AppendLine(nil)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(t.TempDir(), "clicks")
	if err := os.WriteFile(name, []byte(event+"\nno JSON\n"+string(record)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &stream{}
	recording := newRecorded([]string{name, name + "-missing"}, nil)
	defer recording.stop()
	p := newPlayer(Plan{Events: math.MaxInt}, recording, shardwriter.New(s, "clicks", retry.Sleep), func(int) {})
	if _, err := p.run(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
	for len(s.taken) < 3 && p.sender.Pending() > 0 {
		if _, err := p.sender.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, r := range s.taken {
		got = append(got, *r.PartitionKey+" "+string(r.Data))
	}
	slices.Sort(got)
	if want := []string{"a " + event, "a " + event, "line-2 no JSON"}; !slices.Equal(got, want) {
		t.Errorf("sent %q", got)
	}
}

// An infinite rate times no time is no number: the replay would wait for ever.
func TestCheckRefusesARateThatIsNoRate(t *testing.T) {
	t.Parallel()
	for _, rate := range []float64{-1, math.Inf(1), math.NaN(), 1e300} {
		c := RunCommand{Events: 1, Rate: rate, Stream: envconfig.Stream{Name: "clicks"}}
		if err := c.check(); !errors.Is(err, program.ErrConfig) {
			t.Errorf("rate %g: error %v", rate, err)
		}
	}
}

func TestCheckReportsEveryProblem(t *testing.T) {
	t.Parallel()
	err := (&RunCommand{Events: -1, Rate: -1, React: true, Shop: "a shop"}).check()
	if !errors.Is(err, program.ErrConfig) {
		t.Fatalf("error %v", err)
	}
	for _, want := range []string{"ACTIVITY_STREAM", "--events", "--rate", "--react", "--shop"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q lacks %q", err, want)
		}
	}
}

// An event that only says something goes to the shard of what it is about, and is no session.
func TestARecordedEventWithoutASessionHasItsOwnKey(t *testing.T) {
	t.Parallel()
	for event, want := range map[string]string{`{"type":"product","product_code":"p7","stock":0}`: "p7",
		`{"type":"interaction","kind":"view","product_code":"p","customer_number":"c8"}`: "c8",
		`{"type":"customer","customer_number":"c7","forget":true}`:                       "c7"} {
		name := filepath.Join(t.TempDir(), "events")
		if err := os.WriteFile(name, []byte(event+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		recording := newRecorded([]string{name}, nil)
		click, more, err := recording.Next(time.Now())
		if err != nil || !more || click.SessionID != want || recording.Totals().Sessions != 0 {
			t.Errorf("%+v, %t, %+v, %v", click, more, recording.Totals(), err)
		}
		recording.stop()
	}
}

// A file without one event is refused before anything is sent; what holds several events counts so.
func TestRecordedFilesAreCountedByTheirEvents(t *testing.T) {
	t.Parallel()
	write := func(data string) string {
		name := filepath.Join(t.TempDir(), "clicks")
		if err := os.WriteFile(name, []byte(data), 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	click := func(session string) string { return `{"session_id":"` + session + `","browse_history":[]}` }
	for name, data := range map[string]string{"empty": "", "blank": "\n\n",
		"CSV":        "timestamp,visitorid\n1433221332117,257597\n",
		"other JSON": `{"user":1}`, "a byte order mark": "\xEF\xBB\xBF"} {
		err := checkFiles([]string{write(data)})
		if !errors.Is(err, ErrNoEvents) {
			t.Errorf("%s: %v", name, err)
		}
		command := FileCommand{Stream: envconfig.Stream{Name: "clicks"}, Files: []string{write(data)}}
		if err := command.Run(t.Context(), &program.Output{}); !errors.Is(err, ErrNoEvents) ||
			!errors.Is(err, program.ErrConfig) {
			t.Errorf("%s: replay file: %v", name, err)
		}
	}
	if err := checkFiles([]string{write("timestamp\n"), write(click("a"))}); err != nil {
		t.Errorf("one of two files holds an event: %v", err)
	}
	recording := newRecorded([]string{write("\xEF\xBB\xBF" + click("a") + "\n" + click("b") +
		"\r\n{\"session_id\"\n[1,2]\n[" +
		click("a") + "," + click("c") + "]")}, nil)
	defer recording.stop()
	s := &stream{}
	p := newPlayer(Plan{Events: math.MaxInt}, recording, shardwriter.New(s, "clicks", retry.Sleep), func(int) {})
	if _, err := p.run(t.Context()); err != nil || recording.events != 4 || recording.noEvents != 2 ||
		recording.Totals().Sessions != 3 || len(s.taken) != 5 {
		t.Errorf("%d events, %d lines without, %d sessions, %d records, %v", recording.events, recording.noEvents,
			recording.Totals().Sessions, len(s.taken), err)
	}
}
