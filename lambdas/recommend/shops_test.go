package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
)

// shared is a batch in which event i names the i-th shop; "" names none.
func shared(shops ...string) events.KinesisEvent {
	batch := batchOf(len(shops))
	for i, shop := range shops {
		if shop != "" {
			data := batch.Records[i].Kinesis.Data
			batch.Records[i].Kinesis.Data = append(fmt.Appendf(nil, `{"shop":%q,`, shop), data[1:]...)
		}
	}
	return batch
}

// TestShopsShareAStream gives one batch to the functions of two shops, and to one that knows no shop.
func TestShopsShareAStream(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		own, answered, quarantined string
		all                        []string
		other                      float64
	}{
		{"", "e0 e1 e2 e3 e5", "4966:not_json", nil, 0},
		{"books", "e0 e3 e5", "e2:unknown_shop 4966:not_json", []string{"books", "toys"}, 1},
		{"toys", "e1", "", []string{"books", "toys"}, 5},
		{"books", "e0 e3 e5", "e1:unknown_shop e2:unknown_shop 4966:not_json", nil, 0},
	} {
		b := setup(t)
		var err error
		if b.shops, err = activity.NewShops(c.own, c.all); err != nil {
			t.Fatal(err)
		}
		batch := shared("books", "toys", "garden", "", "", "books")
		batch.Records[4].Kinesis.Data = batch.Records[4].Kinesis.Data[:30]
		if failed := b.run(t, batch); failed != len(batch.Records) {
			t.Errorf("%q: failed at %d", c.own, failed)
		}
		var answered, quarantined []string
		for _, line := range b.delivery.lines {
			r, err := activity.ParseRecord([]byte(line))
			if err != nil || r.Recommendation.Shop != c.own ||
				r.Recommendation.ID != activity.RecommendationID(r.Recommendation.EventID, "") {
				t.Errorf("%q: %v in %s", c.own, err, line)
			}
			answered = append(answered, r.Recommendation.EventID)
		}
		for _, r := range batch.Records {
			if q, ok := b.quarantine.kept[r.Kinesis.SequenceNumber]; ok {
				id := q.EventID
				if strings.HasPrefix(id, "evt-") {
					id = "4966"
				}
				quarantined = append(quarantined, id+":"+string(q.Reason))
			}
		}
		if got := strings.Join(answered, " "); got != c.answered {
			t.Errorf("%q of %q answers %q, want %q", c.own, c.all, got, c.answered)
		}
		if got := strings.Join(quarantined, " "); got != c.quarantined {
			t.Errorf("%q of %q quarantines %q, want %q", c.own, c.all, got, c.quarantined)
		}
		var metrics, log map[string]any
		if err := errors.Join(json.Unmarshal(b.metrics.Bytes(), &metrics), json.Unmarshal(b.log.Bytes(), &log)); err != nil {
			t.Fatal(err)
		}
		for _, got := range []map[string]any{metrics, log} {
			if got["other_shop"] != c.other || got["events"] != float64(len(batch.Records))-c.other {
				t.Errorf("%q of %q: %v", c.own, c.all, got)
			}
		}
	}
}

// TestOtherShopsEventsNeedNoDatabase lets the database be down: what is of another shop holds up
// nobody, and the first own event comes back.
func TestOtherShopsEventsNeedNoDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var err error
	if b.shops, err = activity.NewShops("books", []string{"books", "toys"}); err != nil {
		t.Fatal(err)
	}
	b.store.Fail(func(context.Context) error { return errors.New("connection refused") })
	if failed := b.run(t, shared("toys", "toys")); failed != 2 {
		t.Errorf("a batch of another shop comes back from %d", failed)
	}
	if failed := b.run(t, shared("toys", "toys", "books", "toys", "books")); failed != 2 {
		t.Errorf("the batch comes back from %d, want from its first own event, 2", failed)
	}
}
