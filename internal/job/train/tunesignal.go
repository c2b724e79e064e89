package train

import (
	"context"
	"errors"
	"maps"

	"kindred/internal/model/evaluation"
	"kindred/internal/model/ials"
	"kindred/internal/shop"
)

// What tuning tries for the weights of interactions that are not given. The first of each is where
// the search begins, and what holds without anything to validate on.
var (
	tryRepeat = [...]float64{0.5, 0, 1}
	tryCart   = [...]float64{0.5, 0.2, 1}
	tryView   = [...]float64{0.1, 0, 0.3}
)

// signalMargin is the gain that other weights must bring: less is noise of the validation part.
const signalMargin = 1.005

// UsedSignal is the weights that a set of interactions was learned with.
type UsedSignal struct {
	Kinds  map[string]float64 `json:"kinds"` // a purchase and enough stars have 1
	Repeat float64            `json:"repeat"`
}

func (s Signal) used() *UsedSignal {
	u := &UsedSignal{Kinds: s.Kinds}
	if s.Repeat != nil {
		u.Repeat = *s.Repeat
	}
	return u
}

// begin is the signal that tuning begins with. For a set of ratings it is what was asked for.
func (s Signal) begin(d *Data) Signal {
	if !d.Counted {
		return s
	}
	return s.fill(tryRepeat[0], map[string]float64{shop.KindCart: tryCart[0], shop.KindView: tryView[0]})
}

// fill sets what is not given.
func (s Signal) fill(repeat float64, kinds map[string]float64) Signal {
	given := s.Kinds
	s.Kinds = maps.Clone(kinds)
	maps.Copy(s.Kinds, given)
	if s.Repeat == nil {
		s.Repeat = &repeat
	}
	return s
}

// signal tries other weights than those that the search began with, one after the other, with the
// search's best configuration. It does not change given weights. known is all feedback, which does
// not contain the likes.
func (t *tuner) signal(ctx context.Context, given, chosen Signal, best Candidate,
	cells func(Signal) *ials.Matrix, known []Feedback) (Signal, error) {
	if len(t.task.Cases) == 0 {
		return chosen, nil
	}
	cases := t.task.Sample(mostCases)
	quality := func(s Signal) (float64, error) {
		cfg := t.base
		cfg.Dim, cfg.Alpha0, cfg.Lambda, cfg.Epochs = best.Dim, best.Alpha0, best.Lambda, tuneEpochs
		model, err := t.fit(ctx, cells(s), cfg)
		if errors.Is(err, ials.ErrSingular) {
			return 0, nil
		}
		if err != nil {
			return 0, err
		}
		scores, err := evaluation.Measure(ctx, cases, cfg.Threads, ranker(model))
		return (evaluation.Mean(scores.NDCG20) + evaluation.Mean(scores.Recall20)) / 2, err
	}
	changes := others(given, known)
	if len(changes) == 0 {
		return chosen, nil
	}
	top, err := quality(chosen)
	for _, change := range changes {
		if err != nil {
			return chosen, err
		}
		var q float64
		other := change(chosen)
		if q, err = quality(other); q > top*signalMargin {
			chosen, top = other, q
		}
	}
	return chosen, err
}

// others are the changes to try: of what is not given, and matters in this shop.
func others(given Signal, known []Feedback) (changes []func(Signal) Signal) {
	does := map[string]bool{}
	for _, f := range known {
		does[string(f.Action)] = true
	}
	if given.Repeat == nil && does[shop.KindPurchase] {
		for _, repeat := range tryRepeat[1:] {
			changes = append(changes, func(s Signal) Signal {
				s.Repeat = &repeat
				return s
			})
		}
	}
	for _, try := range []struct {
		kind    string
		weights []float64
	}{{shop.KindCart, tryCart[1:]}, {shop.KindView, tryView[1:]}} {
		if _, fixed := given.Kinds[try.kind]; fixed || !does[try.kind] {
			continue
		}
		for _, weight := range try.weights {
			changes = append(changes, func(s Signal) Signal {
				s.Kinds = maps.Clone(s.Kinds)
				s.Kinds[try.kind] = weight
				return s
			})
		}
	}
	return changes
}
