package console

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"iter"
	"net/http"
	"path"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kindred/internal/job/console/feed"
	"kindred/internal/job/rollup"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
)

var (
	loadRecords = flag.Int("records", 20_000, "records that were delivered before the console starts")
	loadRate    = flag.Int("rate", 500, "events and answers a second while pages are asked for")
	loadSeconds = flag.Int("load-seconds", 3, "how long pages are asked for")
	loadLimits  = flag.Bool("load-limits", false, "fail if a page takes more than a second, or memory reaches 200 MB")
)

// linesAnObject is how many records an object has.
const linesAnObject = 4000

// world is a stream and a bucket of records that are made when they are read: events from..to of a shop, one after
// the other, and then rate a second.
type world struct {
	objectstore.Store // whose other methods nobody calls

	began time.Time
	old   int // records before it
	rate  int
	flow  time.Time // when the others begin to come; zero: not yet
}

// at is the time of an event: the old ones were one a millisecond.
func (w *world) at(event int) time.Time {
	if event < w.old || w.flow.IsZero() {
		return w.began.Add(time.Duration(event-w.old) * time.Millisecond)
	}
	return w.flow.Add(time.Duration(event-w.old) * time.Second / time.Duration(w.rate))
}

func (w *world) came() int {
	if w.flow.IsZero() {
		return w.old
	}
	return w.old + int(time.Since(w.flow).Seconds()*float64(w.rate))
}

func (w *world) position(event int) activity.Position {
	return activity.Position{Stream: "clicks", Shard: "shardId-000000000000", ArrivedAt: w.at(event),
		SequenceNumber: fmt.Sprintf("%020d", event+1)}
}

func (w *world) Shards(context.Context) ([]string, error) {
	return []string{"shardId-000000000000"}, nil
}

func (w *world) Read(_ context.Context, _, after string, visit func(activity.Position, []byte) error) error {
	first, err := strconv.Atoi(after)
	if err != nil {
		return err
	}
	for event := first; event < w.came(); event++ {
		if err := visit(w.position(event), w.event(event)); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) ReadSince(ctx context.Context, shard string, since time.Time,
	visit func(activity.Position, []byte) error) error {
	first := 0
	for first < w.came() && w.at(first).Before(since) {
		first++
	}
	return w.Read(ctx, shard, strconv.Itoa(first), visit)
}

// event is about as long as a shop's.
func (w *world) event(n int) []byte {
	return fmt.Appendf(nil, `{"event_id":"evt-%d","session_id":"session-%d","customer_number":%d,"city":"Utrecht",`+
		`"country":"Netherlands","credit_limit":21000,"browse_history":[{"product_code":"S10_%d","quantity":1,`+
		`"in_shopping_cart":true},{"product_code":"S12_%d","quantity":2,"in_shopping_cart":false}]}`, n, n/7, n%100_000,
		n%1_000_000, n%999_983)
}

func (w *world) line(dst []byte, n int) []byte {
	id := fmt.Sprintf("evt-%d", n)
	r := activity.Record{Event: w.event(n), Recommendation: activity.Recommendation{EventID: id, ID: recommendation(n),
		ModelVersion: fmt.Sprintf("m%03d", n*1000/(w.old+1)%1000), Source: activity.SourceSession,
		GeneratedAt: w.at(n).Add(30 * time.Millisecond), LatencyMS: float64(20 + n%50), Position: w.position(n)}}
	for i := range 10 {
		r.RecommendedItems = append(r.RecommendedItems, activity.RecommendedItem{ID: fmt.Sprintf("S18_%d", n%9973+i),
			Score: 0.5, Because: "S10_1"})
	}
	line, err := r.AppendSealed(dst)
	if err != nil {
		panic(err) // the record is a test's
	}
	return line
}

// recommendation is an id that takes no hash: making the records must not take longer than reading them.
func recommendation(n int) string { return fmt.Sprintf("rec-%032d", n) }

// object is a key: its folder is the hour of its first record.
func (w *world) object(i int) string {
	return envconfig.RecommendationPrefix + w.at(i*linesAnObject).UTC().Format("2006/01/02/15/") + fmt.Sprintf("%09d", i)
}

func (w *world) List(_ context.Context, prefix string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		for i := range w.came() / linesAnObject {
			key := w.object(i)
			info := objectstore.Info{Key: key, Modified: w.at((i + 1) * linesAnObject)}
			if strings.HasPrefix(key, prefix) && !yield(info, nil) {
				return
			}
		}
	}
}

func (w *world) content(key string) ([]byte, error) {
	i, err := strconv.Atoi(path.Base(key))
	if err != nil || w.object(i) != key {
		return nil, objectstore.ErrNotFound
	}
	var text []byte
	for n := range linesAnObject {
		text = w.line(text, i*linesAnObject+n)
	}
	return text, nil
}

func (w *world) Get(_ context.Context, key string) (io.ReadCloser, objectstore.Info, error) {
	text, err := w.content(key)
	return io.NopCloser(bytes.NewReader(text)), objectstore.Info{Key: key}, err
}

func (w *world) GetRange(_ context.Context, key string, offset, size int64) ([]byte, error) {
	text, err := w.content(key)
	if err != nil || offset >= int64(len(text)) {
		return nil, err
	}
	return text[offset:min(int64(len(text)), offset+size)], nil
}

// TestPagesUnderLoad asks for pages while events flow, after a history that was rolled up: each page shows what it
// should. How long it takes, and what memory, is logged; with -load-limits it must be at most a second, and 200 MB.
func TestPagesUnderLoad(t *testing.T) {
	c := folders(t)
	lake := mustOpenStore(t, c.Lake.Bucket)
	w := &world{began: time.Now(), old: *loadRecords / linesAnObject * linesAnObject, rate: *loadRate}
	job := rollup.Job{Records: w, Lake: lake, ScratchDir: t.TempDir(), Progress: func(string, int64, int64) {}}
	result, err := job.Run(t.Context())
	if err != nil || result.Records != int64(w.old) {
		t.Fatalf("the roll-up has %+v, %v", result, err)
	}
	t.Logf("%d records were rolled up in %v, in %d runs", w.old, time.Since(w.began).Round(time.Millisecond), result.Runs)
	b := mustShow(t, c)
	from := b.server.from
	from.records, from.rolled = w, rollup.NewReader(w, lake)
	from.feed = feed.New(w, w, from.rolled, time.Hour)
	w.flow = time.Now()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); from.feed.Run(ctx) }()
	defer func() { stop(); <-ended }()
	debug.FreeOSMemory()
	m := taken{took: map[string][]time.Duration{}}
	for time.Since(w.flow) < time.Duration(*loadSeconds)*time.Second || from.feed.Counts().Events == 0 {
		old, gone := fmt.Sprintf("evt-%d", w.old*2/3), fmt.Sprintf("evt-%d", -w.old)
		for _, page := range []struct{ path, want string }{{"/", "The loop"}, {"/stream", "All that was ever delivered"},
			{"/events?id=" + old, "Answered"}, {"/events?id=" + recommendation(w.old-1), "Answered"},
			{"/events?id=" + gone, "Not found"}, {"/data", "Data"}, {"/models", "Models"}, {"/outcome", "Outcome"}} {
			began := time.Now()
			if text := b.mustPage(t, page.path, http.StatusOK); !strings.Contains(text, page.want) {
				t.Fatalf("%q is not in %s: %.500s", page.want, page.path, text)
			}
			name, _, _ := strings.Cut(page.path, "=")
			m.add(name, time.Since(began))
		}
	}
	m.report(t, from.feed.Counts())
}

// taken is how long pages took, and the memory.
type taken struct {
	took map[string][]time.Duration
	most uint64 // bytes that the process has of the system
}

func (m *taken) add(page string, took time.Duration) {
	m.took[page] = append(m.took[page], took)
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	m.most = max(m.most, memory.Sys-memory.HeapReleased)
}

func (m *taken) report(t *testing.T, counts feed.Counts) {
	t.Helper()
	t.Logf("%d events and %d answers came meanwhile; memory at most %d MB", counts.Events, counts.Answers, m.most>>20)
	for page, took := range m.took {
		slices.Sort(took)
		most := took[len(took)-1]
		t.Logf("%-12s %3d times, half in %v, all in %v", page, len(took), took[len(took)/2].Round(time.Microsecond),
			most.Round(time.Microsecond))
		if *loadLimits && most > time.Second {
			t.Errorf("%s took %v", page, most)
		}
	}
	if *loadLimits && m.most > 200<<20 {
		t.Errorf("the console took %d MB", m.most>>20)
	}
	if counts.StreamFault+counts.StoreFault != "" {
		t.Errorf("the feed says %s %s", counts.StreamFault, counts.StoreFault)
	}
}

// TestTheWorldIsWhole holds the double to what it stands for: its objects have each old event once.
func TestTheWorldIsWhole(t *testing.T) {
	t.Parallel()
	w := &world{began: time.Now(), old: 2 * linesAnObject, rate: 1}
	n := 0
	for info, err := range w.List(t.Context(), envconfig.RecommendationPrefix) {
		if err != nil {
			t.Fatal(err)
		}
		text, err := w.content(info.Key)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.SplitSeq(bytes.TrimSpace(text), []byte("\n")) {
			var r struct {
				EventID string `json:"event_id"`
			}
			if err := json.Unmarshal(line, &r); err != nil || r.EventID != fmt.Sprintf("evt-%d", n) {
				t.Fatalf("event %d is %s, %v", n, r.EventID, err)
			}
			n++
		}
	}
	if n != w.old {
		t.Errorf("the objects have %d events, want %d", n, w.old)
	}
}
