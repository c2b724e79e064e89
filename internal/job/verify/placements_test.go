package verify

import (
	"fmt"
	"testing"
	"time"

	"kindred/internal/stream/activity"
)

// page lays an event on shard 0 that asks for two placements.
func (h *history) page() sent {
	return h.put("shard-0", "p", fmt.Sprintf(`{"event_id":"page-%d","session_id":"p","browse_history":[],`+
		`"kindred":{"placements":["home","cart"]}}`, len(h.records["shard-0"])))
}

// strip is the record of a placement of s.
func (h *history) strip(s sent, placement string, d time.Duration) activity.Record {
	r := h.answer(s, d)
	r.Recommendation.Placement, r.Recommendation.Query = placement, "0123456789abcdef"
	r.Recommendation.ID = activity.RecommendationID(r.Recommendation.EventID, placement)
	return r
}

// TestAuditCountsAPageOnce: an event is answered when all its strips are delivered; only what comes again is a
// duplicate.
func TestAuditCountsAPageOnce(t *testing.T) {
	t.Parallel()
	answered := func(f *figures) { f.Events++; f.Distinct++; f.Recommended++ }
	testDamage(t,
		damageCase{name: "a page", healthy: true, change: answered,
			damage: func(h *history, _ []sent) {
				s := h.page()
				h.deliver(h.strip(s, "home", 10*ms), h.strip(s, "cart", 10*ms))
			}},
		damageCase{name: "a page whose retry delivers a strip again", healthy: true,
			change: func(f *figures) { answered(f); f.Duplicates++ },
			damage: func(h *history, _ []sent) {
				s := h.page()
				h.deliver(h.strip(s, "home", 10*ms))
				h.deliver(h.strip(s, "home", 20*ms), h.strip(s, "cart", 20*ms))
			}},
		damageCase{name: "a page without one of its strips", finding: "lost: shard-0 1004",
			change: func(f *figures) { f.Events++; f.Distinct++; f.Lost++; f.DistinctLost++; f.NotReached++ },
			damage: func(h *history, _ []sent) { h.deliver(h.strip(h.page(), "cart", 10*ms)) }},
		damageCase{name: "a page of which a part was delivered before Lambda gave up",
			change: func(f *figures) { f.Events++; f.Distinct++; f.OnFailure++ }, healthy: true,
			damage: func(h *history, _ []sent) {
				s := h.page()
				h.deliver(h.strip(s, "home", 10*ms))
				h.failBatch(false, s)
			}},
		damageCase{name: "a strip that the page did not ask for", finding: "wrong_event: shard-0 1004",
			change: func(f *figures) { answered(f); f.WrongEvent++; f.Duplicates++ },
			damage: func(h *history, _ []sent) {
				s := h.page()
				h.deliver(h.strip(s, "home", 10*ms), h.strip(s, "cart", 10*ms), h.strip(s, "top", 10*ms))
			}},
		damageCase{name: "a strip with the id of another", finding: "wrong_event: shard-0 1004",
			change: func(f *figures) { answered(f); f.WrongEvent++ },
			damage: func(h *history, _ []sent) {
				s := h.page()
				wrong := h.strip(s, "cart", 10*ms)
				wrong.Recommendation.ID = activity.RecommendationID(wrong.Recommendation.EventID, "home")
				h.deliver(h.strip(s, "home", 10*ms), wrong)
			}},
	)
}
