package vectorstore

import (
	"strconv"

	"kindred/internal/serving/recommend"
)

// said is which tables beside the versions have rows, and whether there are products that the version does
// not know.
type said struct{ products, interactions, customers, visits, trends, newItems bool }

// stateful are the SQL expressions of said. A table that was never written to has no file to read, and a
// database that is not migrated has no table: both are asked as before there was state.
const stateful = `coalesce(pg_relation_size(to_regclass('kindred.product_state')), 0) > 0,
	coalesce(pg_relation_size(to_regclass('kindred.interaction')), 0) > 0,
	coalesce(pg_relation_size(to_regclass('kindred.customer_state')), 0) > 0,
	coalesce(pg_relation_size(to_regclass('kindred.visit')), 0) > 0,
	coalesce(pg_relation_size(to_regclass('kindred.trend')), 0) > 0`

// hasNewItems is the SQL expression of said.newItems for the version that an expression names.
func hasNewItems(version string) string {
	return `coalesce(pg_relation_size(to_regclass('model_' || ` + version + ` || '.new_item')), 0) > 0`
}

// wider is how many products a scan takes for each one that is wanted, whatever the state says of
// them. At 4, a search finds too few, and is asked again, where far more than half of the best
// products cannot be bought.
const wider = 4

// way is how a search meets the products.
type way int

const (
	byIndex   way = iota // of the vectors
	byScan               // of all products; those beyond the best ones are not looked up in the state
	wholeScan            // of all products, and of the state of each
)

// shown is the SQL condition that a product can be bought: as its state says, else as the version
// does. row is the version's item, or a subquery with its columns. A lookup takes 1 µs.
func (m *model) shown(row string) string {
	stock := row + `.quantity_in_stock > 0`
	if !m.state.products {
		return stock
	}
	return `coalesce((SELECT s.available AND NOT s.hidden FROM kindred.product_state s WHERE s.id = ` + row +
		`.code), ` + stock + `)`
}

// filter is where a statement leaves out what cannot be bought: inside, where products are ordered, or
// outside, where the best ones are looked up one after the other until there are enough.
type filter struct {
	inside  string // condition on item i
	column  string // of item i, which the outside needs
	limit   string // of the inside
	outside string // condition on the subquery found
	last    string // limit of the outside
}

func (m *model) filter(by way, limit int) filter {
	limit = min(limit, recommend.MaxLimit)
	most := func(n int) string { return ` LIMIT ` + strconv.Itoa(n) }
	if by == byScan && m.state.products {
		return filter{`true`, `, i.quantity_in_stock`, most(wider * limit), ` WHERE ` + m.shown(`found`), most(limit)}
	}
	return filter{inside: m.shown(`i`), limit: most(limit)}
}

// again says whether a search that found so many products has to be asked again, by wholeScan: an
// index gave up, or the state hid too many of the best products.
func (m *model) again(by way, found, limit int) bool {
	limit = min(limit, recommend.MaxLimit)
	return found < limit && (by == byIndex || by == byScan && m.state.products && wider*limit < m.items)
}
