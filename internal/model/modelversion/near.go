package modelversion

import "fmt"

// Neighbour is an item that another item, or a customer, speaks for, and how much.
type Neighbour struct {
	Item   int32 // index in Version.Items
	Weight float32
}

// Near is the sparse part of a version (docs/decisions/0032). A list adds its weights to the scores of
// its items: a customer's list to what is recommended to the customer, and an item's list, times
// Solver.NearWeight, to what is recommended in a session that has the item. An item's list, times
// Solver.SimilarWeight, adds to the cosine of similar items. Weights are positive, so a list never
// lowers a score.
type Near struct {
	Items     [][]Neighbour // by item, each in ascending order of its items, at most Solver.Neighbours
	Customers [][]Neighbour // by customer, the same, at most CustomerNeighbours
}

// CustomerNeighbours is the most items of a customer's list: as many as a database keeps in the row
// itself.
const CustomerNeighbours = 200

// validateTogether reports the first fault of Together; nil: there is none.
func (v *Version) validateTogether() error {
	if v.Together != nil && len(v.Together) != len(v.Items) {
		return fmt.Errorf("it has %d lists of products bought together for %d items", len(v.Together), len(v.Items))
	}
	for row, list := range v.Together {
		before := int32(-1)
		for _, n := range list {
			if n.Item <= before || int(n.Item) >= len(v.Items) || !(n.Weight > 0) || !Finite(n.Weight) {
				return fmt.Errorf("with item %d, item %d is bought together with weight %g after %d, of %d items", row, n.Item,
					n.Weight, before, len(v.Items))
			}
			before = n.Item
		}
	}
	return nil
}

// validateNear reports the first fault of the sparse part, without where it is; nil: there is none.
func (v *Version) validateNear() error {
	if v.Near == nil {
		if v.Solver.Neighbours != 0 || v.Solver.NearWeight != 0 || v.Solver.SimilarWeight != 0 {
			return fmt.Errorf("the solver counts on %d neighbours of an item, and there are none", v.Solver.Neighbours)
		}
		return nil
	}
	if v.Solver.Kind != KindModel || v.Solver.Neighbours <= 0 || !(v.Solver.NearWeight >= 0) ||
		!(v.Solver.SimilarWeight >= 0) ||
		!Finite(v.Solver.NearWeight, v.Solver.SimilarWeight) {
		return fmt.Errorf("it has neighbours, and its solver is of kind %q with %d neighbours of weight %g, and %g for "+
			"similar items",
			v.Solver.Kind, v.Solver.Neighbours, v.Solver.NearWeight, v.Solver.SimilarWeight)
	}
	if len(v.Near.Items) != len(v.Items) || len(v.Near.Customers) != len(v.Customers) {
		return fmt.Errorf("it has %d lists of neighbours for %d items, and %d for %d customers", len(v.Near.Items),
			len(v.Items), len(v.Near.Customers), len(v.Customers))
	}
	for _, of := range []struct {
		what  string
		lists [][]Neighbour
		most  int
	}{{"an item", v.Near.Items, v.Solver.Neighbours}, {"a customer", v.Near.Customers, CustomerNeighbours}} {
		for row, list := range of.lists {
			if len(list) > of.most {
				return fmt.Errorf("%s (row %d) has %d neighbours, more than %d", of.what, row, len(list), of.most)
			}
			before := int32(-1)
			for _, n := range list {
				if n.Item <= before || int(n.Item) >= len(v.Items) || !(n.Weight > 0) || !Finite(n.Weight) {
					return fmt.Errorf("%s (row %d) has the neighbour %d of weight %g after %d, of %d items", of.what, row, n.Item,
						n.Weight, before, len(v.Items))
				}
				before = n.Item
			}
		}
	}
	return nil
}
