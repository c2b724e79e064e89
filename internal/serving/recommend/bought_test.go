package recommend_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// TestAnswersLeaveOutWhatEventsSayWasBought makes random rules and purchases. An event on the stream is
// answered from those up to its own place, whatever has been written since, and a question over HTTP
// from all of them. Products are hidden as the version's rules say.
func TestAnswersLeaveOutWhatEventsSayWasBought(t *testing.T) {
	t.Parallel()
	base := recommendtest.Version("m1")
	rapid.Check(t, func(t *rapid.T) {
		v := *base
		v.Items, v.Customers = slices.Clone(base.Items), nil
		const room = 10 // an answer's length
		withRules := rapid.Bool().Draw(t, "with rules")
		if withRules {
			v.Repeats = &modelversion.Repeats{Rule: modelversion.RepeatShow}
		}
		now := time.Now()
		asked := activity.Order{At: now.Add(-50 * time.Hour), Sequence: "5", Sub: 1}
		if rapid.Bool().Draw(t, "over HTTP") {
			asked = activity.Order{}
		}
		id := activity.ID("somebody")
		var purchases []recommend.Purchase
		var want []string
		for i := range v.Items {
			item := &v.Items[i]
			if item.QuantityInStock = 1; i >= room {
				item.QuantityInStock = 0
				continue
			}
			hours := rapid.IntRange(1, 72).Draw(t, "period")
			if withRules {
				item.Repeat = rapid.SampledFrom([]modelversion.Repeat{modelversion.RepeatHide, modelversion.RepeatShow,
					modelversion.Repeat(hours * 3600)}).Draw(t, "rule")
			}
			hidden := false
			for n := range rapid.IntRange(0, 2).Draw(t, "times bought") {
				ago := rapid.IntRange(0, 100).Draw(t, "hours ago")
				order := activity.Order{At: now.Add(-time.Duration(ago)*time.Hour - 30*time.Minute), Sequence: "7"}
				if rapid.IntRange(0, 3).Draw(t, "close by") == 0 {
					ago, order = 50, activity.Order{At: now.Add(-50 * time.Hour),
						Sequence: rapid.SampledFrom([]string{"4", "5", "6", "10"}).Draw(t, "sequence"), Sub: int64(n)}
				}
				purchases = append(purchases, recommend.Purchase{Customer: string(id), Session: fmt.Sprint("s", n),
					Product: item.Code, Order: order})
				if asked == (activity.Order{}) || !order.After(asked) {
					hidden = hidden || item.Repeat == modelversion.RepeatHide || item.Repeat > 0 && ago < hours
				}
			}
			if !hidden {
				want = append(want, item.Code)
			}
		}
		store := recommendtest.NewStore(&v)
		if err := store.WriteState(t.Context(), recommend.State{Purchases: purchases}); err != nil {
			t.Fatal(err)
		}
		event := &activity.Event{SessionID: "s", CustomerID: &id, Place: asked}
		answers, err := recommend.New(store).Batch(t.Context(), []*activity.Event{event})
		if err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 { // better a known product than an empty page
			for _, it := range v.Items[:room] {
				want = append(want, it.Code)
			}
		}
		got := codes(answers[0])
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("answer %v, want %v", got, want)
		}
	})
}

func TestPurchasesOfAnEvent(t *testing.T) {
	t.Parallel()
	e := event("7", "", "A", "B")
	p := activity.Position{Stream: "s", Shard: "0", SequenceNumber: "12", SubSequenceNumber: 3,
		ArrivedAt: time.UnixMilli(1_790_000_000_001)}
	e.Place = p.Order()
	if got := recommend.Purchases(nil, e); got != nil {
		t.Errorf("nothing was bought: %v", got)
	}
	for _, i := range []int{0, 1, 1} {
		b := e.BrowseHistory[i]
		b.Purchased = true
		e.BrowseHistory = append(e.BrowseHistory, b)
	}
	want := []recommend.Purchase{{Customer: "7", Session: e.SessionID, Product: "B", Order: p.Order()},
		{Customer: "7", Session: e.SessionID, Product: "A", Order: p.Order()}}
	if got := recommend.Purchases(nil, e); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	e.CustomerID = nil
	if got := recommend.Purchases(nil, e); got != nil {
		t.Errorf("an anonymous visitor bought: %v", got)
	}
	many := event("7", "")
	for i := range 3 * recommend.SessionItems {
		many.BrowseHistory = append(many.BrowseHistory,
			activity.Browse{ProductCode: activity.ID(fmt.Sprint(i)), Purchased: true})
	}
	if got := recommend.Purchases(want, many); len(got) != len(want)+recommend.SessionItems {
		t.Errorf("%d purchases of a long session", len(got)-len(want))
	}
}

// TestAPurchaseThatIsSentAgainStaysForgotten sends purchases of every form before and after a customer is
// forgotten, and all of them again, once more each time: from each attempt the same purchases are left.
func TestAPurchaseThatIsSentAgainStaysForgotten(t *testing.T) {
	t.Parallel()
	const customer, entry = `"customer_number":"new"`, `"browse_history":[{"product_code":"L2_07","quantity":1,"purchased":true}]`
	forms := []string{`{"type":"interaction","kind":"purchase","product_code":"L2_07",` + customer,
		`{"session_id":"A","continues_session":true,` + customer + `,` + entry, `{"session_id":"A",` + customer + `,` + entry}
	rapid.Check(t, func(t *rapid.T) {
		const forgotten = 10_000
		store := recommendtest.NewStore(recommendtest.Version("m1"))
		left := false
		var events []activity.Item
		for n := range rapid.IntRange(1, 4).Draw(t, "events") {
			form := rapid.SampledFrom(forms).Draw(t, "form")
			place := forgotten + rapid.SampledFrom([]int{-500, -200, -1, 1, 500}).Draw(t, "place")*10 + n
			said, more := place, fmt.Sprintf(`,"event_id":"e%d"`, n)
			switch rapid.IntRange(0, 3).Draw(t, "time") {
			case 1:
				said = place + rapid.IntRange(-3000, 299).Draw(t, "seconds")
				at := begin.Add(time.Duration(said)*time.Second + time.Millisecond)
				more += fmt.Sprintf(`,"occurred_at":%q`, at.Format(time.RFC3339Nano))
			case 2:
				if form == forms[2] { // anything may stand there
					at := rapid.SampledFrom([]string{"now", begin.Add(time.Hour * 9).Format(time.RFC3339)}).Draw(t, "wrong")
					more += fmt.Sprintf(`,"occurred_at":%q`, at)
				}
			}
			events = append(events, itemAt(t, place, form+more+`}`))
			left = left || said >= forgotten
		}
		mustWrite(t, store, placed(t, forgotten, `{"type":"customer","customer_number":"new","forget":true}`))
		for attempt := range 3 {
			for i := range events {
				mustWrite(t, store, events[i].Event)
				events[i] = itemAt(t, 50_000*(attempt+1)+i, string(activity.Again(events[i])))
			}
			traffic, err := store.Traffic(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			found, err := store.Lookup(t.Context(), traffic.Live, nil, []string{"new"}, nil, activity.Order{})
			if err != nil || len(found.Bought["new"]) > 0 != left {
				t.Fatalf("attempt %d: %v, %v; want any: %v", attempt, found.Bought, err, left)
			}
		}
	})
}
