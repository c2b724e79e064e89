package nextitem

import (
	"context"
	"errors"
	"math"
	"slices"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/platform/parallel"
)

// BlendOptions are everything about a Blend that is tuned.
type BlendOptions struct {
	Factors FactorOptions `json:"factors"`
	Pairs   PairOptions   `json:"pairs"`
	Weights Weights       `json:"weights"`
}

// The search begins in the middle of what the data leave open. Dense: as much weight on all that was
// not clicked as on what was, and a row of usual length regularised by startRidge.
const (
	startRidge  = 0.3
	tuneDim     = 64
	tuneEpochs  = 6
	firstStep   = 4.0
	secondStep  = 2.0
	worthDouble = 1.003 // the gain that a doubled dimension must bring
	mostRounds  = 4     // over all weights
)

// adding is how many ladders, the first ones, are of weights that add the parts up.
const adding = 5

// ladder is the values that one weight may take. The search moves by one rung at a time.
type ladder struct {
	of     func(*BlendOptions) *float64
	values []float64
	pairs  bool // the sparse part changes
	dense  bool // the folded sessions change
}

var (
	shares  = []float64{0, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 1}
	amounts = []float64{0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2, 4, 8}
	ladders = []ladder{
		{of: func(o *BlendOptions) *float64 { return &o.Weights.Near }, values: amounts},
		{of: func(o *BlendOptions) *float64 { return &o.Weights.Fading }, values: shares},
		{of: func(o *BlendOptions) *float64 { return &o.Weights.Again }, values: amounts},
		{of: func(o *BlendOptions) *float64 { return &o.Weights.Memory }, values: shares},
		{of: func(o *BlendOptions) *float64 { return &o.Weights.Last }, values: append([]float64{-1}, amounts...)},
		{of: func(o *BlendOptions) *float64 {
			return &o.Weights.View
		}, values: []float64{0.25, 0.5, 1, 2, 4, 8, 16}, dense: true},
		{of: func(o *BlendOptions) *float64 { return &o.Weights.Recency }, values: shares, dense: true},
		{of: func(o *BlendOptions) *float64 { return &o.Pairs.Gap }, values: shares, pairs: true},
		{of: func(o *BlendOptions) *float64 { return &o.Pairs.Earlier }, values: []float64{0, 0.25, 0.5, 1}, pairs: true},
		{of: func(o *BlendOptions) *float64 { return &o.Pairs.Rarity }, values: []float64{0, 0.2, 0.35, 0.5}, pairs: true},
	}
)

// Tuner looks for the options of a Blend that predict a validation log best. It never sees a test log.
type Tuner struct {
	Train, Valid *Log // of one catalogue; Valid comes later
	LargestDim   int
	Epochs       int // of the final fit
	Seed         uint64
	Threads      int
	Progress     func(tried int)

	questions []question
	tried     int
}

// question is one of the validation log with what is needed to judge it under any weights.
type question struct {
	clicks []int32
	target int32
	items  []int32 // what read makes of clicks
	ago    []int
	own    []int32   // the places of items among the candidates
	folded []float32 // the session among the factors, and the best items there
	top    []int32
	// candidates hold the first Cut of every blend that shares the parts: the best of the dense part,
	// and all that another part adds something to. The target comes first.
	candidates []int32
	dense      []float32
	least      float32 // no other item has more
	near       []vote
}

// vote is what a click adds to a candidate by the sparse part.
type vote struct {
	candidate int32
	ago       int32
	weight    float32
}

// Quality is what the search maximises: the geometric mean of HR@20 and MRR@20, so that neither
// counts more because its figures are larger.
func Quality(answers []Answer) float64 {
	var hit, reciprocal float64
	for _, a := range answers {
		hit, reciprocal = hit+a.Hit, reciprocal+a.Reciprocal
	}
	return quality(hit, reciprocal, len(answers))
}

func quality(hit, reciprocal float64, n int) float64 {
	return math.Sqrt(hit*reciprocal) / float64(max(n, 1))
}

// Tune returns the best options, and how many were tried. An error is the context's, or of ials.Fit.
func (t *Tuner) Tune(ctx context.Context) (BlendOptions, int, error) {
	n := float64(len(t.Train.Items))
	usual := float64(t.Train.Clicks()) / float64(max(len(t.Train.Sessions), 1))
	best := BlendOptions{Pairs: PairOptions{Gap: 0.5, Earlier: 1, Rarity: 0.2},
		Weights: Weights{View: 1, Near: 0.3,
			Clicks: modelversion.Clicks{Recency: 0.5, Fading: 0.5, Again: 0.2, Memory: 0.5, Last: -1}},
		Factors: FactorOptions{Dim: min(tuneDim, t.LargestDim), Alpha0: usual / n, Epochs: tuneEpochs}}
	best.Factors.Lambda = startRidge / ials.Regularisation(1, best.Factors.Alpha0, nu, int(usual), len(t.Train.Items))
	t.ask()
	if len(t.questions) == 0 {
		best.Factors.Dim, best.Factors.Epochs = min(2*tuneDim, t.LargestDim), t.Epochs
		return best, 0, nil
	}
	near := Near(t.Train, best.Pairs, t.Threads)
	best, top, err := t.factors(ctx, best, near)
	if err != nil {
		return best, t.tried, err
	}
	for _, step := range []float64{firstStep, secondStep} {
		if best, top, err = t.climb(ctx, best, top, step, near); err != nil {
			return best, t.tried, err
		}
	}
	for 2*best.Factors.Dim <= t.LargestDim {
		larger := best
		larger.Factors.Dim *= 2
		larger, q, err := t.factors(ctx, larger, near)
		if err != nil {
			return best, t.tried, err
		}
		if q < worthDouble*top {
			break
		}
		best, top = larger, q
	}
	best.Factors.Epochs = t.Epochs
	best, err = t.weigh(ctx, best, near)
	return best, t.tried, err
}

// ask makes the questions.
func (t *Tuner) ask() {
	for _, s := range t.Valid.Sessions {
		for p := 1; p < len(s.Items); p++ {
			q := question{clicks: s.Items[:p], target: s.Items[p]}
			q.items, q.ago = read(q.clicks)
			t.questions = append(t.questions, q)
		}
	}
}

// factors is the best that a blend with other factors reaches, and its weights; 0 where there is no
// solution. Factors of another size ask for other weights, so the ones that add the parts up are
// tuned before they are compared.
func (t *Tuner) factors(ctx context.Context, o BlendOptions, near [][]Neighbour) (BlendOptions, float64, error) {
	f, err := NewFactors(ctx, t.Train, o.Factors, t.Seed, t.Threads, func(int) {})
	if errors.Is(err, ials.ErrSingular) {
		return o, 0, nil
	}
	if err != nil {
		return o, 0, err
	}
	t.fold(f, o.Weights)
	t.gather(f, near)
	s := search{Tuner: t, factors: f, near: near, best: o, top: t.judge(o.Weights)}
	for range mostRounds {
		if before := s.top; s.round(ctx, ladders[:adding]) == before {
			break
		}
	}
	return s.best, s.top, ctx.Err()
}

// climb moves alpha0 and lambda by a factor while that is better. Its moves are exponents of step.
func (t *Tuner) climb(ctx context.Context, best BlendOptions, top, step float64,
	near [][]Neighbour) (BlendOptions, float64, error) {
	moves := [][2]int{{0, 1}, {0, -1}, {1, -1}, {-1, 1}, {1, 0}, {-1, 0}}
	at := [2]int{}
	known := map[[2]int]bool{at: true}
	for moved := true; moved; {
		moved = false
		for _, move := range moves {
			to := [2]int{at[0] + move[0], at[1] + move[1]}
			if known[to] {
				continue
			}
			known[to] = true
			o := best
			o.Factors.Alpha0 *= math.Pow(step, float64(move[0]))
			o.Factors.Lambda *= math.Pow(step, float64(move[1]))
			o, q, err := t.factors(ctx, o, near)
			if err != nil {
				return best, top, err
			}
			if q > top {
				best, top, at, moved = o, q, to, true
				break
			}
		}
	}
	return best, top, nil
}

// weigh moves every weight along its ladder while that is better.
func (t *Tuner) weigh(ctx context.Context, best BlendOptions, near [][]Neighbour) (BlendOptions, error) {
	f, err := NewFactors(ctx, t.Train, best.Factors, t.Seed, t.Threads, func(int) {})
	if err != nil {
		return best, err
	}
	s := search{Tuner: t, factors: f, near: near, best: best}
	t.fold(f, best.Weights)
	t.gather(f, near)
	s.top = t.judge(best.Weights)
	for range mostRounds {
		if before := s.top; s.round(ctx, ladders) == before {
			break
		}
	}
	return s.best, ctx.Err()
}

// search is a walk along the ladders with the same factors.
type search struct {
	*Tuner
	factors *Factors
	near    [][]Neighbour
	best    BlendOptions
	top     float64
}

// round walks along each ladder once, and returns the quality that it reaches.
func (s *search) round(ctx context.Context, all []ladder) float64 {
	for _, l := range all {
		for _, way := range []int{1, -1} {
			for better := true; better && ctx.Err() == nil; {
				o, near := s.best, s.near
				*l.of(&o) = nextRung(l.values, *l.of(&o), way)
				if o == s.best {
					break
				}
				if l.pairs {
					near = Near(s.Train, o.Pairs, s.Threads)
				}
				s.look(s.factors, near, o.Weights, l)
				q := s.judge(o.Weights)
				if better = q > s.top; better {
					s.best, s.top, s.near = o, q, near
				}
			}
		}
		s.look(s.factors, s.near, s.best.Weights, l)
	}
	return s.top
}

// look fills in what a ladder's weight changes.
func (t *Tuner) look(f *Factors, near [][]Neighbour, w Weights, l ladder) {
	if l.dense {
		t.fold(f, w)
	}
	if l.dense || l.pairs {
		t.gather(f, near)
	}
}

// nextRung is the ladder's value above or below the present one, which it returns at the end.
func nextRung(values []float64, now float64, way int) float64 {
	at, exact := slices.BinarySearch(values, now)
	if way < 0 {
		at--
	} else if exact {
		at++
	}
	if at < 0 || at >= len(values) {
		return now
	}
	return values[at]
}

// fold fills in what the dense part says of the questions.
func (t *Tuner) fold(f *Factors, w Weights) {
	d, n := f.Options.Dim, len(t.Train.Items)
	all, none := make([][]float32, max(t.Threads, 1)), make([]bool, n)
	parallel.Tasks(t.Threads, (len(t.questions)+BlockSize-1)/BlockSize, func(thread, block int) {
		if all[thread] == nil {
			all[thread] = make([]float32, BlockSize*n)
		}
		part := t.questions[block*BlockSize : min((block+1)*BlockSize, len(t.questions))]
		vectors := make([]float32, len(part)*d)
		for i := range part {
			q := &part[i]
			q.folded = vectors[i*d : (i+1)*d]
			if folded, err := f.fold(q.items, q.ago, w); err == nil { // a singular system has no dense part
				copy(q.folded, folded.Vector())
			}
		}
		ials.Scores(vectors, f.items, d, all[thread][:len(part)*n])
		for i := range part {
			part[i].top = evaluation.Top(all[thread][i*n:(i+1)*n], none, Cut+1) // one of them may not be shown
		}
	})
}

// gather fills in the questions' candidates after fold.
func (t *Tuner) gather(f *Factors, near [][]Neighbour) {
	places := make([][]int32, max(t.Threads, 1)) // of an item among the candidates, plus one
	parallel.Tasks(t.Threads, len(t.questions), func(thread, i int) {
		if places[thread] == nil {
			places[thread] = make([]int32, len(t.Train.Items))
		}
		t.questions[i].gather(f, near, places[thread])
	})
}

// gather fills in the candidates of one question. place is all zero, and is so again.
func (q *question) gather(f *Factors, near [][]Neighbour, place []int32) {
	q.candidates, q.dense, q.near, q.own = q.candidates[:0], q.dense[:0], q.near[:0], q.own[:0]
	add := func(item int32) int32 {
		if place[item] == 0 {
			q.candidates = append(q.candidates, item)
			place[item] = int32(len(q.candidates))
		}
		return place[item] - 1
	}
	if q.target != Unknown {
		add(q.target)
	}
	for _, item := range q.top {
		add(item)
	}
	q.least = NotShown
	for i, item := range q.items {
		q.own = append(q.own, add(item))
		for _, n := range near[item] {
			q.near = append(q.near, vote{add(n.Item), int32(q.ago[i]), n.Weight})
		}
	}
	for _, item := range q.candidates {
		place[item] = 0
		var score float32
		for k, x := range f.item(item) {
			score += x * q.folded[k]
		}
		q.dense = append(q.dense, score)
	}
	if len(q.top) > Cut {
		at := slices.Index(q.candidates, q.top[len(q.top)-1])
		q.least = q.dense[at]
	}
}

// judge is the quality of weights, whose dense part is that of the last look.
func (t *Tuner) judge(w Weights) float64 {
	t.tried++
	t.Progress(t.tried)
	var fading [longest]float64
	for i := range fading {
		fading[i] = w.Near * w.Clicks.Near(i)
	}
	answers := make([]Answer, len(t.questions))
	scratch := make([][]float64, max(t.Threads, 1))
	parallel.Tasks(t.Threads, len(t.questions), func(thread, i int) {
		q := &t.questions[i]
		if q.target == Unknown || len(q.items) == 0 {
			return
		}
		scores := scratch[thread][:0]
		for _, s := range q.dense {
			scores = append(scores, float64(s))
		}
		scratch[thread] = scores
		for _, v := range q.near {
			scores[v.candidate] += fading[v.ago] * float64(v.weight)
		}
		last := q.clicks[len(q.clicks)-1]
		better, tied := 0, 0
		for j, place := range q.own {
			scores[place] += w.Itself(q.ago[j])
		}
		if last == q.target && w.Last < 0 || scores[0] <= float64(q.least) {
			return // hidden, or no better than Cut others
		}
		for c, s := range scores {
			if q.candidates[c] == last && w.Last < 0 {
				continue
			}
			if s > scores[0] {
				better++
			} else if s == scores[0] {
				tied++
			}
		}
		answers[i].Hit, answers[i].Reciprocal = placed(better, tied)
	})
	return Quality(answers)
}
