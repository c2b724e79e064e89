package verify

import (
	"fmt"
	"testing"

	"kindred/internal/stream/activity"
)

// TestAuditAccountsForStateAsForClicks says something of products: once written, once lost.
func TestAuditAccountsForStateAsForClicks(t *testing.T) {
	t.Parallel()
	product := func(h *history, id string) sent {
		return h.put("shard-0", "p", fmt.Sprintf(`{"type":"product","event_id":%q,"product_code":"p","stock":0}`, id))
	}
	written := func(h *history, s sent) activity.Record {
		r := h.answer(s, 10*ms)
		r.RecommendedItems, r.Recommendation.Source, r.Recommendation.ModelVersion = nil, activity.SourceState, ""
		return r
	}
	testDamage(t,
		damageCase{name: "what was written",
			damage: func(h *history, _ []sent) {
				s := product(h, "p1")
				h.deliver(written(h, s))
				h.deliver(written(h, h.put("shard-0", "p", string(activity.Again(activity.Item{Position: s.position, Data: s.data,
					Event: &activity.Event{EventID: "p1", Type: activity.TypeProduct}})))))
			},
			change:  func(f *figures) { f.Events += 2; f.Distinct++; f.Recommended += 2; f.Duplicates++ },
			finding: "session 4, state 2", healthy: true},
		damageCase{name: "what was lost",
			damage:  func(h *history, _ []sent) { product(h, "p1") },
			change:  func(f *figures) { f.Events++; f.Distinct++; f.Lost++; f.DistinctLost++; f.NotReached++ },
			finding: "lost: shard-0 1004"},
	)
}
