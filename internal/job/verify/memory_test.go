package verify

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"kindred/internal/lake/objectstore"
	"kindred/internal/stream/activity"
)

// The size of the generated history, which a process of its own audits: `-events 10000000` is the acceptance.
var manyEvents = flag.Int("events", 40_000, "events of TestMemoryIsBounded")

const (
	eventsVariable  = "KINDRED_AUDIT_EVENTS" // tells the process how many
	eventsPerObject = 1000
	manyShards      = 4
	manySessions    = 5000
	mostMemory      = 160 << 20 // bytes, resident, whatever the number of events
)

// generated is a history of n events, made while it is read: nothing of it is held. In each object
// one event is in quarantine; in all of it one is lost, one answered twice and one answered before
// an earlier one of its session.
type generated struct {
	n     int
	began time.Time
}

func (g generated) lost() int  { return g.n / 2 }
func (g generated) twice() int { return g.n/2 + 1 }
func (g generated) early() int { return g.n - 3 }

func (g generated) bad(i int) bool { return i%eventsPerObject == 7 }

func (g generated) position(i int) activity.Position {
	return activity.Position{
		Stream: "activity", Shard: "shard-" + strconv.Itoa(i%manyShards), SequenceNumber: fmt.Sprintf("4966%050d", i),
		PartitionKey: "session-" +
			strconv.Itoa(i%manySessions), ArrivedAt: g.began.Add(time.Duration(float64(i) / float64(g.n) * float64(time.Hour))),
	}
}

func (g generated) event(i int) []byte {
	if g.bad(i) {
		return []byte("poison")
	}
	return fmt.Appendf(nil, `{"event_id":"event-%d","session_id":"session-%d","customer_number":103,"country":"France","browse_history":[`+
		`{"product_code":"S18_1749","quantity":"3","in_shopping_cart":true},{"product_code":"S24_2022","quantity":1,"in_shopping_cart":false}]}`, i, i%manySessions)
}

func (g generated) Retention(context.Context) (time.Duration, error) { return 24 * time.Hour, nil }

func (g generated) Shards(context.Context) (shards []string, err error) {
	for s := range manyShards {
		shards = append(shards, "shard-"+strconv.Itoa(s))
	}
	return shards, nil
}

func (g generated) Read(_ context.Context, shard, after string, visit func(activity.Position, []byte) error) error {
	first, err := strconv.Atoi(shard[len("shard-"):])
	if after != "" {
		first, err = strconv.Atoi(after[len("4966"):])
		first += manyShards
	}
	for i := first; err == nil && i < g.n; i += manyShards {
		err = visit(g.position(i), g.event(i))
	}
	return err
}

func (g generated) ReadSince(ctx context.Context, shard string, _ time.Time,
	visit func(activity.Position, []byte) error) error {
	return g.Read(ctx, shard, "", visit)
}

func (g generated) List(_ context.Context, prefix string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		for k := 0; k < g.n && prefix != "aws/lambda/"; k += eventsPerObject {
			if !yield(objectstore.Info{Key: prefix + fmt.Sprintf("%012d", k), Size: 1, Modified: g.began.Add(time.Hour)}, nil) {
				return
			}
		}
	}
}

func (g generated) Get(_ context.Context, key string) (io.ReadCloser, objectstore.Info, error) {
	prefix, number := key[:len(key)-12], key[len(key)-12:]
	k, err := strconv.Atoi(number)
	if err != nil {
		return nil, objectstore.Info{}, err
	}
	var body bytes.Buffer
	if prefix == "quarantine/" {
		p := g.position(k + 7)
		err = json.NewEncoder(&body).Encode(activity.Quarantined{
			Reason: activity.ReasonNotJSON, EventID: activity.EventID(nil, p), Position: p, Data: g.event(k + 7)})
		return io.NopCloser(&body), objectstore.Info{}, err
	}
	for i := k; i < min(k+eventsPerObject, g.n); i++ {
		switch {
		case g.bad(i) || i == g.lost():
			continue
		case i == g.twice():
			g.line(&body, i)
		}
		g.line(&body, i)
	}
	return io.NopCloser(&body), objectstore.Info{}, nil
}

// line writes a recommendation record of ordinary size.
func (g generated) line(to *bytes.Buffer, i int) {
	p, event := g.position(i), g.event(i)
	to.Write(event[:len(event)-1])
	to.WriteString(`,"recommended_items":[`)
	for n := range 10 {
		fmt.Fprintf(to, `{"id":"S%02d_1234","score":0.%d,"because":"S18_1749"},`, n, 9-n)
	}
	to.Truncate(to.Len() - 1)
	to.WriteString(`],"similar_items":{"product_code":"S18_1749","similar_items":[`)
	for n := range 5 {
		fmt.Fprintf(to, `{"id":"S%02d_4321","distance":0.%d},`, n, n+1)
	}
	to.Truncate(to.Len() - 1)
	id, answered := "event-"+strconv.Itoa(i), p.ArrivedAt.Add(20*time.Millisecond)
	if i == g.early() {
		answered = g.began
	}
	fmt.Fprintf(to, `]},"recommendation":{"id":%q,"event_id":%q,"model_version":"m0123456789abcde","source":"session","generated_at":%q,"latency_ms":%g,`+
		`"position":{"stream":"activity","shard":%q,"sequence_number":%q,"partition_key":%q,"arrived_at":%q}}}`+"\n",
		activity.RecommendationID(id, ""), id, answered.Format(time.RFC3339Nano),
		float64(answered.Sub(p.ArrivedAt))/float64(time.Millisecond), p.Shard, p.SequenceNumber, p.PartitionKey,
		p.ArrivedAt.Format(time.RFC3339Nano))
}

// TestMain fails when a test leaves a goroutine behind. As a process of its own it audits instead.
func TestMain(m *testing.M) {
	n, err := strconv.Atoi(os.Getenv(eventsVariable))
	if err != nil {
		goleak.VerifyTestMain(m)
		return
	}
	g := generated{n: n, began: time.Now().Add(-2 * time.Hour).Truncate(time.Millisecond)}
	r, err := New(g, g).Run(context.Background(), Options{})
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// TestMemoryIsBounded audits a long history in a process of its own: what it finds must be exact,
// and its memory bounded.
func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	process := exec.CommandContext(t.Context(), os.Args[0])
	process.Env = append(os.Environ(), eventsVariable+"="+strconv.Itoa(*manyEvents))
	out, err := process.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var r Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	g, events := generated{n: *manyEvents}, int64(*manyEvents)
	bad := (events + eventsPerObject - 8) / eventsPerObject
	want := figures{Events: events, Distinct: events, Recommended: events - bad - 1, Quarantined: bad, Lost: 1,
		DistinctLost: 1, Missing: 1,
		Duplicates: 1, OutOfOrder: 1}
	if got := figuresOf(r); got != want {
		t.Errorf("figures\n got %+v\nwant %+v", got, want)
	}
	lost := g.position(g.lost())
	if len(r.Findings) != 1 || r.Findings[0].Where != lost.Shard+" "+lost.SequenceNumber {
		t.Errorf("findings %+v", r.Findings)
	}
	usage, ok := process.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("this system tells no memory")
	}
	peak := usage.Maxrss
	if runtime.GOOS != "darwin" {
		peak <<= 10 // Linux tells kilobytes
	}
	t.Logf("%d events: %d MB resident at the most, %.1f s, %.1f s of CPU", *manyEvents, peak>>20, r.Seconds,
		(process.ProcessState.UserTime() + process.ProcessState.SystemTime()).Seconds())
	if peak > mostMemory {
		t.Errorf("%d MB for %d events", peak>>20, *manyEvents)
	}
}

// TestMemoryPerEvent holds that an event costs no memory once every bucket has its block.
func TestMemoryPerEvent(t *testing.T) {
	const events = 1 << 18
	a := New(nil, nil)
	var err error
	if a.facts, err = newSpool[fact](t.TempDir()); err != nil {
		t.Fatal(err)
	}
	defer a.facts.close()
	fill := func(from, to int) {
		for i := from; i < to; i++ {
			if err := a.add(fact{place: hashOf(strconv.Itoa(i))}, ""); err != nil {
				t.Fatal(err)
			}
		}
	}
	fill(0, events)
	before := heap()
	fill(events, 3*events)
	perEvent := float64(heap()-before) / (2 * events)
	t.Logf("%.2f bytes per event", perEvent)
	if perEvent > 1 {
		t.Errorf("%.2f bytes per event", perEvent)
	}
	facts, err := a.facts.bucket(0, nil)
	if err != nil || len(facts) < 2*events/spoolBuckets {
		t.Errorf("bucket 0 has %d facts, %v", len(facts), err)
	}
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
