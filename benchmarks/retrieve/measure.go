package main

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/recommend"
)

// latency is the time of one search, alone on an idle store. It is the lowest tenth's upper end:
// what disturbs a machine only adds.
func (s *subject) latency(ctx context.Context) (time.Duration, error) {
	var times []time.Duration
	for i := range s.searches {
		start := time.Now()
		if _, _, err := s.store.Retrieve(ctx, s.model, s.searches[i:i+1], nil); err != nil {
			return 0, err
		}
		times = append(times, time.Since(start))
	}
	slices.Sort(times)
	return times[len(times)/10], nil
}

// addNear makes the searches again with the neighbours of their customers and of what they leave out.
func (s *subject) addNear() {
	items := make(map[string]int, len(s.version.Items))
	for i, it := range s.version.Items {
		items[it.Code] = i
	}
	for i, search := range s.searches {
		sum := map[int32]float32{}
		lists := [][]modelversion.Neighbour{s.version.Near.Customers[i]}
		for _, code := range search.Exclude {
			lists = append(lists, s.version.Near.Items[items[code]])
		}
		for _, list := range lists {
			for _, n := range list {
				sum[n.Item] += n.Weight
			}
		}
		for item, weight := range sum {
			search.Added = append(search.Added, modelversion.Neighbour{Item: item, Weight: weight})
		}
		slices.SortFunc(search.Added, func(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) })
		s.near = append(s.near, search)
	}
}

// compareNear asks each search plainly and with neighbours, in turn.
func (s *subject) compareNear(ctx context.Context) (near, error) {
	var times [2][]time.Duration
	added := 0
	for i := range s.searches {
		for which, search := range []recommend.Search{s.searches[i], s.near[i]} {
			start := time.Now()
			if _, _, err := s.store.Retrieve(ctx, s.model, []recommend.Search{search}, nil); err != nil {
				return near{}, err
			}
			times[which] = append(times[which], time.Since(start))
		}
		added += len(s.near[i].Added)
	}
	at := func(which, percent int) float64 {
		slices.Sort(times[which])
		return ms(times[which][len(times[which])*percent/100])
	}
	return near{Added: float64(added) / float64(len(s.near)), PlainP50: at(0, 50), PlainP95: at(0, 95), NearP50: at(1, 50),
		NearP95: at(1, 95)}, nil
}

// slice is how long one way is measured before the other one has its turn: what else the machine
// does then meets both.
const slice = 250 * time.Millisecond

// rates is how many searches a second so many clients get answered, asking one by one and in batches.
func (s *subject) rates(ctx context.Context, clients, batch int,
	duration time.Duration) (single, batched float64, err error) {
	n := 0
	for start := time.Now(); time.Since(start) < 2*duration; n++ {
		for _, way := range []struct {
			size int
			sum  *float64
		}{{1, &single}, {batch, &batched}} {
			rate, err := s.rate(ctx, clients, way.size, slice)
			if err != nil {
				return 0, 0, err
			}
			*way.sum += rate
		}
	}
	return single / float64(n), batched / float64(n), nil
}

// rate is how many searches a second so many clients get answered, each asking batches of the given size.
func (s *subject) rate(ctx context.Context, clients, batch int, duration time.Duration) (float64, error) {
	var answered atomic.Int64
	start := time.Now()
	work, ctx := errgroup.WithContext(ctx)
	for client := range clients {
		work.Go(func() error {
			for at := client * len(s.searches) / clients; time.Since(start) < duration; at += batch {
				from := at % (len(s.searches) - batch + 1)
				if _, _, err := s.store.Retrieve(ctx, s.model, s.searches[from:from+batch], nil); err != nil {
					return err
				}
				answered.Add(int64(batch))
			}
			return nil
		})
	}
	err := work.Wait()
	return float64(answered.Load()) / time.Since(start).Seconds(), err
}

// recall is the share of the right answers that was found; one just as good counts.
func recall(right, got [][]recommend.Candidate) float64 {
	wanted, found := 0, 0
	for i, want := range right {
		worst := want[len(want)-1].Score
		n := 0
		for _, c := range got[i] {
			if c.Score >= worst {
				n++
			}
		}
		wanted, found = wanted+len(want), found+min(n, len(want))
	}
	return float64(found) / float64(wanted)
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func separator(dsn string) string {
	if strings.Contains(dsn, "?") {
		return "&"
	}
	return "?"
}
