package recommendtest

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/modelversion"
	"kindred/internal/model/nextitem"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Clicks is a ranker of sessions, and the version that serves it.
type Clicks struct {
	Log     *nextitem.Log
	Blend   *nextitem.Blend
	Version *modelversion.Version
}

// NewClicks learns from made-up sessions, which walk along a ring of items and come back to some.
func NewClicks(ctx context.Context, id string, seed uint64, w nextitem.Weights) (*Clicks, error) {
	const items, sessions = 40, 200
	rng := rand.New(rand.NewPCG(seed, 29))
	l := &nextitem.Log{}
	for i := range items {
		l.Items = append(l.Items, fmt.Sprintf("ü'%d", (i*17)%items)) // not in the order of their codes
	}
	for s := range sessions {
		at, session := rng.IntN(items), nextitem.Session{}
		for i := range 3 + rng.IntN(5) {
			session.Items, session.Times = append(session.Items, int32(at)), append(session.Times, float64(100*s+i))
			if at = (at + 1 + rng.IntN(2)) % items; rng.IntN(4) == 0 {
				at = int(session.Items[0])
			}
		}
		l.Sessions = append(l.Sessions, session)
	}
	f, err := nextitem.NewFactors(ctx, l, nextitem.FactorOptions{Dim: 6, Alpha0: 0.05, Lambda: 0.02, Epochs: 3}, seed, 1,
		func(int) {})
	if err != nil {
		return nil, err
	}
	c := &Clicks{Log: l}
	c.Blend = nextitem.NewBlend(l, f, nextitem.Near(l, nextitem.PairOptions{Gap: 0.5, Earlier: 0.5, Rarity: 0.2}, 1), w)
	c.Version = c.Blend.Version(l, 1)
	c.Version.ID, c.Version.Report.Verdict = id, modelversion.NewVerdict(modelversion.OutcomePassed,
		modelversion.WithBaselines)
	return c, c.Version.Validate()
}

// Compare asks for a session, and compares scores, places and explanations with the ranker's.
func (c *Clicks) Compare(t *rapid.T, ask *recommend.Recommender) {
	clicks := rapid.SliceOfN(rapid.Int32Range(nextitem.Unknown, int32(len(c.Log.Items)-1)), 1, 22).Draw(t, "clicks")
	e := &activity.Event{SessionID: "s", Control: &activity.Control{Limit: new(nextitem.Cut), Explain: true}}
	for _, item := range clicks {
		code := "unknown"
		if item != nextitem.Unknown {
			code = c.Log.Items[item]
		}
		e.BrowseHistory = append(e.BrowseHistory, activity.Browse{ProductCode: activity.ID(code)})
	}
	answers, err := ask.Batch(t.Context(), []*activity.Event{e})
	if err != nil {
		t.Fatal(err)
	}
	scores := make([]float32, len(c.Log.Items))
	c.Blend.Rank([][]int32{clicks}, scores)
	best := slices.SortedFunc(slices.Values(scores), func(a, b float32) int { return cmp.Compare(b, a) })
	got := answers[0]
	if len(got.Items) != nextitem.Cut {
		t.Fatalf("%d products", len(got.Items))
	}
	for place, p := range got.Items {
		item := int32(slices.Index(c.Log.Items, p.ID))
		if !near(p.Score, best[place]) || !near(p.Score, scores[item]) {
			t.Fatalf("place %d is %s with %g; the ranker gives it %g, and that place %g", place, p.ID, p.Score, scores[item],
				best[place])
		}
		c.compareReasons(t, clicks, item, p, got.Explanations[place])
	}
}

// compareReasons compares what each product of the session is said to add, and the reason for a product.
func (c *Clicks) compareReasons(t *rapid.T, clicks []int32, item int32, p activity.RecommendedItem,
	said recommend.Explanation) {
	if !near(said.Sum(), p.Score) {
		t.Fatalf("%s has %g, and its explanation adds up to %g", p.ID, p.Score, said.Sum())
	}
	each, err := c.Blend.Explain(clicks, item)
	if err != nil {
		t.Fatal(err)
	}
	var most float32
	reasons := map[string]float32{}
	for i, x := range each {
		if x != 0 {
			reasons[c.Log.Items[clicks[i]]] = x
		}
		most = max(most, x)
	}
	for _, of := range said.Products {
		if !near(of.Score, reasons[of.ID]) {
			t.Fatalf("%s is said to add %g to %s, and adds %g", of.ID, of.Score, p.ID, reasons[of.ID])
		}
		delete(reasons, of.ID)
	}
	for code, x := range reasons {
		if !near(x, 0) {
			t.Fatalf("%s adds %g to %s, and is not named", code, x, p.ID)
		}
	}
	if p.Because != "" && len(said.Products) > 0 && !near(said.Products[0].Score, most) || p.Because == "" && most > 1e-4 {
		t.Fatalf("%s is recommended because of %q; the most that one adds is %g", p.ID, p.Because, most)
	}
}

func near(a, b float32) bool { return math.Abs(float64(a-b)) <= 2e-4*(1+math.Abs(float64(b))) }

// testClicks asks versions that read the order of clicks: they score as the ranker does.
func testClicks(t *testing.T, open func(t *testing.T, s Setup) Conformer) {
	for i, w := range []nextitem.Weights{
		{View: 1, Near: 0.3, Clicks: modelversion.Clicks{Recency: 0.7, Fading: 0.5, Again: 0.2, Memory: 0.85, Last: -1}},
		{View: 4, Near: 0, Clicks: modelversion.Clicks{Recency: 0, Fading: 1, Again: 0, Memory: 0, Last: 0.3}},
		{View: 0.5, Near: 2, Clicks: modelversion.Clicks{Recency: 1, Fading: 0, Again: 1, Memory: 1, Last: 0}},
	} {
		c, err := NewClicks(t.Context(), gridID(uint64(50+i)), uint64(i), w)
		if err != nil {
			t.Fatal(err)
		}
		ask := recommend.New(open(t, Setup{Live: c.Version}))
		rapid.Check(t, func(rt *rapid.T) { c.Compare(rt, ask) })
	}
}
