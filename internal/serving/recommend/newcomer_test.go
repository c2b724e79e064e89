package recommend_test

import (
	"math"
	"testing"

	"kindred/internal/model/ials"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// TestNewcomersStartFromAShareOfWhatIsKnown: a session is folded onto a share of the features' vector,
// or of the mean, and a customer's onto their whole trained vector.
func TestNewcomersStartFromAShareOfWhatIsKnown(t *testing.T) {
	t.Parallel()
	v := recommendtest.Version("m0123456789abcde")
	v.Solver.NewcomerShare = 0.5
	for i := range v.Encoder.Bias {
		v.Encoder.Bias[i] = float32(i%3) / 4
	}
	recommender := recommend.New(recommendtest.NewStore(v))
	folder, err := ials.NewFolder(v.Solver)
	if err != nil {
		t.Fatal(err)
	}
	half := func(vector []float32) []float32 {
		halved := make([]float32, len(vector))
		for i, x := range vector {
			halved[i] = x / 2
		}
		return halved
	}
	var trained []float32
	for _, c := range v.Customers {
		if c.ID == recommendtest.CustomerOfLine1 {
			trained = c.Vector
		}
	}
	for name, test := range map[string]struct {
		event activity.Event
		prior []float32
	}{
		"nothing is known":      {activity.Event{}, half(v.Encoder.Bias)},
		"the country is":        {activity.Event{Country: "France"}, half(v.Encoder.Vector([]string{"country=France"}))},
		"the customer is new":   {activity.Event{CustomerID: new(activity.ID("who?"))}, half(v.Encoder.Bias)},
		"the customer is known": {activity.Event{CustomerID: new(activity.ID(recommendtest.CustomerOfLine1))}, trained},
	} {
		test.event.SessionID = "s"
		test.event.BrowseHistory = []activity.Browse{{ProductCode: activity.ID(v.Items[0].Code)}}
		answers, err := recommender.Batch(t.Context(), []*activity.Event{&test.event})
		if err != nil {
			t.Fatal(err)
		}
		q, err := folder.Fold(test.prior, []ials.Observation{{Vector: v.Items[0].Vector,
			Weight: float32(v.Solver.ViewWeight)}})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range answers[0].Items {
			for _, it := range v.Items {
				if it.Code != item.ID {
					continue
				}
				if want := product(q.Vector(), it.Vector); math.Abs(float64(item.Score-want)) > 1e-5 {
					t.Errorf("%s: %s has the score %g, want %g", name, item.ID, item.Score, want)
				}
			}
		}
		if len(answers[0].Items) == 0 {
			t.Errorf("%s: no answer", name)
		}
	}
}

func product(a, b []float32) (sum float32) {
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}
