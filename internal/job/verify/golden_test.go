package verify

import (
	"encoding/json"
	"regexp"
	"testing"
	"time"

	"kindred/internal/platform/golden"
)

// TestGoldenReport holds the report, as JSON and as text, of a history with an event that its producer
// put on the stream twice and nobody answered. Only times depend on when the test runs.
func TestGoldenReport(t *testing.T) {
	t.Parallel()
	h := newHistory(t)
	first, second := h.click("shard-0", "a"), h.click("shard-0", "a")
	lost := h.click("shard-0", "b")
	h.put("shard-0", "b", string(lost.data))
	h.quarantine(h.put("shard-0", "a", "no JSON"))
	h.deliver(h.answer(first, 10*ms), h.answer(second, 20*ms), h.answer(h.click("shard-1", "c"), 40*ms))
	h.failBatch(true, h.click("shard-0", "d"))
	r := h.audit()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r.Since, r.Seconds = at.Add(-time.Hour), 1.5
	for i := range r.Findings {
		r.Findings[i].ArrivedAt = at.Add(r.Findings[i].ArrivedAt.Sub(h.began))
	}
	r.LatencyMS = Percentiles{P50: 20, P99: 40, Max: 40} // a histogram rounds
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, "report.json", golden.Indent(t, data))
	golden.Equal(t, "report.txt", []byte(regexp.MustCompile(` +\n`).ReplaceAllString(r.String(), "\n")+"\n"))
}
