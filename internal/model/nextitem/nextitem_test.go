package nextitem

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"kindred/internal/model/modelversion"
)

// mustLog draws sessions that walk along a ring of items, so that there is something to learn.
func mustLog(t *testing.T, items, sessions int, seed uint64) *Log {
	t.Helper()
	rng := rand.New(rand.NewPCG(seed, seed))
	l := &Log{}
	for i := range items {
		l.Items = append(l.Items, fmt.Sprintf("item-%d", i))
	}
	for s := range sessions {
		at, session := rng.IntN(items), Session{}
		for i := range 2 + rng.IntN(6) {
			session.Items = append(session.Items, int32(at))
			session.Times = append(session.Times, float64(1000*s+i))
			switch rng.IntN(6) {
			case 0:
				at = rng.IntN(items)
			case 1:
				at = int(session.Items[rng.IntN(len(session.Items))])
			default:
				at = (at + 1 + rng.IntN(2)) % items
			}
		}
		l.Sessions = append(l.Sessions, session)
	}
	return l.Ordered()
}

func mustBlend(t *testing.T, train *Log, pairs PairOptions, w Weights) *Blend {
	t.Helper()
	f, err := NewFactors(t.Context(), train, FactorOptions{Dim: 8, Alpha0: 0.05, Lambda: 0.02, Epochs: 4}, 1, 2,
		func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	return NewBlend(train, f, Near(train, pairs, 2), w)
}

// TestMeasureCountsAsDefined compares with figures worked out by hand.
func TestMeasureCountsAsDefined(t *testing.T) {
	t.Parallel()
	test := &Log{Items: make([]string, 30), Sessions: []Session{
		{Items: []int32{0, 1, 0}, Times: []float64{1, 2, 3}},
		{Items: []int32{5, Unknown, 2}, Times: []float64{1, 2, 3}},
		{Items: []int32{7}, Times: []float64{1}},
	}}
	answers, err := Measure(t.Context(), test, 2, Each(func(clicks []int32, scores []float32) {
		hide(scores)
		switch {
		case len(clicks) == 1: // 1 is third, after the tie of 0 and 9
			scores[0], scores[9], scores[1] = 2, 2, 1
		case clicks[0] == 0: // 0 shares places 1 and 2
			scores[0], scores[9] = 2, 2
		default: // 2 shares places 20 to 22 with two others
			for i := range 22 {
				scores[i+3] = 5
			}
			for i := range 3 {
				scores[i], scores[i+3] = 1, NotShown
			}
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	want := []Answer{
		{Session: 0, Position: 1, Unseen: true, Hit: 1, Reciprocal: 1.0 / 3},
		{Session: 0, Position: 2, Unseen: false, Hit: 1, Reciprocal: 0.75},
		{Session: 1, Position: 1, Unseen: true},
		{Session: 1, Position: 2, Unseen: true, Hit: 1.0 / 3, Reciprocal: 1.0 / 3 / 20},
	}
	if len(answers) != len(want) {
		t.Fatalf("%d answers, want %d", len(answers), len(want))
	}
	for i, a := range answers {
		if a.Session != want[i].Session || a.Position != want[i].Position || a.Unseen != want[i].Unseen ||
			math.Abs(a.Hit-want[i].Hit) > 1e-9 || math.Abs(a.Reciprocal-want[i].Reciprocal) > 1e-9 {
			t.Errorf("answer %d is %+v, want %+v", i, a, want[i])
		}
	}
	if hit, ndcg := answers[1].Gain(10); hit != 1 || math.Abs(ndcg-(1+1/math.Log2(3))/2) > 1e-9 {
		t.Errorf("a tie of two places gains %g and %g", hit, ndcg)
	}
	if hit, ndcg := answers[3].Gain(10); hit != 0 || ndcg != 0 {
		t.Errorf("place 20 gains %g and %g among the first 10", hit, ndcg)
	}
	f := NewFigures(answers)
	if math.Abs(f.HitRate-(2+1.0/3)/4) > 1e-9 || f.Questions != 4 {
		t.Errorf("figures are %+v", f)
	}
	if u := NewFigures(Unseen(answers)); u.Questions != 3 || math.Abs(u.HitRate-(1+1.0/3)/3) > 1e-9 {
		t.Errorf("figures of unseen items are %+v", u)
	}
	if p := ByPosition(answers); len(p) != 2 || p[0].Clicks != "1" || p[0].Questions != 2 || p[0].HitRate != 0.5 {
		t.Errorf("by position: %+v", p)
	}
}

// TestListedJudgesALikeRanker asks a list and its scores the same question.
func TestListedJudgesALikeRanker(t *testing.T) {
	t.Parallel()
	scores := make([]float32, 9)
	Listed([]int32{4, Unknown, 2, 4, 7}, scores)
	for item, want := range map[int32]float64{4: 1, 2: 1.0 / 2, 7: 1.0 / 3, 0: 0, Unknown: 0} {
		var a Answer
		if a.judge(scores, item); math.Abs(a.Reciprocal-want) > 1e-9 {
			t.Errorf("reciprocal place of %d is %g, want %g", item, a.Reciprocal, want)
		}
	}
}

// TestExplainAddsUp compares each score with the sum of what the clicks add to it.
func TestExplainAddsUp(t *testing.T) {
	t.Parallel()
	train := mustLog(t, 40, 300, 1)
	rapid.Check(t, func(r *rapid.T) {
		w := Weights{View: rapid.Float64Range(0.1, 8).Draw(r, "view"), Near: rapid.Float64Range(0, 2).Draw(r, "near")}
		w.Clicks = modelversion.Clicks{Recency: rapid.Float64Range(0, 1).Draw(r, "recency"),
			Fading: rapid.Float64Range(0, 1).Draw(r, "fading"),
			Again:  rapid.Float64Range(0, 1).Draw(r, "again"), Memory: rapid.Float64Range(0, 1).Draw(r, "memory"),
			Last: rapid.SampledFrom([]float64{-1, 0, 0.4}).Draw(r, "last")}
		b := mustBlend(t, train, PairOptions{Gap: 0.5, Earlier: 0.5, Rarity: 0.2}, w)
		clicks := rapid.SliceOfN(rapid.Int32Range(Unknown, 39), 1, 20).Draw(r, "clicks")
		if !slices.ContainsFunc(clicks[max(len(clicks)-longest, 0):], func(i int32) bool { return i != Unknown }) {
			return
		}
		scores := make([]float32, len(train.Items))
		b.Rank([][]int32{clicks}, scores)
		for item, score := range scores {
			if score == NotShown {
				continue
			}
			each, err := b.Explain(clicks, int32(item))
			if err != nil {
				r.Fatal(err)
			}
			var sum float64
			for _, x := range each {
				sum += float64(x)
			}
			if math.Abs(sum-float64(score)) > 1e-4*(1+math.Abs(sum)) {
				r.Fatalf("item %d has score %g, its clicks add up to %g", item, score, sum)
			}
		}
	})
}

// TestTunerMeasuresAsMeasureDoes compares the tuner's shortcut, which ranks candidates only, with
// ranking the whole catalogue.
func TestTunerMeasuresAsMeasureDoes(t *testing.T) {
	t.Parallel()
	train, valid := mustLog(t, 300, 900, 2).CutLast(150)
	for i, w := range []Weights{
		{View: 1, Near: 0.3, Clicks: modelversion.Clicks{Recency: 0.5, Fading: 0.5, Again: 0.2, Memory: 0.5, Last: -1}},
		{View: 4, Near: 0, Clicks: modelversion.Clicks{Recency: 0.9, Fading: 0.5, Again: 0, Memory: 0.5, Last: 0.3}},
		{View: 0.5, Near: 2, Clicks: modelversion.Clicks{Recency: 1, Fading: 1, Again: 1, Memory: 1, Last: 0}},
	} {
		pairs := PairOptions{Gap: 0.5, Earlier: 0.5, Rarity: 0.2}
		b := mustBlend(t, train, pairs, w)
		answers, err := Measure(t.Context(), valid, 2, b.Rank)
		if err != nil {
			t.Fatal(err)
		}
		tuner := &Tuner{Train: train, Valid: valid, Threads: 2, Progress: func(int) {}}
		tuner.ask()
		tuner.fold(b.factors, w)
		tuner.gather(b.factors, b.near)
		if want, got := Quality(answers), tuner.judge(w); math.Abs(got-want) > 1e-4 || want < 0.05 {
			t.Errorf("weights %d: tuning measures %g, Measure %g", i, got, want)
		}
	}
}

// TestTuneFindsWhatIsThere: blending and remembering must beat the first guess on the validation part.
func TestTuneFindsWhatIsThere(t *testing.T) {
	t.Parallel()
	train, valid := mustLog(t, 60, 500, 3).CutLast(100)
	tuner := &Tuner{Train: train, Valid: valid, LargestDim: 16, Epochs: 3, Seed: 1, Threads: 2, Progress: func(int) {}}
	o, tried, err := tuner.Tune(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, err := NewFactors(t.Context(), train, o.Factors, 1, 2, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	answers, err := Measure(t.Context(), valid, 2, NewBlend(train, f, Near(train, o.Pairs, 2), o.Weights).Rank)
	if err != nil {
		t.Fatal(err)
	}
	popular, err := Measure(t.Context(), valid, 2, Popularity(train))
	if err != nil {
		t.Fatal(err)
	}
	if got, other := Quality(answers), Quality(popular); got < 2*other || tried < 10 {
		t.Errorf("quality %g after %d trials, popularity has %g; options %+v", got, tried, other, o)
	}
}

// TestOrderedForgetsNames gives items and sessions other names and lines another order.
func TestOrderedForgetsNames(t *testing.T) {
	t.Parallel()
	l := mustLog(t, 50, 200, 4)
	rng := rand.New(rand.NewPCG(4, 4))
	items, sessions := rng.Perm(len(l.Items)), rng.Perm(len(l.Sessions))
	other := &Log{Items: make([]string, len(l.Items)), Sessions: make([]Session, len(l.Sessions))}
	for i, to := range items {
		other.Items[to] = fmt.Sprintf("%x", i*7919)
	}
	for i, to := range sessions {
		s := Session{Times: l.Sessions[i].Times}
		for _, item := range l.Sessions[i].Items {
			s.Items = append(s.Items, int32(items[item]))
		}
		other.Sessions[to] = s
	}
	want, got := l.Ordered(), other.Ordered()
	for i, s := range want.Sessions {
		if !slices.Equal(s.Items, got.Sessions[i].Items) || !slices.Equal(s.Times, got.Sessions[i].Times) {
			t.Fatalf("session %d is %v, want %v", i, got.Sessions[i], s)
		}
	}
}

// TestRatioOfTheSame is one, and of nothing no fault.
func TestRatioOfTheSame(t *testing.T) {
	t.Parallel()
	answers := []Answer{{Session: 0, Hit: 1, Reciprocal: 0.5}, {Session: 0}, {Session: 3, Hit: 1, Reciprocal: 1}}
	one := Interval{1, 1}
	if b := RatioBounds(answers, answers); b.HitRate != one || b.MRR != one {
		t.Errorf("ratio to itself is %+v", b)
	}
	if b := RatioBounds(nil, nil); b != (Bounds{}) {
		t.Errorf("ratio of nothing is %+v", b)
	}
	if b := RatioBounds(answers, []Answer{{Session: 0}, {Session: 0}, {Session: 3}}); b.HitRate.High != most {
		t.Errorf("ratio to nothing is %+v", b)
	}
	if b := NewBounds(answers); !(b.HitRate.Low < NewFigures(answers).HitRate &&
		NewFigures(answers).HitRate < b.HitRate.High) {
		t.Errorf("bounds are %+v", b)
	}
}
