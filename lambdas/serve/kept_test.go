package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// TestWhatIsKeptCountsOverHTTP: of the customer, also in an event that says only what is new.
func TestWhatIsKeptCountsOverHTTP(t *testing.T) {
	t.Parallel()
	b := setup(t)
	order := activity.Order{At: time.Now()}
	err := b.store.WriteState(t.Context(), recommend.State{
		Visits: []activity.Visit{{EventID: "e", Session: "s", Customer: "new", Place: order, Order: order,
			Clicks: []activity.Click{{Product: "L2_07", Kind: activity.ClickView}}}},
		Customers: []activity.CustomerWrite{{ID: "new", Order: order, Hidden: map[string]bool{"L2_08": true}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	const post = "/recommendations"
	continued := func(session string) string {
		return `{"session_id":"` + session + `","continues_session":true,"browse_history":[]}`
	}
	for name, q := range map[string]struct {
		method, path, body string
		source             activity.Source
	}{
		"GET":           {http.MethodGet, "/customers/new/recommendations", "", activity.SourceSession},
		"other":         {http.MethodGet, "/customers/other/recommendations", "", activity.SourcePopularity},
		"session":       {http.MethodPost, post, continued("s"), activity.SourceSession},
		"other session": {http.MethodPost, post, continued("z"), activity.SourcePopularity},
		"its customer": {http.MethodPost, post, `{"session_id":"z","customer_number":"new","browse_history":[]}`,
			activity.SourceSession},
	} {
		status, _, body := b.call(t, q.method, q.path, q.body)
		if status != http.StatusOK || !strings.Contains(body, `"source":"`+string(q.source)+`"`) {
			t.Errorf("%s: %d %s", name, status, body)
		}
		customer := q.method == http.MethodGet && q.source == activity.SourceSession || name == "its customer"
		if shown := strings.Contains(body, `"id":"L2_08"`); customer && shown {
			t.Errorf("%s shows what the customer hides: %s", name, body)
		}
	}
}
