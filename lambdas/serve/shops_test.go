package main

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// TestEventOfAnotherShopIsRefused posts events to the server of one shop.
func TestEventOfAnotherShopIsRefused(t *testing.T) {
	t.Parallel()
	shops, err := activity.NewShops("books", nil)
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t)
	b.handler = newHandler(parts{recommender: recommend.New(b.store), checker: b.store, recorder: b.records, shops: shops,
		log: slog.New(slog.DiscardHandler), now: time.Now})
	for shop, want := range map[string]int{"books": http.StatusOK, "": http.StatusOK,
		"toys": http.StatusUnprocessableEntity} {
		event := `{"session_id":"s","browse_history":[]}`
		if shop != "" {
			event = `{"shop":"` + shop + `",` + event[1:]
		}
		status, _, body := b.call(t, http.MethodPost, "/recommendations", event)
		if status != want {
			t.Errorf("%s: %d %s", event, status, body)
		}
		if status != http.StatusOK {
			var p problem
			if err := json.Unmarshal([]byte(body), &p); err != nil || p.Reason != activity.ReasonUnknownShop ||
				strings.Contains(body, shop) {
				t.Errorf("%s: %v %s", event, err, body)
			}
			continue
		}
		if r, err := activity.ParseRecord([]byte(body)); err != nil || r.Recommendation.Shop != "books" {
			t.Errorf("%s: %v %s", event, err, body)
		}
	}
}
