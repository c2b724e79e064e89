package recommend

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"kindred/internal/stream/activity"
)

const (
	// KeptFor is how long what a visitor did counts in later answers.
	KeptFor = 7 * 24 * time.Hour
	// LookedUp is how many of the newest events of a session or a customer a store looks up: as many as
	// count for an event, and those that may have been written together with it and lie behind it.
	LookedUp = activity.MaxKept + 500
	// ClicksLookedUp is how many clicks of these events a store looks up, but whole events: most have one click.
	ClicksLookedUp = 10 * LookedUp
)

// Kept is what a store keeps of the visits of those who were asked for, up to the place that was asked for,
// of each as many as Newest leaves.
type Kept struct {
	Sessions map[string][]activity.Visit // by session
	// By customer: the events that name the customer, and of each session that the newest LookedUp of these
	// name, and whose first customer it was, the events that name nobody. The place of these is not before
	// that of the event that named the customer.
	Customers map[string][]activity.Visit
}

// Newest sorts visits, newest first, and leaves as many as a store looks up.
func Newest(visits []activity.Visit) []activity.Visit {
	slices.SortFunc(visits, func(a, b activity.Visit) int { return compare(b.Place, a.Place) })
	clicks := 0
	for i, v := range visits {
		if i == LookedUp || clicks >= ClicksLookedUp {
			return visits[:i]
		}
		clicks += len(v.Clicks)
	}
	return visits
}

// history is what the session has seen, oldest first, as a whole record would say it, after what its
// customer did elsewhere lately. An event on the stream is answered from what lies before it, and itself:
// a retry must find what the first attempt found.
func history(e *activity.Event, kept Kept, now time.Time) []activity.Browse {
	var elsewhere []activity.Visit
	if e.CustomerID != nil {
		for _, v := range kept.Customers[string(*e.CustomerID)] {
			if v.Session == "" || v.Session != e.SessionID {
				elsewhere = append(elsewhere, v)
			}
		}
	}
	before := entries(counting(elsewhere, e.Place, now))
	if e.Visit == nil {
		return slices.Concat(before, e.BrowseHistory)
	}
	own := slices.Clone(kept.Sessions[e.SessionID])
	isOwn := func(v activity.Visit) bool { return v.EventID == e.Visit.EventID }
	visits := counting(own, e.Place, now)
	if !slices.ContainsFunc(visits, isOwn) { // it came over HTTP, or its customer was forgotten since
		visits = append(visits, *e.Visit)
	}
	return slices.Concat(before, entries(visits))
}

// counting are the visits that count for an event at the place, in their order.
func counting(visits []activity.Visit, place activity.Order, now time.Time) []activity.Visit {
	since := now
	if place != (activity.Order{}) {
		since = place.At
	}
	since = since.Add(-KeptFor)
	visits = slices.DeleteFunc(visits, func(v activity.Visit) bool {
		return place != (activity.Order{}) && v.Place.After(place) || v.Place.At.Before(since)
	})
	slices.SortFunc(visits, func(a, b activity.Visit) int { // newest first
		return -cmp.Or(compare(a.Place, b.Place), strings.Compare(a.EventID, b.EventID))
	})
	visits = visits[:min(len(visits), activity.MaxKept)]
	slices.SortFunc(visits, func(a, b activity.Visit) int {
		return cmp.Or(compare(a.Order, b.Order), compare(a.Place, b.Place), strings.Compare(a.EventID, b.EventID))
	})
	return visits
}

func compare(a, b activity.Order) int {
	switch {
	case a.After(b):
		return 1
	case b.After(a):
		return -1
	}
	return 0
}

// entries are the clicks of visits as a browse history. What was taken out of the cart is not in it. Of
// more than MaxKept clicks the newest count.
func entries(visits []activity.Visit) []activity.Browse {
	var all []activity.Browse
	for _, v := range visits {
		for _, c := range v.Clicks {
			if c.Kind == activity.ClickRemove {
				for i := range all {
					if string(all[i].ProductCode) == c.Product {
						all[i].InShoppingCart = false
					}
				}
				continue
			}
			all = append(all, activity.Browse{ProductCode: activity.ID(c.Product),
				InShoppingCart: c.Kind == activity.ClickCart || c.Kind == activity.ClickPurchase})
		}
	}
	return all[max(0, len(all)-activity.MaxKept):]
}
