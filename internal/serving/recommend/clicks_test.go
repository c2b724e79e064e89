package recommend_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

func clickWeights() *rapid.Generator[nextitem.Weights] {
	return rapid.Custom(func(t *rapid.T) nextitem.Weights {
		share, amount := rapid.Float64Range(0, 1), rapid.Float64Range(0, 3)
		return nextitem.Weights{View: amount.Draw(t, "view"), Near: amount.Draw(t, "near"),
			Clicks: modelversion.Clicks{Recency: share.Draw(t, "recency"), Fading: share.Draw(t, "fading"),
				Again: amount.Draw(t, "again"), Memory: share.Draw(t, "memory"),
				Last: rapid.SampledFrom([]float64{-1, 0, 0.4, 2}).Draw(t, "last")}}
	})
}

// TestClicksScoreAsTheRankerDoes compares what is served with what evaluation measured, for any weights.
func TestClicksScoreAsTheRankerDoes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		c, err := recommendtest.NewClicks(t.Context(), "m0123456789abcde", rapid.Uint64Range(0, 5).Draw(rt, "seed"),
			clickWeights().Draw(rt, "weights"))
		if err != nil {
			rt.Fatal(err)
		}
		c.Compare(rt, recommend.New(recommendtest.NewStore(c.Version)))
	})
}

// TestClicksHideWhatIsInTheCart: visitors come back to what they looked at, not to what they took.
func TestClicksHideWhatIsInTheCart(t *testing.T) {
	t.Parallel()
	c, err := recommendtest.NewClicks(t.Context(), "m0123456789abcde", 1, nextitem.Weights{View: 1, Near: 1,
		Clicks: modelversion.Clicks{Recency: 1, Fading: 1, Again: 9, Memory: 1, Last: 9}})
	if err != nil {
		t.Fatal(err)
	}
	history := []activity.Browse{{ProductCode: "ü'1", InShoppingCart: true}, {ProductCode: "ü'2", Purchased: true},
		{ProductCode: "ü'3"}, {ProductCode: "ü'1"}, {ProductCode: "ü'4"}}
	answers, err := recommend.New(recommendtest.NewStore(c.Version)).Batch(t.Context(),
		[]*activity.Event{{SessionID: "s", BrowseHistory: history}})
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, p := range answers[0].Items {
		codes = append(codes, p.ID)
	}
	if !slices.Contains(codes, "ü'3") || !slices.Contains(codes, "ü'4") || slices.Contains(codes, "ü'1") ||
		slices.Contains(codes, "ü'2") {
		t.Errorf("recommended are %q", codes)
	}
}
