package recommend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// listsAtOnce bounds how many lists a batch asks for at the same time.
const listsAtOnce = 8

// wanted is a list that strips show.
type wanted struct {
	list    List
	product string // of ListTogether
	rules   string // Rules.key
}

// wish is how much of a list strips need.
type wish struct {
	limit int
	rules *Rules
	seen  []string // of ListViewed: what the sessions have seen
}

// newest is the newest product of the session that the version, or what is beside it, knows.
func (s *session) newest(found Lookup) string {
	for _, b := range s.browsed {
		if _, known := found.Items[b.code]; known {
			return b.code
		}
	}
	return ""
}

// wants are the lists of a strip, one for each of its asks. None: it is about a product, and there is none.
func (s *session) wants(st *strip) []wanted {
	w := wanted{list: st.asked.List}
	if w.list == ListTogether {
		if w.product = s.about; w.product == "" {
			return nil
		}
	}
	all := make([]wanted, len(st.asks))
	for n, ask := range st.asks {
		w.rules = ask.Rules.key()
		all[n] = w
	}
	return all
}

// addLists asks for the lists of a batch: each of them once, as long as the strip that shows most of it needs it. While
// the database is down, nobody knows them.
func (r *Recommender) addLists(ctx context.Context, traffic Traffic, model *Model, sessions []session, now time.Time,
	got *retrieved) error {
	need, diverse := map[wanted]wish{}, map[wanted]bool{}
	for i := range sessions {
		s := &sessions[i]
		for n := range s.strips {
			st := &s.strips[n]
			for k, w := range s.wants(st) {
				of := need[w]
				of.limit, of.rules = max(of.limit, st.asks[k].Limit+len(st.asked.Exclude)), st.asks[k].Rules
				if w.list == ListViewed {
					of.seen = append(of.seen, s.seen...)
				}
				need[w], diverse[w] = of, diverse[w] || st.asked.byLikeness()
			}
		}
	}
	if traffic.Stale || len(need) == 0 {
		return nil
	}
	found, err := r.wishes(ctx, model, need, now)
	if err != nil {
		return err
	}
	got.lists, got.viewed = make(map[wanted][]Candidate, len(need)), map[wanted]map[string]Candidate{}
	numbers := map[string]int32{}
	var alike [][]Candidate
	for w, list := range found {
		got.lists[w] = numbered(list, numbers)
		if diverse[w] {
			alike = append(alike, got.lists[w])
		}
	}
	if err := r.addVectors(ctx, model, alike...); err != nil {
		return fmt.Errorf("look up the products of lists: %w", err)
	}
	for w, list := range got.lists {
		if w.list == ListViewed {
			got.viewed[w] = make(map[string]Candidate, len(list))
			for _, c := range list {
				got.viewed[w][c.Code] = c
			}
		}
	}
	return nil
}

// wishes asks for lists. The products of ListViewed have the factors of the boosts as their scores.
func (r *Recommender) wishes(ctx context.Context, model *Model, need map[wanted]wish,
	now time.Time) (map[wanted][]Listed, error) {
	var mu sync.Mutex
	found := make(map[wanted][]Listed, len(need))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(listsAtOnce)
	ask := func(w wanted, q ListQuery) {
		group.Go(func() error {
			all, err := r.store.List(groupCtx, model, q)
			if err != nil && !errors.Is(err, ErrUnknownProduct) {
				return fmt.Errorf("list %s: %w", w.list, err)
			}
			mu.Lock()
			defer mu.Unlock()
			found[w] = append(found[w], all...)
			return nil
		})
	}
	for w, of := range need {
		q := ListQuery{List: lists[w.list], Product: w.product, Limit: min(of.limit, MaxLimit), At: now, Rules: of.rules}
		if w.list != ListViewed {
			ask(w, q)
			continue
		}
		slices.Sort(of.seen)
		for some := range slices.Chunk(slices.Compact(of.seen), MaxLimit) {
			q.Limit, q.Given = MaxLimit, make([]Listed, len(some))
			for i, code := range some {
				q.Given[i] = Listed{Code: code, Score: 1}
			}
			ask(w, q)
		}
	}
	return found, group.Wait()
}

// numbered are the products of a list as candidates. numbers are those by which the same product of two lists is one;
// they are none of the version.
func numbered(list []Listed, numbers map[string]int32) []Candidate {
	all := make([]Candidate, len(list))
	for i, it := range list {
		number, known := numbers[it.Code]
		if !known {
			number = int32(len(numbers))
			numbers[it.Code] = number
		}
		all[i] = Candidate{Item: number, Code: it.Code, Score: it.Score, Marks: it.Marks, Labels: it.Labels}
	}
	return all
}

// listed are what the asks of a strip for a list found, without the products that it leaves out.
func (s *session) listed(st *strip, found retrieved) [][]Candidate {
	all := make([][]Candidate, len(st.asks))
	for n, w := range s.wants(st) {
		list := found.lists[w]
		if w.list == ListViewed {
			list = s.viewed(found.viewed[w])
		}
		if len(st.asked.Exclude) > 0 {
			list = slices.DeleteFunc(slices.Clone(list), func(c Candidate) bool {
				return slices.Contains(st.asked.Exclude, c.Code)
			})
		}
		all[n] = list[:min(len(list), st.asks[n].Limit)]
	}
	return all
}

// viewed are the products of the session among some, the newest first, but for boosts.
func (s *session) viewed(some map[string]Candidate) (own []Candidate) {
	place := 0
	for _, code := range s.seen {
		if slices.Contains(s.hidden, code) {
			continue
		}
		place++
		if c, is := some[code]; is {
			c.Score = rule.Boosted(1/float32(place), c.Score)
			own = append(own, c)
		}
	}
	slices.SortFunc(own, byScore)
	return own
}

// alikeFor are the products of a strip that are similar to the newest product of the session.
func (s *session) alikeFor(st *strip, found retrieved) (all []activity.RecommendedItem) {
	if s.about == "" {
		return nil
	}
	for _, it := range found.similar[st.first] {
		all = append(all, activity.RecommendedItem{ID: it.Code, Score: 1 - it.Distance, Because: s.about})
	}
	return all
}

// listed are the products of a list that the query shows: not those that it leaves out, nor those that are taken.
func (q *Query) listed(all []activity.RecommendedItem, taken map[string]bool) []activity.RecommendedItem {
	items := make([]activity.RecommendedItem, 0, q.Limit)
	for _, it := range all {
		if len(items) < q.Limit && !taken[it.ID] && !slices.Contains(q.Exclude, it.ID) {
			items = append(items, it)
		}
	}
	return items
}
