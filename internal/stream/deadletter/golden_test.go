package deadletter

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kindred/internal/platform/golden"
	"kindred/internal/stream/activity"
)

// TestGoldenQuarantine holds a quarantine record. Read must find in it what Write was given.
func TestGoldenQuarantine(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := activity.Position{Stream: "activity", Shard: "shardId-000000000000",
		SequenceNumber: "49660000000000000000000000000000000000000000000000000002", PartitionKey: "s-2", ArrivedAt: at}
	q := activity.Quarantined{Reason: activity.ReasonNotUTF8, Message: "the event is not valid UTF-8",
		EventID: activity.EventID(nil, p), Position: p, QuarantinedAt: at.Add(time.Second),
		Data: []byte("{\"session_id\":\"\xff\"}")}
	store := &memory{objects: map[string][]byte{}}
	if err := NewQuarantine(store).Write(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	data := store.objects[Key(p)]
	golden.Equal(t, "quarantine.json", golden.Indent(t, data))
	letter, err := Read(Key(p), data)
	if err != nil || letter.Quarantined == nil || !bytes.Equal(letter.Quarantined.Data, q.Data) {
		t.Errorf("reads %+v, error %v", letter, err)
	}
}

// TestGoldenBatch reads a failed batch in AWS's form, where the payload is a text that holds JSON. The
// file is an input: AWS writes it, and no code of ours.
func TestGoldenBatch(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join("testdata", "failedbatch.json"))
	if err != nil {
		t.Fatal(err)
	}
	letter, err := Read("aws/lambda/0b0d6b83/shardId-000000000000/2026/03/01/batch", data)
	if err != nil {
		t.Fatal(err)
	}
	records := letter.Records()
	if len(records) != 1 || letter.Batch.Stream != "activity" || !json.Valid(records[0].Data) ||
		records[0].Position.PartitionKey != "s-1" {
		t.Errorf("reads %+v", letter)
	}
}
