package verify

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"

	"kindred/internal/stream/activity"
)

// shopClick lays an event on shard 0 that names a shop; "" names none. Shops number their events alike.
func (h *history) shopClick(shop string, number int) sent {
	event := fmt.Sprintf(`{"event_id":"%d","session_id":"s","browse_history":[],"by":%q`, number, shop)
	if shop != "" {
		event += fmt.Sprintf(`,"shop":%q`, shop)
	}
	return h.put("shard-0", "s", event+"}")
}

// answerBy is the answer of a shop's function.
func (h *history) answerBy(shop string, s sent) activity.Record {
	r := h.answer(s, ms)
	r.Recommendation.Shop = shop
	return r
}

func (h *history) auditOf(own string, all ...string) Report {
	h.t.Helper()
	shops, err := activity.NewShops(own, all)
	if err != nil {
		h.t.Fatal(err)
	}
	r, err := New(h, h.folder).Run(h.t.Context(), Options{Shops: shops})
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// TestAuditAccountsForOneShop audits a stream that three shops share, in the place of one after the
// other. What is wrong with one of them is no fault of the others.
func TestAuditAccountsForOneShop(t *testing.T) {
	t.Parallel()
	all := []string{"books", "toys", "garden"}
	book, toy, plant := newHistory(t), newHistory(t), newHistory(t)
	toy.records, plant.records = book.records, book.records // one stream
	named, unnamed := book.shopClick("books", 1), book.shopClick("", 2)
	unlisted, unreadable := book.shopClick("tools", 3), book.put("shard-0", "s", "no JSON")
	first := book.shopClick("toys", 1)
	faulty := book.put("shard-0", "s", `{"shop":"toys"}`)
	book.shopClick("toys", 2)
	book.shopClick("garden", 1)
	book.deliver(book.answerBy("books", named), book.answerBy("books", unnamed))
	book.quarantine(unlisted)
	book.quarantine(unreadable)
	toy.deliver(toy.answerBy("toys", first))
	toy.quarantine(faulty)
	toy.failBatch(true, named, first, unreadable) // its function passes over those of others

	r := book.auditOf("books", all...)
	if r.Fault() != nil || r.Events != 4 || r.Recommended != 2 || r.Quarantined != 2 || r.DistinctEvents != 4 ||
		r.ReusedIDs != 0 {
		t.Errorf("books: %v\n%s", r.Fault(), r)
	}
	if want := map[string]int64{"toys": 3, "garden": 1}; r.Shop != "books" || !maps.Equal(r.OtherShops, want) ||
		!strings.Contains(r.String(), "toys 3, garden 1") || !strings.Contains(r.String(),
		"Every event of the shop books since") {
		t.Errorf("books: %+v\n%s", r.OtherShops, r)
	}
	r = toy.auditOf("toys", all...)
	if !errors.Is(r.Fault(), ErrUnaccounted) || r.Events != 3 || r.Recommended != 1 || r.Quarantined != 1 || r.Lost != 1 ||
		r.WrongShop != 0 || r.Unknown != 0 || !maps.Equal(r.OtherShops, map[string]int64{"books": 4, "garden": 1}) {
		t.Errorf("toys: %v\n%s", r.Fault(), r)
	}
	if r = plant.auditOf("garden", all...); r.Events != 1 || r.Lost != 1 {
		t.Errorf("garden, which nobody answers:\n%s", r)
	}
	if r = book.auditOf("", []string{}...); r.Events != 8 || len(r.OtherShops) > 0 || r.ReusedIDs == 0 {
		t.Errorf("without a shop: %+v\n%s", r.OtherShops, r)
	}
	if r = newHistory(t).auditOf("books", all...); !errors.Is(r.Fault(), ErrNoEvents) || !strings.Contains(r.String(),
		"No event of the shop books") {
		t.Errorf("an empty stream: %v\n%s", r.Fault(), r)
	}
}

// TestAuditFindsAnswersByTheWrongShop lets a function answer an event of another shop, and delivers an
// answer to another shop's place.
func TestAuditFindsAnswersByTheWrongShop(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		event, by string
		wrong     int64
	}{
		"its own":                             {"books", "books", 0},
		"its own, before records named shops": {"books", "", 0},
		"another's event":                     {"toys", "books", 1},
		"another's event, by a function without a shop": {"toys", "", 1},
		"its own event, by another":                     {"books", "toys", 1},
		"another's answer to its own event":             {"toys", "toys", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHistory(t)
			h.deliver(h.answerBy("books", h.shopClick("books", 1)), h.answerBy(c.by, h.shopClick(c.event, 2)))
			r := h.auditOf("books", "books", "toys")
			if r.WrongShop != c.wrong || (c.wrong > 0) != errors.Is(r.Fault(), ErrUnaccounted) ||
				(c.wrong > 0) != strings.Contains(r.String(), "wrong_shop: shard-0 1001") || r.Lost+r.Unknown != 0 {
				t.Errorf("%d of the wrong shop, %v\n%s", r.WrongShop, r.Fault(), r)
			}
		})
	}
}
