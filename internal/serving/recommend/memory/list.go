package memory

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
)

// Count counts clicks of events that were not counted before and are not too old.
func (s *Store) Count(ctx context.Context, clicks []recommend.Counted) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, fresh := time.Now(), map[[16]byte]bool{}
	for _, c := range clicks {
		if s.counted[c.Event] && !fresh[c.Event] || now.Sub(c.At) >= recommend.CountedFor {
			continue
		}
		s.counted[c.Event], fresh[c.Event] = true, true
		s.clicks[c]++
	}
	return ctx.Err()
}

// List answers with a list.
func (s *Store) List(ctx context.Context, m *recommend.Model, q recommend.ListQuery) (all []recommend.Listed,
	err error) {
	v := s.version(m)
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case q.Given != nil:
		all = slices.Clone(q.Given)
	case q.List == activity.SourceTrending:
		all = s.trending(q.At)
	case q.List == activity.SourceNew:
		all = s.firstSeenLater()
	case q.List == activity.SourceTogether:
		if all, err = v.together(q.Product); err != nil {
			return nil, err
		}
	default:
		return nil, fmt.Errorf("there is no list %q", q.List)
	}
	var kept []recommend.Listed
	for _, it := range all {
		var item *modelversion.Item
		can := s.state[it.Code]
		if i, known := v.items[it.Code]; known {
			item = &v.version.Items[i]
			can = shown(*item, s.state)
		}
		facts := s.ruleFacts(it.Code, item, can)
		if !can && !q.GivenWhole || slices.Contains(q.Exclude, it.Code) || !q.Rules.Allows(facts) {
			continue
		}
		c := recommend.Candidate{}
		q.Rules.Mark(&c, facts)
		kept = append(kept, recommend.Listed{Code: it.Code, Score: q.Rules.Score(it.Score, facts), Marks: c.Marks,
			Labels: c.Labels})
	}
	slices.SortFunc(kept, byScore)
	return kept[:min(q.Limit, len(kept))], ctx.Err()
}

func byScore(a, b recommend.Listed) int {
	return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.Code, b.Code))
}

// trending are the products that trend at a time.
func (s *Store) trending(at time.Time) (all []recommend.Listed) {
	type sums struct{ lately, usually float64 }
	of, total := map[string]sums{}, sums{}
	for c, times := range s.clicks {
		age := at.Sub(c.At).Seconds()
		lately := float64(times) * math.Exp2(-age/recommend.TrendHalfLife.Seconds())
		usually := float64(times) * math.Exp2(-age/recommend.UsualHalfLife.Seconds())
		of[c.Product] = sums{of[c.Product].lately + lately, of[c.Product].usually + usually}
		total = sums{total.lately + lately, total.usually + usually}
	}
	for product, x := range of {
		if score := recommend.Trend(x.lately, x.usually, total.lately, total.usually); score >= recommend.LeastTrend {
			all = append(all, recommend.Listed{Code: product, Score: float32(score)})
		}
	}
	return all
}

// firstSeenLater are the products that were first seen after the first ones, the newest first.
func (s *Store) firstSeenLater() (all []recommend.Listed) {
	var first time.Time
	for _, at := range s.firstSeen {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	for code, at := range s.firstSeen {
		if at.After(first) {
			all = append(all, recommend.Listed{Code: code})
		}
	}
	slices.SortFunc(all, func(a, b recommend.Listed) int {
		return cmp.Or(s.firstSeen[b.Code].Compare(s.firstSeen[a.Code]), strings.Compare(a.Code, b.Code))
	})
	for i := range all {
		all[i].Score = 1 / float32(i+1)
	}
	return all
}

// together are the products that are bought together with one.
func (v *Version) together(code string) (all []recommend.Listed, err error) {
	at, known := v.items[code]
	if !known {
		return nil, recommend.ErrUnknownProduct
	}
	if v.version.Together == nil {
		return nil, nil
	}
	for _, n := range v.version.Together[at] {
		all = append(all, recommend.Listed{Code: v.version.Items[n.Item].Code, Score: n.Weight})
	}
	return all, nil
}
