package recommendtest

import (
	"cmp"
	"fmt"
	"slices"
	"testing"
	"time"

	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"pgregory.net/rapid"
)

// someVisit draws an event of one of few sessions and customers, or of neither, or lets a customer be
// forgotten. Each has an order of its own.
func someVisit(t *rapid.T, run string, customers []string, number int64) (s recommend.State) {
	at := func(what string) activity.Order {
		return activity.Order{At: bought.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, what)) * time.Second),
			Sequence: rapid.SampledFrom([]string{"", "9", "10"}).Draw(t, what+"'s sequence"), Sub: number}
	}
	if rapid.IntRange(0, 6).Draw(t, "forget") == 0 {
		s.Customers = []activity.CustomerWrite{{ID: rapid.SampledFrom(customers).Draw(t, "whom"), Forget: true,
			Order: at("forgotten")}}
		return s
	}
	v := activity.Visit{EventID: fmt.Sprint("ü'\"", number), Place: at("place"), Order: at("order"),
		Session:  rapid.SampledFrom([]string{"", run + "a", run + "ü'\""}).Draw(t, "session"),
		Customer: rapid.SampledFrom(append([]string{"", ""}, customers...)).Draw(t, "customer")}
	for range rapid.IntRange(0, 2).Draw(t, "clicks") {
		v.Clicks = append(v.Clicks, activity.Click{Product: rapid.SampledFrom([]string{"p", "ü'\""}).Draw(t, "product"),
			Kind: rapid.SampledFrom([]activity.ClickKind{activity.ClickView, activity.ClickRemove}).Draw(t, "kind")})
	}
	s.Visits = []activity.Visit{v}
	return s
}

// testVisits writes visits in any order and repetition: a look-up finds those of each session and of each
// customer, as if each had come once, in order, and nothing from before a forgetting.
func testVisits(t *testing.T, s Conformer) {
	t.Parallel()
	run, number := 0, int64(0)
	rapid.Check(t, func(rt *rapid.T) {
		run++
		prefix := fmt.Sprint("visits", run)
		customers, sessions := []string{prefix + "x", prefix + "y"}, []string{prefix + "a", prefix + "ü'\"", "of nobody"}
		var all []recommend.State
		for range rapid.IntRange(1, 12).Draw(rt, "events") {
			number++
			all = append(all, someVisit(rt, prefix, customers, number))
		}
		var until activity.Order
		if rapid.Bool().Draw(rt, "bounded") {
			until = activity.Order{At: bought.Add(time.Second), Sequence: "9",
				Sub: rapid.Int64Range(0, number).Draw(rt, "until")}
		}
		want := wantKept(all, customers, sessions, until)
		for round := range 2 {
			sent := rapid.Permutation(all).Draw(rt, "order")
			for len(sent) > 0 {
				var together recommend.State
				n := rapid.IntRange(1, len(sent)).Draw(rt, "together")
				for _, e := range sent[:n] {
					together.Visits = append(together.Visits, e.Visits...)
					together.Customers = append(together.Customers, e.Customers...)
				}
				if err := s.WriteState(rt.Context(), together); err != nil {
					rt.Fatal(err)
				}
				sent = sent[n:]
			}
			traffic, err := s.Traffic(rt.Context())
			if err != nil {
				rt.Fatal(err)
			}
			found, err := s.Lookup(rt.Context(), traffic.Live, nil, customers, sessions, until)
			if err != nil {
				rt.Fatal(err)
			}
			if got, want := keptText(found.Kept), keptText(want); got != want {
				rt.Fatalf("round %d: found\n%s\nwant\n%s", round, got, want)
			}
		}
	})
}

// testManyVisits writes more than a look-up finds, behind a place and before it: up to this place, the
// newest events and the newest clicks are found, of a session and of a customer.
func testManyVisits(t *testing.T, s Conformer) {
	t.Parallel()
	const before, of = recommend.LookedUp + 10, "many"
	full := slices.Repeat([]activity.Click{{Product: "p", Kind: activity.ClickView}}, activity.MaxKept)
	for name, c := range map[string]struct {
		clicks []activity.Click
		want   int
	}{"events": {nil, recommend.LookedUp}, "clicks": {full, recommend.ClicksLookedUp / activity.MaxKept}} {
		who := of + name
		at := func(n int) activity.Order { return activity.Order{At: bought.Add(time.Duration(n) * time.Second)} }
		var state recommend.State
		for n := range 2 * before {
			v := activity.Visit{EventID: fmt.Sprint(n), Session: who, Customer: who, Place: at(n), Order: at(n),
				Clicks: c.clicks}
			if n%2 == 1 {
				v.Customer = ""
			}
			state.Visits = append(state.Visits, v)
		}
		if err := s.WriteState(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		found, err := s.Lookup(t.Context(), mustModel(t, s), nil, []string{who}, []string{who}, at(before-1))
		if err != nil {
			t.Fatal(err)
		}
		for what, visits := range map[string][]activity.Visit{"session": found.Kept.Sessions[who],
			"customer": found.Kept.Customers[who]} {
			var got, want []string
			for _, v := range visits {
				got = append(got, v.EventID)
			}
			for n := range c.want {
				want = append(want, fmt.Sprint(before-1-n))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("%s of the %s: found %d, want the %d newest until %d: %v", name, what, len(got), len(want), before-1, got)
			}
		}
	}
}

// wantKept is what a store must find up to a place.
func wantKept(all []recommend.State, customers, sessions []string, until activity.Order) recommend.Kept {
	forgotten := map[string]activity.Order{}
	for _, e := range all {
		for _, w := range e.Customers {
			if w.Order.After(forgotten[w.ID]) {
				forgotten[w.ID] = w.Order
			}
		}
	}
	first := map[string]activity.Visit{}
	var left []activity.Visit
	for _, e := range all {
		for _, v := range e.Visits {
			behind := until != (activity.Order{}) && v.Place.After(until)
			if behind || v.Customer != "" && forgotten[v.Customer].After(v.Order) {
				continue
			}
			left = append(left, v)
			if before, known := first[v.Session]; v.Session != "" && v.Customer != "" &&
				(!known || before.Place.After(v.Place)) {
				first[v.Session] = v
			}
		}
	}
	kept := recommend.Kept{Sessions: map[string][]activity.Visit{}, Customers: map[string][]activity.Visit{}}
	for _, v := range left {
		if slices.Contains(sessions, v.Session) {
			kept.Sessions[v.Session] = append(kept.Sessions[v.Session], v)
		}
		whose := cmp.Or(v.Customer, first[v.Session].Customer)
		if v.Customer == "" && whose != "" && first[v.Session].Place.After(v.Place) {
			v.Place = first[v.Session].Place
		}
		if slices.Contains(customers, whose) {
			kept.Customers[whose] = append(kept.Customers[whose], v)
		}
	}
	return kept
}

// keptText is what was found, in an order of its own.
func keptText(k recommend.Kept) string {
	var lines []string
	for name, of := range map[string]map[string][]activity.Visit{"session": k.Sessions, "customer": k.Customers} {
		for id, visits := range of {
			for _, v := range visits {
				lines = append(lines, fmt.Sprintf("%s %q: %q %q %q %q %s %s", name, id, v.EventID, v.Session, v.Customer,
					v.Clicks, orderText(v.Place), orderText(v.Order)))
			}
		}
	}
	slices.Sort(lines)
	return fmt.Sprint(lines)
}

func orderText(o activity.Order) string {
	return fmt.Sprint(o.At.UnixMicro(), " ", o.Sequence, " ", o.Sub)
}
