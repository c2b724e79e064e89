package activity

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kindred/internal/platform/golden"
)

// TestGoldenRecord holds a recommendation record as it is delivered: one line that begins with the
// event as it came, and ends with a checksum. The event is an input that the test only reads.
func TestGoldenRecord(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "event.json"))
	if err != nil {
		t.Fatal(err)
	}
	event, err := Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	arrived := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	position := Position{"activity", "shardId-000000000000", "49660000000000000000000000000000000000000000000000000001",
		event.SessionID, arrived, 0}
	id := EventID(event, position)
	record := Record{
		Event:            bytes.TrimSpace(raw),
		RecommendedItems: []RecommendedItem{{ID: "S10_1678", Score: 0.75, Because: "S18_1749"}, {ID: "S12_1099", Score: 0.5}},
		SimilarItems: &SimilarItems{ProductCode: "S18_1749",
			SimilarItems: []SimilarItem{{ID: "S24_2022", Distance: 0.125}}},
		Recommendation: Recommendation{ID: RecommendationID(id, ""), EventID: id, ModelVersion: "m0123456789abcde",
			Source: SourceSession, GeneratedAt: arrived.Add(12500 * time.Microsecond), LatencyMS: 12.5, Position: position},
	}
	line, err := record.AppendSealed(nil)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Count(line, []byte("\n")) != 1 {
		t.Errorf("the record is not one line: %q", line)
	}
	golden.Equal(t, "record.json", golden.Indent(t, line))
}
