package feed

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

// shards is a stream of two shards, whose second may be down.
type shards struct {
	mu      sync.Mutex
	records map[string][]activity.Position
	down    bool
}

func (s *shards) Shards(context.Context) ([]string, error) {
	return []string{"shard-0", "shard-1"}, nil
}

func (s *shards) Read(_ context.Context, shard, after string, visit func(activity.Position, []byte) error) error {
	return s.read(shard, func(p activity.Position) bool { return p.SequenceNumber > after }, visit)
}

func (s *shards) ReadSince(_ context.Context, shard string, since time.Time,
	visit func(activity.Position, []byte) error) error {
	return s.read(shard, func(p activity.Position) bool { return !p.ArrivedAt.Before(since) }, visit)
}

func (s *shards) read(shard string, wanted func(activity.Position) bool,
	visit func(activity.Position, []byte) error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.down && shard == "shard-1" {
		return errors.New("the shard is down")
	}
	for _, p := range s.records[shard] {
		if wanted(p) {
			if err := visit(p, []byte(`{"session_id":"s","browse_history":[]}`)); err != nil {
				return err
			}
		}
	}
	return nil
}

// put lets n events of a shard arrive.
func (s *shards) put(shard string, n int, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.records[shard] = append(s.records[shard], activity.Position{Stream: "st", Shard: shard, ArrivedAt: at,
			SequenceNumber: fmt.Sprintf("%020d", len(s.records[shard])+1)})
	}
}

func mustPut(t *testing.T, store objectstore.Store, key, text string) {
	t.Helper()
	_, err := store.Put(t.Context(), key, strings.NewReader(text), int64(len(text)), objectstore.Condition{})
	if err != nil {
		t.Fatal(err)
	}
}

// object is what Firehose delivers: lines, each of one answer.
func object(at time.Time, version string, latencies ...float64) string {
	var b strings.Builder
	for i, ms := range latencies {
		fmt.Fprintf(&b, `{"session_id":"s","browse_history":[],"recommended_items":[],"recommendation":{"id":"r%d",`+
			`"event_id":"e%d","model_version":%q,"source":"session","generated_at":%q,"latency_ms":%g,"position":{}}}`+"\n", i, i,
			version, at.UTC().Format(time.RFC3339Nano), ms)
	}
	return b.String()
}

// TestEverythingIsCountedOnce reads again and again, over a shard that fails and an hour that turns.
func TestEverythingIsCountedOnce(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 58, 0, 0, time.UTC)
	stream := &shards{records: map[string][]activity.Position{}}
	store := objectstore.NewFolder(t.TempDir())
	f := New(stream, store, nil, 2*time.Hour)
	f.now = func() time.Time { return now }
	f.first = now.Add(-f.window)
	f.counts.Since = f.first
	look := func(first bool) Counts {
		f.note(f.readStream(t.Context()), errors.Join(f.readDelivered(t.Context(), first), f.readLetters(t.Context())))
		return f.Counts()
	}
	stream.put("shard-0", 2, now.Add(-3*time.Hour)) // before the window
	stream.put("shard-0", 3, now.Add(-time.Hour))
	stream.put("shard-1", 4, now)
	stream.down = true
	folder := func(at time.Time) string { return envconfig.RecommendationPrefix + at.Format("2006/01/02/15/") }
	mustPut(t, store, folder(now.Add(-time.Hour))+"a", object(now.Add(-time.Hour), "m1", 10, 10, 30))
	mustPut(t, store, folder(now)+"b", object(now, "m2", 20)+"damaged\n")
	letter, err := json.Marshal(activity.Quarantined{Reason: activity.ReasonSchema, EventID: "e",
		Position: activity.Position{Stream: "st", Shard: "shard-0", SequenceNumber: "9"}})
	if err != nil {
		t.Fatal(err)
	}
	mustPut(t, store, deadletter.Key(activity.Position{Stream: "st", Shard: "shard-0", SequenceNumber: "9"}),
		string(letter))
	if c := look(true); c.Events != 3 || c.Whole || c.StreamFault != "the shard is down" || c.Answers != 4 ||
		c.Letters["schema"] != 1 || c.Dead() != 1 {
		t.Errorf("with a shard down: %+v", c)
	}
	stream.down = false
	for range 3 {
		if c := look(false); c.Events != 7 || !c.Whole || c.StreamFault != "" || c.Answers != 4 || c.Versions["m1"] != 3 ||
			c.Versions["m2"] != 1 || c.Sources[activity.SourceSession] != 4 || !c.LastEvent.Equal(now) ||
			c.LatencyMS.Max != 30 || c.LatencyMS.P50 < 9 || c.LatencyMS.P50 > 21 || len(c.Minutes) != 2 {
			t.Errorf("after all: %+v", c)
		}
	}
	now = now.Add(5 * time.Minute)                            // the hour has turned
	mustPut(t, store, folder(now)+"c", object(now, "m2", 40)) // and Firehose still fills the folder of the one before
	mustPut(t, store, folder(now.Add(-5*time.Minute))+"d", object(now, "m2", 40))
	stream.put("shard-1", 1, now)
	if c := look(false); c.Answers != 6 || c.Events != 8 {
		t.Errorf("after the hour: %+v", c)
	}
	now = now.Add(5 * time.Hour)
	if c := look(false); len(c.Minutes) != 0 || len(c.Latencies) != 0 || len(f.seen) != 0 {
		t.Errorf("old minutes are kept: %+v, %d objects", c, len(f.seen))
	}
}

func TestWithoutStreamOrStoreNothingIsRead(t *testing.T) {
	t.Parallel()
	f := New(nil, nil, nil, time.Hour)
	ctx, stop := context.WithCancel(t.Context())
	stop()
	f.Run(ctx)
	if c := f.Counts(); c.Events != 0 || c.StreamFault != "" || c.Dead() != 0 || c.Since.IsZero() {
		t.Errorf("counted %+v", c)
	}
}
