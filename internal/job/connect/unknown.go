package connect

import (
	"fmt"

	"kindred/internal/job/etl"
	"kindred/internal/shop"
)

// fewUnknown is the share of unknown products beyond which a mapping is more likely wrong than the
// shop's data old. Verify and replay warn at the same share.
const fewUnknown = 0.05

// Unknown is how many interactions name what the shop does not list: the sign of a mapping that takes
// ids from the wrong columns.
type Unknown struct {
	Interactions int64 `json:"interactions"` // of the shop
	Products     int64 `json:"products"`     // of them, those with a product that is not listed; they are left out
	Customers    int64 `json:"customers"`    // with a customer who is not listed; they are kept
}

func newUnknown(c etl.HistoryCounts) *Unknown {
	return &Unknown{Interactions: c.Interactions, Products: c.Broken[shop.InteractionProduct],
		Customers: c.Broken[shop.InteractionCustomer]}
}

func (u Unknown) share(n int64) float64 { return float64(n) / float64(max(u.Interactions, 1)) }

// text is a line for a person, with what to look at where too much is unknown.
func (u Unknown) text() string {
	s := fmt.Sprintf("  %.1f %% of the interactions name a product that the shop does not list, and %.1f %% a customer "+
		"whom it does not list",
		100*u.share(u.Products), 100*u.share(u.Customers))
	if u.share(u.Products) > fewUnknown {
		s += "\n  Check the mapping: does product in its query of interactions have the ids of its query of products?"
	}
	if u.share(u.Customers) > fewUnknown {
		s += "\n  Check the mapping: does customer in its query of interactions have the ids of its query of customers?"
	}
	return s
}
