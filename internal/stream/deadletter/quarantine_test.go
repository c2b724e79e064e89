package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"kindred/internal/stream/activity"

	"github.com/google/go-cmp/cmp"
)

// memory is a store in memory; err makes it fail.
type memory struct {
	err     error
	objects map[string][]byte
}

func (m *memory) PutNew(_ context.Context, key string, data []byte) error {
	if _, there := m.objects[key]; m.err == nil && !there {
		m.objects[key] = data
	}
	return m.err
}

func TestWriteKeepsTheFirstRecordOfAnEventOfEachStream(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	store := &memory{err: down, objects: map[string][]byte{}}
	w := NewQuarantine(store)
	first := activity.Quarantined{
		Reason: activity.ReasonNotUTF8, Message: "the event is not valid UTF-8", EventID: "evt-1",
		Position:      activity.Position{Stream: "activity", Shard: "shardId-000000000001", SequenceNumber: "4957"},
		QuarantinedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Data: []byte("\xff\x00"),
	}
	if err := w.Write(t.Context(), first); !errors.Is(err, down) {
		t.Fatalf("got %v while the store is down", err)
	}
	store.err = nil
	again := first
	again.QuarantinedAt = first.QuarantinedAt.Add(time.Hour)
	other := again
	other.Position.Stream = "another"
	for _, q := range []activity.Quarantined{first, again, other} {
		if err := w.Write(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	data := store.objects["quarantine/activity/shardId-000000000001/4957.json"]
	if len(store.objects) != 2 {
		t.Errorf("%d objects of two streams", len(store.objects))
	}
	var got activity.Quarantined
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Error(diff)
	}
}

// What names no place on a stream has no key of its own: all such would share one object.
func TestWriteRefusesARecordWithoutAPlace(t *testing.T) {
	t.Parallel()
	store := &memory{objects: map[string][]byte{}}
	for _, p := range []activity.Position{{}, {Shard: "shard-0", SequenceNumber: "1"}, {Stream: "s", SequenceNumber: "1"},
		{Stream: "s", Shard: "shard-0"}, {Stream: "..", Shard: "shard-0", SequenceNumber: "1"},
		{Stream: "a/b", Shard: "shard-0", SequenceNumber: "1"}} {
		if err := NewQuarantine(store).Write(t.Context(), activity.Quarantined{Position: p}); !errors.Is(err, ErrPosition) {
			t.Errorf("%+v: %v", p, err)
		}
	}
	if len(store.objects) > 0 {
		t.Errorf("wrote %v", store.objects)
	}
}
