package recommend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/stream/activity"
)

// listsAtOnce bounds how many lists a batch asks for at the same time.
const listsAtOnce = 8

// wanted is a list that strips show.
type wanted struct {
	list    List
	product string // of ListTogether
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

// wants is the list of a strip; false: the strip asks for none, or for what a product has, without one.
func (s *session) wants(st *strip) (w wanted, some bool) {
	switch w.list = st.asked.List; w.list {
	case ListTrending, ListNew:
		return w, true
	case ListTogether:
		w.product = s.about
		return w, w.product != ""
	}
	return w, false
}

// addLists asks for the lists of a batch: each of them once, as long as the strip that shows most of it needs it. While
// the database is down, nobody knows them.
func (r *Recommender) addLists(ctx context.Context, traffic Traffic, model *Model, sessions []session, now time.Time,
	got *retrieved) error {
	need := map[wanted]int{}
	var seen []string
	for i := range sessions {
		s, elsewhere := &sessions[i], 0
		for n := range s.strips {
			st := &s.strips[n]
			if w, some := s.wants(st); some {
				need[w] = max(need[w], st.asked.Limit+elsewhere+len(st.asked.Exclude))
			}
			if st.asked.List == ListViewed {
				seen = append(seen, s.seen...)
			}
			elsewhere += st.asked.Limit
		}
	}
	if traffic.Stale || len(need)+len(seen) == 0 {
		return nil
	}
	got.lists = make(map[wanted][]Listed, len(need))
	found := make(chan func(), len(need)) // each puts one list into its place
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(listsAtOnce)
	for w, limit := range need {
		group.Go(func() error {
			all, err := r.store.List(groupCtx, model, ListQuery{List: lists[w.list], Product: w.product,
				Limit: min(limit, MaxLimit), At: now})
			if err != nil && !errors.Is(err, ErrUnknownProduct) {
				return fmt.Errorf("list %s: %w", w.list, err)
			}
			found <- func() { got.lists[w] = all }
			return nil
		})
	}
	err := group.Wait()
	close(found)
	for put := range found {
		put()
	}
	if err != nil {
		return err
	}
	slices.Sort(seen)
	got.known, err = r.facts(ctx, traffic, slices.Compact(seen))
	return err
}

// listFor are the products of a strip's list, as far as they were asked for.
func (s *session) listFor(st *strip, found retrieved) (all []activity.RecommendedItem) {
	switch {
	case st.asked.List == ListViewed:
		for _, code := range s.seen { // newest first
			if found.known[code].Available() && !slices.Contains(s.hidden, code) {
				all = append(all, activity.RecommendedItem{ID: code})
			}
		}
	case st.asked.List == ListSimilar && s.about != "":
		for _, it := range found.similar[st.first] {
			all = append(all, activity.RecommendedItem{ID: it.Code, Score: 1 - it.Distance, Because: s.about})
		}
	default:
		if w, some := s.wants(st); some {
			for _, it := range found.lists[w] {
				item := activity.RecommendedItem{ID: it.Code, Score: it.Score, Because: w.product}
				if byTime(lists[w.list]) {
					item.Score = 0
				}
				all = append(all, item)
			}
		}
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
