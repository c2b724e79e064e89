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

// TestAnswersFollowTheRulesForWhatWasBought makes random rules, histories and sessions. An answer holds
// no product that the rules hide, and each one that they show, because it has room for all. Where
// nothing is left, the popular products are shown, as always.
func TestAnswersFollowTheRulesForWhatWasBought(t *testing.T) {
	t.Parallel()
	base := recommendtest.Version("m1")
	rapid.Check(t, func(t *rapid.T) {
		v := *base
		v.Items, v.Customers = slices.Clone(base.Items), []modelversion.Customer{base.Customers[0]}
		v.Repeats = &modelversion.Repeats{Rule: modelversion.RepeatShow}
		c := &v.Customers[0]
		c.Rated, c.Last, c.Count = nil, nil, nil
		const room = 10 // an answer's length
		now := time.Now()
		var want, stocked []string
		var session []activity.Browse
		for i := range v.Items {
			item := &v.Items[i]
			if item.QuantityInStock = 0; i < room {
				item.QuantityInStock = int16(rapid.IntRange(0, 1).Draw(t, "stock"))
			}
			hours := rapid.IntRange(1, 72).Draw(t, "period")
			item.Repeat = rapid.SampledFrom([]modelversion.Repeat{modelversion.RepeatHide, modelversion.RepeatShow,
				modelversion.Repeat(hours * 3600)}).Draw(t, "rule")
			hidden := false
			if rapid.Bool().Draw(t, "bought") {
				// half an hour beside every period's end: the test may be slow
				ago := rapid.IntRange(0, 100).Draw(t, "hours ago")
				last := now.Add(-time.Duration(ago)*time.Hour - 30*time.Minute).Unix()
				hidden = item.Repeat == modelversion.RepeatHide || item.Repeat > 0 && ago < hours
				if rapid.IntRange(0, 5).Draw(t, "a time") == 0 {
					last, hidden = 0, item.Repeat != modelversion.RepeatShow
				}
				c.Rated, c.Last, c.Count = append(c.Rated, item.Code), append(c.Last, last), append(c.Count, 1)
			}
			viewed := i < room && rapid.IntRange(0, 4).Draw(t, "viewed") == 0
			if viewed {
				session = append(session, activity.Browse{ProductCode: activity.ID(item.Code), Quantity: 1})
			}
			if item.QuantityInStock > 0 && !viewed {
				if stocked = append(stocked, item.Code); !hidden {
					want = append(want, item.Code)
				}
			}
		}
		id := activity.ID(c.ID)
		event := &activity.Event{SessionID: "s", CustomerID: &id, BrowseHistory: session}
		answers, err := recommend.New(recommendtest.NewStore(&v)).Batch(t.Context(), []*activity.Event{event})
		if err != nil {
			t.Fatal(err)
		}
		if len(want) == 0 {
			want = stocked
		}
		got := codes(answers[0])
		slices.Sort(got)
		slices.Sort(want)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("answer %v, want %v", got, want)
		}
	})
}
