package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-lambda-go/events"

	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

func TestARecordWithoutAPlaceOnAStreamIsRefused(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(r *events.KinesisEventRecord){
		"the console's test event": func(r *events.KinesisEventRecord) { r.EventSourceArn = "arn:aws:kinesis:EXAMPLE" },
		"another service's":        func(r *events.KinesisEventRecord) { *r = events.KinesisEventRecord{} },
		"no shard":                 func(r *events.KinesisEventRecord) { r.EventID = ":1" },
		"no sequence number":       func(r *events.KinesisEventRecord) { r.Kinesis.SequenceNumber = "" },
		"a path for a shard":       func(r *events.KinesisEventRecord) { r.EventID = "..:1" },
	} {
		b, batch := setup(t), batchOf(3)
		damage(&batch.Records[1])
		payload, err := json.Marshal(batch)
		if err != nil {
			t.Fatal(err)
		}
		answer, err := b.Invoke(t.Context(), payload)
		if !errors.Is(err, deadletter.ErrPosition) || !strings.Contains(err.Error(), "record 1") ||
			len(b.delivery.lines) > 0 ||
			len(b.quarantine.all) > 0 {
			t.Errorf("%s: %s, %v; %d delivered, %d quarantined", name, answer, err, len(b.delivery.lines), len(b.quarantine.all))
		}
	}
}

// A record of several events is done when all of them are, and each has an id of its own.
func TestARecordOfSeveralEventsIsOneOfTheBatch(t *testing.T) {
	t.Parallel()
	b, batch := setup(t), batchOf(3)
	click := `{"session_id":"s","browse_history":[]}`
	batch.Records[1].Kinesis.Data = []byte(click + "\nbroken\n" + click + "\n")
	if failed := b.run(t, batch); failed != 3 || len(b.delivery.lines) != 4 || len(b.quarantine.all) != 1 {
		t.Fatalf("failed at %d, %d delivered, %d quarantined", failed, len(b.delivery.lines), len(b.quarantine.all))
	}
	ids := map[string]bool{}
	for _, l := range b.delivery.lines {
		d, err := activity.ParseDelivered([]byte(strings.TrimSpace(l)))
		if err != nil || !d.Intact {
			t.Fatal(l, err)
		}
		ids[d.ID] = true
	}
	if len(ids) != 4 {
		t.Errorf("%d ids of 4 events", len(ids))
	}
	for _, q := range b.quarantine.all {
		if q.Position.SubSequenceNumber != 1 || string(q.Data) != "broken" {
			t.Errorf("quarantined %+v", q)
		}
	}
	b = setup(t)
	b.delivery.refuse = func(line string) bool { return strings.Contains(line, `"sub_sequence_number":2`) }
	if failed := b.run(t, batch); failed != 1 || len(b.quarantine.all) != 0 {
		t.Errorf("failed at %d, %d quarantined", failed, len(b.quarantine.all))
	}
}
