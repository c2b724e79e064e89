package integration

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"
)

// quiet is how long a product must be in no answer until it counts as gone.
const quiet = 2 * time.Second

// sight is a product in the answers to one way of asking, such as "serve, line 2".
type sight struct{ way, product string }

// sightings are the products of all answers, with the answers' times. It is safe for concurrent use.
type sightings struct {
	mu      sync.Mutex
	answers map[string]time.Time // the latest answer of each way
	of      map[sight][]time.Time
	last    map[sight]time.Time
	news    []news
}

// news is something that was said of a product, and where the product should come or go.
type news struct {
	limit     time.Duration // what 99 of 100 such news may take, at 200 events/s
	comes     bool          // else it goes
	said, end time.Time     // end is when something else was said of it
	where     map[string]sight
}

func newSightings() *sightings {
	return &sightings{answers: map[string]time.Time{}, of: map[sight][]time.Time{}, last: map[sight]time.Time{}}
}

// add notes an answer.
func (s *sightings) add(way string, at time.Time, products []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[way] = later(s.answers[way], at)
	for _, p := range products {
		x := sight{way, p}
		s.of[x] = append(s.of[x], at)
		s.last[x] = later(s.last[x], at)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// since says whether an answer of this time or a later one held the product.
func (s *sightings) since(x sight, at time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	last, held := s.last[x]
	return held && !last.Before(at)
}

// everywhere says it of several ways.
func (s *sightings) everywhere(where map[string]sight, at time.Time) bool {
	for _, x := range where {
		if !s.since(x, at) {
			return false
		}
	}
	return true
}

// happened says whether the product has come in every way, or was in no answer of any way for a while.
func (s *sightings) happened(n news) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range n.where {
		switch last := later(s.last[x], n.said); {
		case n.comes && len(s.of[x]) == 0, !n.comes && s.answers[x.way].Before(last.Add(quiet)):
			return false
		}
	}
	return true
}

// note keeps news that had its effect for the report.
func (s *sightings) note(n news) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n.end = time.Now()
	s.news = append(s.news, n)
}

// took is the time from when it was said to the first answer that held the product, or to the last one.
func (s *sightings) took(n news, x sight) (d time.Duration) {
	for i, at := range s.of[x] {
		switch since := at.Sub(n.said); {
		case n.comes && (i == 0 || since < d), !n.comes && since > d && at.Before(n.end):
			d = since
		}
	}
	return d
}

// report prints how long news took. In a long run 99 of 100 must keep to their limit.
func (s *sightings) report(t *testing.T, long bool) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	type effect struct {
		took, limit time.Duration
		said        time.Time
	}
	all := map[string][]effect{}
	for _, n := range s.news {
		for what, x := range n.where {
			all[what] = append(all[what], effect{s.took(n, x), n.limit, n.said})
		}
	}
	for _, what := range slices.Sorted(maps.Keys(all)) {
		effects := all[what]
		slices.SortFunc(effects, func(a, b effect) int { return cmp.Compare(a.took, b.took) })
		last := len(effects) - 1
		p99 := effects[(99*len(effects)+99)/100-1]
		t.Logf("%-38s %4d times: p50 %4d ms, p99 %4d ms, max %4d ms, of what was said at %s", what, len(effects),
			effects[last/2].took.Milliseconds(), p99.took.Milliseconds(), effects[last].took.Milliseconds(),
			effects[last].said.Format(time.StampMilli))
		if long && (len(effects) < 100 || p99.took > p99.limit) {
			t.Errorf("%s: want 100 times, and a p99 of at most %v", what, p99.limit)
		}
	}
}
