package recommend_test

import (
	"cmp"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/serving/recommend/recommendtest"
	"kindred/internal/stream/activity"
)

// TestNeighboursAddToTheScores compares answers of a version with neighbours with scores that are added
// up for every product: the best products are found, the scores are the sums, and the reason for a
// product is the browsed product with the largest share of its sum.
func TestNeighboursAddToTheScores(t *testing.T) {
	t.Parallel()
	v := recommendtest.Version("m0123456789abcde")
	recommendtest.AddNeighbours(v, 1, 12)
	v.Near.Customers[1] = nil // who has no history has no neighbours
	if err := v.Validate(); err != nil {
		t.Fatal(err)
	}
	recommender := recommend.New(recommendtest.NewStore(v))
	folder, err := ials.NewFolder(v.Solver)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(rt *rapid.T) {
		e := &activity.Event{SessionID: "s-1", Control: &activity.Control{Explain: true}}
		if rapid.Bool().Draw(rt, "known") {
			e.CustomerID = new(activity.ID(recommendtest.CustomerOfLine1))
		}
		browsed := rapid.SliceOfNDistinct(rapid.IntRange(0, len(v.Items)-1), 0, 8, rapid.ID).Draw(rt, "browsed")
		for _, i := range browsed {
			e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(v.Items[i].Code)})
		}
		answers, err := recommender.Batch(t.Context(), []*activity.Event{e})
		if err != nil {
			rt.Fatal(err)
		}
		if e.CustomerID == nil && len(browsed) == 0 { // popularity answers
			for i, x := range answers[0].Explanations {
				if score := answers[0].Items[i].Score; x.Popularity != score || x.Sum() != score {
					rt.Errorf("the popularity %g is explained as %+v", score, x)
				}
			}
			return
		}
		compareWithSums(rt, v, folder, e, browsed, answers[0])
	})
}

func compareWithSums(t *rapid.T, v *modelversion.Version, folder *ials.Folder, e *activity.Event, browsed []int,
	answer recommend.Answer) {
	var prior []float32
	var customer modelversion.Customer
	var near []modelversion.Neighbour
	if e.CustomerID != nil {
		at := slices.IndexFunc(v.Customers, func(c modelversion.Customer) bool { return c.ID == string(*e.CustomerID) })
		customer, near = v.Customers[at], v.Near.Customers[at]
		prior = customer.Vector
	}
	var seen []ials.Observation
	for _, i := range slices.Backward(browsed) { // the newest first, as serving folds them
		seen = append(seen, ials.Observation{Vector: v.Items[i].Vector, Weight: float32(v.Solver.ViewWeight)})
	}
	q, err := folder.Fold(prior, seen)
	if err != nil {
		t.Fatal(err)
	}
	says := func(list []modelversion.Neighbour, item int) float32 {
		for _, n := range list {
			if int(n.Item) == item {
				return n.Weight
			}
		}
		return 0
	}
	type scored struct {
		code, because string
		score         float32
	}
	var want []scored
	for i, it := range v.Items {
		if it.QuantityInStock <= 0 || slices.Contains(customer.Rated, it.Code) || slices.Contains(browsed, i) {
			continue
		}
		own, each := q.Contributions(it.Vector, nil)
		s, most := scored{code: it.Code, score: own + says(near, i)}, float32(0)
		for n, j := range slices.Backward(browsed) {
			x := each[len(browsed)-1-n] + float32(v.Solver.NearWeight)*says(v.Near.Items[j], i)
			s.score += x
			if x > most {
				s.because, most = v.Items[j].Code, x
			}
		}
		want = append(want, s)
	}
	slices.SortFunc(want, func(a, b scored) int { return cmp.Compare(b.score, a.score) })
	explained := answer.Explanations
	for i, got := range answer.Items {
		if sum := explained[i].Sum(); math.Abs(float64(sum-got.Score)) > 1e-4 {
			t.Errorf("the score %g of %s is explained as %+v: %g", got.Score, got.ID, explained[i], sum)
		}
		if parts := explained[i].Products; got.Because != "" && (len(parts) == 0 || parts[0].ID != got.Because) {
			t.Errorf("%s is recommended because of %s, and explained by %+v", got.ID, got.Because, parts)
		}
		at := slices.IndexFunc(want, func(s scored) bool { return s.code == got.ID })
		if at < 0 || math.Abs(float64(want[at].score-got.Score)) > 1e-4 || math.Abs(float64(want[i].score-got.Score)) > 1e-4 {
			t.Errorf("place %d is %+v, want %+v", i, got, want[i])
		} else if got.Because != want[at].because {
			t.Errorf("%s is recommended because of %q, want %q", got.ID, got.Because, want[at].because)
		}
	}
	if len(answer.Items) != min(10, len(want)) {
		t.Errorf("%d products, of %d that may be recommended", len(answer.Items), len(want))
	}
}

// TestACustomersNeighboursComeWithoutASession: last night's list counts before anything is viewed.
func TestACustomersNeighboursComeWithoutASession(t *testing.T) {
	t.Parallel()
	v := recommendtest.Version("m0123456789abcde")
	recommendtest.AddNeighbours(v, 1, 12)
	const far = 70 // of another line than the customer's
	v.Near.Customers[0] = []modelversion.Neighbour{{Item: far, Weight: 9}}
	answers, err := recommend.New(recommendtest.NewStore(v)).Batch(t.Context(),
		[]*activity.Event{{SessionID: "s", CustomerID: new(activity.ID(recommendtest.CustomerOfLine1))}})
	if err != nil {
		t.Fatal(err)
	}
	if got := answers[0]; got.Items[0].ID != v.Items[far].Code || got.Items[0].Score < 9 || got.Items[0].Because != "" ||
		got.Source != activity.SourceCustomer {
		t.Errorf("the first of %+v is not the neighbour", got)
	}
}
