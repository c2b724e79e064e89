package acceptance

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kindred/internal/stream/activity"
)

// TestGlueTableHasEveryFieldOfARecord compares the type of the table's column `recommendation` with a
// delivered record in which every field has a value.
func TestGlueTableHasEveryFieldOfARecord(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	line, err := activity.Record{Event: []byte(`{"session_id":"s","browse_history":[]}`),
		Recommendation: activity.Recommendation{
			ID: "i", EventID: "e", ModelVersion: "m", Source: activity.SourceSession, GeneratedAt: at, LatencyMS: 1,
			Position: activity.Position{Stream: "s", Shard: "h", SequenceNumber: "1", PartitionKey: "k", ArrivedAt: at,
				SubSequenceNumber: 1}}}.AppendSealed(nil)
	if err != nil {
		t.Fatal(err)
	}
	var record struct{ Recommendation map[string]any }
	if err := json.Unmarshal(line, &record); err != nil {
		t.Fatal(err)
	}
	var want []string
	for name, value := range record.Recommendation {
		want = append(want, name)
		if position, ok := value.(map[string]any); ok {
			for name := range position {
				want = append(want, name)
			}
		}
	}
	module, err := os.ReadFile("../modules/etl/main.tf")
	if err != nil {
		t.Fatal(err)
	}
	column := regexp.MustCompile(`\["recommendation", "([^"]+)"\]`).FindStringSubmatch(string(module))
	if column == nil {
		t.Fatal("the table has no column recommendation")
	}
	var got []string
	for _, field := range regexp.MustCompile(`(\w+):`).FindAllStringSubmatch(column[1], -1) {
		got = append(got, field[1])
	}
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("the table has the fields %s, a record has %s", strings.Join(got, ", "), strings.Join(want, ", "))
	}
}
