package quarantine

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"kindred/internal/activity"
	"kindred/internal/objectstore"

	"github.com/google/go-cmp/cmp"
)

func TestWriteKeepsTheFirstRecordOfAnEvent(t *testing.T) {
	t.Parallel()
	folder := objectstore.NewFolder(t.TempDir())
	down := errors.New("down")
	opened := 0
	w := New(func(context.Context) (objectstore.Store, error) {
		if opened++; opened == 1 {
			return nil, down
		}
		return folder, nil
	})
	first := activity.Quarantined{
		Reason: activity.ReasonNotUTF8, Message: "the event is not valid UTF-8", EventID: "evt-1",
		Position:      activity.Position{Stream: "activity", Shard: "shardId-000000000001", SequenceNumber: "4957"},
		QuarantinedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Data: []byte("\xff\x00"),
	}
	if err := w.Write(t.Context(), first); !errors.Is(err, down) {
		t.Fatalf("got %v while the store is down", err)
	}
	again := first
	again.QuarantinedAt = first.QuarantinedAt.Add(time.Hour)
	for _, q := range []activity.Quarantined{first, again} {
		if err := w.Write(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
	if opened != 2 {
		t.Errorf("opened %d times", opened)
	}
	data, _, err := objectstore.ReadAll(t.Context(), folder, "quarantine/shardId-000000000001/4957.json")
	if err != nil {
		t.Fatal(err)
	}
	var got activity.Quarantined
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, got); diff != "" {
		t.Error(diff)
	}
}
