package verify

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"kindred/internal/lake/objectstore"
	"kindred/internal/stream/activity"
)

// sent is one record on a hand-made stream.
type sent struct {
	position activity.Position
	data     []byte
}

// history is a hand-made stream and what came out of it. It is the stream too.
type history struct {
	t       *testing.T
	shards  []string
	records map[string][]sent
	folder  *objectstore.Folder
	objects int
	began   time.Time
	onRead  func() // called by each Read, when set
}

func newHistory(t *testing.T) *history {
	t.Helper()
	return &history{t: t, shards: []string{"shard-0", "shard-1"}, records: map[string][]sent{},
		folder: objectstore.NewFolder(t.TempDir()),
		began:  time.Now().Add(-time.Hour).Truncate(time.Millisecond)}
}

func (h *history) Retention(context.Context) (time.Duration, error) { return 24 * time.Hour, nil }

func (h *history) Shards(context.Context) ([]string, error) { return h.shards, nil }

func (h *history) Read(_ context.Context, shard, after string, visit func(activity.Position, []byte) error) error {
	if h.onRead != nil {
		h.onRead()
	}
	records := h.records[shard]
	from := 1 + slices.IndexFunc(records, func(s sent) bool { return s.position.SequenceNumber == after })
	for _, s := range records[from:] {
		if err := visit(s.position, s.data); err != nil {
			return err
		}
	}
	return nil
}

func (h *history) ReadSince(ctx context.Context, shard string, since time.Time,
	visit func(activity.Position, []byte) error) error {
	return h.Read(ctx, shard, "", func(p activity.Position, data []byte) error {
		if p.ArrivedAt.Before(since) {
			return nil
		}
		return visit(p, data)
	})
}

// put lays a record on a shard, one second after the one before.
func (h *history) put(shard, session, data string) sent {
	n := len(h.records[shard])
	s := sent{activity.Position{
		Stream: "activity", Shard: shard, SequenceNumber: strconv.Itoa(1000 + n), PartitionKey: session,
		ArrivedAt: h.began.Add(time.Duration(n) * time.Second),
	}, []byte(data)}
	h.records[shard] = append(h.records[shard], s)
	return s
}

// click lays an ordinary event on a shard.
func (h *history) click(shard, session string) sent {
	id := fmt.Sprintf("%s-%s-%d", shard, session, len(h.records[shard]))
	return h.put(shard, session, fmt.Sprintf(`{"event_id":%q,"session_id":%q,"browse_history":[]}`, id, session))
}

// answer is the recommendation record of s, made d after it arrived.
func (h *history) answer(s sent, d time.Duration) activity.Record {
	event, err := activity.Parse(s.data)
	if err != nil {
		h.t.Fatal(err)
	}
	id := activity.EventID(event, s.position)
	items := []activity.RecommendedItem{{ID: "S10_1678", Score: 0.5}}
	return activity.Record{Event: s.data, RecommendedItems: items, Recommendation: activity.Recommendation{
		ID: activity.RecommendationID(id, ""), EventID: id, ModelVersion: "m1", Source: activity.SourceSession,
		Position:    s.position,
		GeneratedAt: s.position.ArrivedAt.Add(d), LatencyMS: float64(d) / float64(time.Millisecond),
	}}
}

// deliver writes one object of recommendation lines.
func (h *history) deliver(answers ...activity.Record) {
	h.t.Helper()
	var lines []byte
	for _, r := range answers {
		var err error
		if lines, err = r.AppendSealed(lines); err != nil {
			h.t.Fatal(err)
		}
	}
	h.write("recommendations/2026/", lines)
}

func (h *history) quarantine(s sent) {
	h.t.Helper()
	data, err := json.Marshal(activity.Quarantined{
		Reason: activity.ReasonNotJSON, EventID: activity.EventID(nil, s.position), Position: s.position, Data: s.data})
	if err != nil {
		h.t.Fatal(err)
	}
	h.write("quarantine/"+s.position.Stream+"/"+s.position.Shard+"/", data)
}

func (h *history) write(prefix string, data []byte) {
	h.t.Helper()
	h.objects++
	h.writeAt(fmt.Sprintf("%s%04d", prefix, h.objects), data)
}

func (h *history) writeAt(key string, data []byte) {
	h.t.Helper()
	_, err := h.folder.Put(h.t.Context(), key, bytes.NewReader(data), int64(len(data)), objectstore.Condition{})
	if err != nil {
		h.t.Fatal(err)
	}
}

// audit looks once, with everything in the history old enough to be lost.
func (h *history) audit() Report {
	h.t.Helper()
	r, err := New(h, h.folder).Run(h.t.Context(), Options{})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
