package console

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"kindred/internal/stream/activity"
)

// TestWhatAVisitorDoesIsAnEventThatIsAnswered lets a visitor do anything: each deed is an event of their
// session that the function accepts, and the session has each product once, as it is now.
func TestWhatAVisitorDoesIsAnEventThatIsAnswered(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		v := &visitor{ID: "visitor-1", Customer: rapid.SampledFrom([]string{"", "103", "c-ä"}).Draw(t, "customer")}
		bought := map[string]bool{}
		for i := range rapid.IntRange(1, 80).Draw(t, "deeds") {
			product := fmt.Sprintf("p%d", rapid.IntRange(0, 60).Draw(t, "product"))
			action := rapid.SampledFrom([]string{doView, doCart, doBuy}).Draw(t, "action")
			data, err := v.did(action, product, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			event, err := activity.Parse(data)
			if err != nil {
				t.Fatalf("deed %d: %v: %s", i, err, data)
			}
			bought[product] = bought[product] || action == doBuy
			last := event.BrowseHistory[len(event.BrowseHistory)-1]
			if string(last.ProductCode) != product || last.InShoppingCart && action == doBuy ||
				action == doCart != last.InShoppingCart && action != doView || event.EventID != v.Sent[0].ID ||
				event.SessionID != v.ID || len(event.BrowseHistory) > mostHistory {
				t.Fatalf("after %s of %s the event is %s", action, product, data)
			}
			seen := map[activity.ID]bool{}
			for _, b := range event.BrowseHistory {
				if seen[b.ProductCode] || b.Purchased && !bought[string(b.ProductCode)] {
					t.Fatalf("the history is %s", data)
				}
				seen[b.ProductCode] = true
			}
		}
	})
}

func TestOldVisitorsAreForgotten(t *testing.T) {
	t.Parallel()
	var all visitors
	for i := range 3 * mostVisitors {
		all.with(fmt.Sprint(i), func(v *visitor) { v.Customer = "c" })
	}
	if last := all.copied(fmt.Sprint(3*mostVisitors - 1)); len(all.all) != mostVisitors || last.Customer != "c" {
		t.Errorf("%d visitors are kept, the last is %+v", len(all.all), last)
	}
}
