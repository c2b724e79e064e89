package rollup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/rollup"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

// bucket counts how often each object is read whole, and fails when it is told to.
type bucket struct {
	*objectstore.Folder

	mu   sync.Mutex
	read map[string]int
	fail func(key string) error
}

func newBucket(t *testing.T) *bucket {
	t.Helper()
	return &bucket{Folder: objectstore.NewFolder(t.TempDir()), read: map[string]int{},
		fail: func(string) error { return nil }}
}

func (b *bucket) Get(ctx context.Context, key string) (io.ReadCloser, objectstore.Info, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.fail(key); err != nil {
		return nil, objectstore.Info{}, err
	}
	b.read[key]++
	return b.Folder.Get(ctx, key)
}

func (b *bucket) mustPut(t *testing.T, key, text string) {
	t.Helper()
	_, err := b.Put(t.Context(), key, strings.NewReader(text), int64(len(text)), objectstore.Condition{})
	if err != nil {
		t.Fatal(err)
	}
}

// mustDeliver puts n records into an object of an hour, and returns their event ids.
func (b *bucket) mustDeliver(t *testing.T, hour time.Time, name string, n int) (ids []string) {
	t.Helper()
	var text []byte
	for i := range n {
		id := fmt.Sprintf("evt-%s-%d", name, i)
		r := activity.Record{Event: json.RawMessage(`{"session_id":"s","browse_history":[]}`),
			Recommendation: activity.Recommendation{ID: activity.RecommendationID(id, ""), EventID: id, ModelVersion: "m1",
				Source: "session", GeneratedAt: hour.Add(time.Duration(i) * time.Second), LatencyMS: float64(10 + i),
				UnknownProducts: i % 2}}
		var err error
		if text, err = r.AppendSealed(text); err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	b.mustPut(t, envconfig.RecommendationPrefix+hour.Format("2006/01/02/15/")+name, string(text))
	return ids
}

func (b *bucket) mustQuarantine(t *testing.T, sequence, id string) {
	t.Helper()
	q := activity.Quarantined{Reason: activity.ReasonSchema, Message: "m", EventID: id, QuarantinedAt: noon,
		Position: activity.Position{Stream: "clicks", Shard: "shardId-000000000000", SequenceNumber: sequence}}
	data, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	b.mustPut(t, deadletter.Key(q.Position), string(data)+"\n")
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func (b *bucket) job(lake objectstore.Store, now time.Time) Job {
	return Job{Records: b, Lake: lake, Progress: func(string, int64, int64) {}, now: func() time.Time { return now },
		mostEntries: mostEntries}
}

func mustRun(t *testing.T, j Job) *Result {
	t.Helper()
	j.ScratchDir = t.TempDir()
	r, err := j.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func mustShow(t *testing.T, lake objectstore.Store) *Summary {
	t.Helper()
	s, err := NewReader(nil, lake).Summary(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestEachObjectIsReadOnce rolls up again and again while objects come, late ones too: each is read once, all of it is
// counted and found, and a run without news changes nothing.
func TestEachObjectIsReadOnce(t *testing.T) {
	t.Parallel()
	b, lake := newBucket(t), objectstore.NewFolder(t.TempDir())
	ids := map[string]string{}
	deliver := func(hour time.Time, name string, n int) {
		for _, id := range b.mustDeliver(t, hour, name, n) {
			ids[id] = envconfig.RecommendationPrefix + hour.Format("2006/01/02/15/") + name
		}
	}
	deliver(noon, "a", 5)
	deliver(noon, "b", 3)
	b.mustQuarantine(t, "1", "evt-bad")
	if r := mustRun(t, b.job(lake, noon.Add(time.Hour))); r.NoOp || r.Records != 8 || r.Objects != 2 || r.Letters != 1 {
		t.Errorf("the first run: %+v", r)
	}
	before := mustShow(t, lake)
	if r := mustRun(t, b.job(lake, noon.Add(2*time.Hour))); !r.NoOp || r.Run != before.Run {
		t.Errorf("a run without news: %+v", r)
	}
	deliver(noon, "late", 4)
	deliver(noon.Add(2*time.Hour), "c", 1)
	b.mustPut(t, envconfig.RecommendationPrefix+"2026/03/01/14/d", "no record\n")
	if r := mustRun(t, b.job(lake, noon.Add(3*time.Hour))); r.Records != 5 || r.Objects != 3 || r.Letters != 0 {
		t.Errorf("the run after some came: %+v", r)
	}
	b.mustQuarantine(t, "2", "evt-worse")
	mustRun(t, b.job(lake, noon.Add(4*time.Hour)))
	deliver(noon.Add(80*time.Hour), "after", 2)
	mustRun(t, b.job(lake, noon.Add(81*time.Hour)))
	s := mustShow(t, lake)
	if s.Records != 15 || s.Objects != 6 || s.Unreadable != 1 || s.Sources["session"] != 15 || s.Versions["m1"] != 15 ||
		s.Letters["schema"] != 2 || s.Indexed != 32 || s.Unknown != 6 || !s.First.Equal(noon) ||
		!s.AsOf.Equal(noon.Add(81*time.Hour)) {
		t.Errorf("the summary is %+v", s)
	}
	if len(s.Hours) != 3 || s.Hours[0].Records != 12 || s.Hours[2].Records != 2 {
		t.Errorf("the hours are %+v", s.Hours)
	}
	if p := s.Hours[2].LatencyMS; math.Abs(p.P50-10) > 0.1 || math.Abs(p.P99-11) > 0.11 {
		t.Errorf("the latencies of two answers after 10 and 11 ms are %+v", p)
	}
	for key, n := range b.read {
		if n != 1 {
			t.Errorf("%s was read %d times", key, n)
		}
	}
	b.mustFind(t, lake, ids)
}

// mustFind looks for each event, and for its recommendation, in its object.
func (b *bucket) mustFind(t *testing.T, lake objectstore.Store, ids map[string]string) {
	t.Helper()
	reader := NewReader(b, lake)
	for event, key := range ids {
		for _, id := range []string{event, activity.RecommendationID(event, "")} {
			found, _, err := reader.Find(t.Context(), id)
			if err != nil || len(found) != 1 || found[0].Key != key {
				t.Fatalf("%s is in %v, %v; want %s", id, found, err, key)
			}
			if r, err := activity.ParseRecord(found[0].Line); err != nil || r.Recommendation.EventID != event {
				t.Fatalf("%s is the line %s, %v", id, found[0].Line, err)
			}
		}
	}
	if found, _, err := reader.Find(t.Context(), "evt-nobody"); err != nil || len(found) > 0 {
		t.Errorf("an unknown id is in %v, %v", found, err)
	}
}

// TestAFirstReadingIsKeptInParts fails a first reading at each of its objects: what it had committed stays, the next
// run reads the rest, and in the end all is counted once.
func TestAFirstReadingIsKeptInParts(t *testing.T) {
	t.Parallel()
	b, lake := newBucket(t), objectstore.NewFolder(t.TempDir())
	ids := map[string]string{}
	for i := range 40 {
		hour := noon.Add(time.Duration(i) * 3 * time.Hour)
		name := fmt.Sprintf("o%02d", i)
		for _, id := range b.mustDeliver(t, hour, name, 3) {
			ids[id] = envconfig.RecommendationPrefix + hour.Format("2006/01/02/15/") + name
		}
	}
	j := b.job(lake, noon.Add(200*time.Hour))
	j.mostEntries, j.ScratchDir = 6*readers, t.TempDir()
	broken := errors.New("the bucket is down")
	for _, at := range []string{"o00", "o09", "o25", "o39"} {
		b.fail = func(key string) error {
			if strings.HasSuffix(key, at) {
				return broken
			}
			return nil
		}
		if _, err := j.Run(t.Context()); !errors.Is(err, broken) {
			t.Fatalf("a bucket that fails at %s: %v", at, err)
		}
	}
	if s := mustShow(t, lake); s.Records != 96 || s.AsOf.After(noon.Add(100*time.Hour)) {
		t.Errorf("after 32 objects the roll-up has %d records as of %v", s.Records, s.AsOf)
	}
	b.fail = func(string) error { return nil }
	if r := mustRun(t, j); r.Records != 24 {
		t.Errorf("the rest is %+v", r)
	}
	if s := mustShow(t, lake); s.Records != 120 || s.Objects != 40 || !s.AsOf.Equal(noon.Add(200*time.Hour)) {
		t.Errorf("the summary is %+v", s)
	}
	b.mustFind(t, lake, ids)
}

// TestWhatIsGoneOrRewrittenIsNotShown rewrites an object, so that its lines lie elsewhere, and deletes another, and a
// dead letter.
func TestWhatIsGoneOrRewrittenIsNotShown(t *testing.T) {
	t.Parallel()
	b, lake := newBucket(t), objectstore.NewFolder(t.TempDir())
	b.mustDeliver(t, noon, "gone", 1)
	moved := b.mustDeliver(t, noon, "moved", 3)
	b.mustQuarantine(t, "1", "evt-bad")
	b.mustQuarantine(t, "2", "evt-worse")
	mustRun(t, b.job(lake, noon.Add(time.Hour)))
	key := envconfig.RecommendationPrefix + "2026/03/01/12/"
	data, _, err := objectstore.ReadAll(t.Context(), b.Folder, key+"moved")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(data), "\n")
	b.mustPut(t, key+"moved", lines[0]+lines[2]) // the second is erased
	for _, gone := range []string{key + "gone", "quarantine/clicks/shardId-000000000000/2.json"} {
		if err := b.Delete(t.Context(), gone); err != nil {
			t.Fatal(err)
		}
	}
	mustRun(t, b.job(lake, noon.Add(time.Hour)))
	for id, want := range map[string]int{moved[0]: 1, moved[1]: 0, moved[2]: 1, "evt-gone-0": 0, "evt-bad": 1,
		"evt-worse": 0} {
		found, _, err := NewReader(b, lake).Find(t.Context(), id)
		if err != nil || len(found) != want {
			t.Errorf("%s is in %d objects, %v; want %d", id, len(found), err, want)
		}
	}
	if s := mustShow(t, lake); !maps.Equal(s.Letters, map[string]int64{"schema": 1}) {
		t.Errorf("the dead letters are %v", s.Letters)
	}
}

// aged is a lake in which everything is two days old.
type aged struct{ *objectstore.Folder }

func (a aged) List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error] {
	return func(yield func(objectstore.Info, error) bool) {
		for info, err := range a.Folder.List(ctx, prefix) {
			info.Modified = info.Modified.Add(-48 * time.Hour)
			if !yield(info, err) {
				return
			}
		}
	}
}

// TestOldRunsAreDeleted rolls up hour after hour, in a lake whose runs are old at once: the runs that are needed stay,
// also those of the roll-up before, at which a reader may be still.
func TestOldRunsAreDeleted(t *testing.T) {
	t.Parallel()
	b, lake := newBucket(t), aged{objectstore.NewFolder(t.TempDir())}
	repo := rollup.Repository(lake)
	ids := map[string]string{}
	var before rollup.Details
	for i := range 9 {
		hour := noon.Add(time.Duration(i) * time.Hour)
		name := fmt.Sprint("o", i)
		reader := maps.Clone(ids)
		for _, id := range b.mustDeliver(t, hour, name, 1+i%3) {
			ids[id] = envconfig.RecommendationPrefix + hour.Format("2006/01/02/15/") + name
		}
		mustRun(t, b.job(lake, hour.Add(time.Hour)))
		for id, key := range reader {
			places, err := rollup.Find(t.Context(), repo, before, id)
			if err != nil || len(places) != 1 || places[0].Key != key {
				t.Fatalf("a reader of the roll-up before finds %s at %v, %v", id, places, err)
			}
		}
		var err error
		if _, before, err = rollup.Current(t.Context(), repo); err != nil {
			t.Fatal(err)
		}
	}
	b.mustFind(t, lake, ids)
	runs := 0
	for info, err := range lake.List(t.Context(), envconfig.RollupPrefix+"/") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(info.Key, "/manifest.json") {
			runs++
		}
	}
	if runs > 2*len(before.Segments)+2 {
		t.Errorf("%d runs are left for %d segments", runs, len(before.Segments))
	}
}
