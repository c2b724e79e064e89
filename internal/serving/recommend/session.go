package recommend

import (
	"cmp"
	"slices"
	"sync"

	"kindred/internal/model/ials"
	"kindred/internal/model/modelversion"
	"kindred/internal/stream/activity"
)

// session is an event on its way to an answer.
type session struct {
	event   *activity.Event
	strips  []strip   // at least one
	browsed []browsed // distinct products, newest first, at most SessionItems
	seen    []string  // every distinct product of the session, however old
	// What resolve finds:
	source  activity.Source
	query   *ials.Query              // nil unless source is session
	vector  []float32                // what to search by; nil: the popularity order
	folded  []folded                 // query's observations, in their order
	own     []modelversion.Neighbour // of the customer
	added   []modelversion.Neighbour // what folded and the customer add to scores, apart from the vectors
	over    []string                 // of seen, what is not recommended
	unknown int                      // of browsed, those that the model does not know
	strange bool                     // the model does not know the customer
	bought  []Bought                 // by the customer
	hidden  []string                 // products that the customer does not want to see
	telling string                   // the known product that says most about the session; "" without a known one
	// The question for the products that are similar to telling, among all of the batch; -1: there is none.
	alike int
	about string // the newest known product, which lists of placements are about; "" without a known one
}

type browsed struct {
	code   string
	ago    int // clicks after its last one
	inCart bool
	bought bool
}

// folded is a product of the session that counts.
type folded struct {
	code       string
	near       []modelversion.Neighbour // counts nearWeight times
	nearWeight float32
	item       int32   // NoItem: the version does not know it
	itself     float32 // what it adds to its own score apart from its vector
}

// adds is what the product adds to an item's score apart from their vectors: as a neighbour, and to itself.
func (f *folded) adds(item int32) (near, itself float32) {
	if f.item == item {
		itself = f.itself
	}
	return f.nearWeight * weightOf(f.near, item), itself
}

// newSession reads a browse history from its newest entry. A product that is in the cart by any
// of its entries is in the cart.
func newSession(e *activity.Event, history []activity.Browse) session {
	s := session{event: e}
	at := map[string]int{} // index in seen, and in browsed while that is shorter than SessionItems
	for i := len(history) - 1; i >= 0; i-- {
		b := history[i]
		code := string(b.ProductCode)
		index, seen := at[code]
		if !seen {
			index = len(s.seen)
			at[code] = index
			s.seen = append(s.seen, code)
			if index < SessionItems {
				s.browsed = append(s.browsed, browsed{code: code, ago: len(history) - 1 - i})
			}
		}
		if index < SessionItems {
			of := &s.browsed[index]
			of.inCart, of.bought = of.inCart || b.InShoppingCart, of.bought || b.Purchased
		}
	}
	return s
}

// resolve goes down the fallback chain and makes the query vector. It adds neighbours up in memory of free.
func (s *session) resolve(m *Model, folder *ials.Folder, found Lookup, free *sync.Pool) error {
	prior, near, source := s.prior(m, found)
	s.over = s.past(m.Solver.Clicks)
	if m.ByPopularity() {
		s.popular(found)
		return nil
	}
	s.own = near
	observations := s.fold(m, found)
	if len(observations) == 0 {
		s.vector, s.added, s.source = prior, near, source
		return nil
	}
	if source != activity.SourceCustomer {
		prior = m.Solver.Newcomer(prior, m.Encoder.Bias)
	}
	query, err := folder.Fold(prior, observations)
	if err != nil {
		return err
	}
	s.query, s.vector, s.source = query, query.Vector(), activity.SourceSession
	if m.Solver.Neighbours > 0 {
		s.add(near, free)
	}
	// The product that shaped the query most, found by decomposing the product of the query with itself.
	// That needs no candidates, so the neighbours are fetched in the same round trip as the candidates.
	if s.telling = s.because(s.vector, NoItem); s.telling == "" {
		s.telling = s.folded[0].code
	}
	return nil
}

// past are the products of the session that are not recommended: all of them, or, where the version was trained
// on visitors who come back to products, those that are in the cart or bought, and the last one if it says so.
func (s *session) past(clicks *modelversion.Clicks) []string {
	if clicks == nil {
		return s.seen
	}
	var over []string
	for i, b := range s.browsed {
		if b.inCart || b.bought || i == 0 && clicks.Last < 0 {
			over = append(over, b.code)
		}
	}
	return over
}

// fold makes the observations of the products that count.
func (s *session) fold(m *Model, found Lookup) (observations []ials.Observation) {
	solver := &m.Solver
	for _, b := range s.browsed {
		item, ok := found.Items[b.code]
		if !ok {
			s.unknown++
			continue
		}
		weight, f := solver.ViewWeight, folded{code: b.code, near: item.Near, nearWeight: float32(solver.NearWeight),
			item: item.Number}
		if b.inCart {
			weight = solver.CartWeight
		}
		if clicks := solver.Clicks; clicks != nil {
			if b.ago >= modelversion.LongestSession {
				continue
			}
			weight *= clicks.View(b.ago)
			f.nearWeight = float32(solver.NearWeight * clicks.Near(b.ago))
			if item.Number != NoItem {
				f.itself = float32(clicks.Itself(b.ago))
			}
		}
		observations = append(observations, ials.Observation{Vector: item.Vector, Weight: float32(weight)})
		s.folded = append(s.folded, f)
	}
	return observations
}

// add sums up what the session and the customer add to scores, in memory of free.
func (s *session) add(own []modelversion.Neighbour, free *sync.Pool) {
	lists, weights := make([][]modelversion.Neighbour, 0, len(s.folded)+2), make([]float32, 0, len(s.folded)+2)
	var themselves []modelversion.Neighbour
	for i := range s.folded {
		f := &s.folded[i]
		lists, weights = append(lists, f.near), append(weights, f.nearWeight)
		if f.itself > 0 {
			themselves = append(themselves, modelversion.Neighbour{Item: f.item, Weight: f.itself})
		}
	}
	slices.SortFunc(themselves, func(a, b modelversion.Neighbour) int { return cmp.Compare(a.Item, b.Item) })
	room, _ := free.Get().(*sums)
	if room == nil {
		room = new(sums)
	}
	s.added = room.add(append(lists, own, themselves), append(weights, 1, 1))
	free.Put(room)
}

// popular lets popularity answer. The telling product is the newest one that is known.
func (s *session) popular(found Lookup) {
	s.vector, s.source = nil, activity.SourcePopularity
	for _, b := range s.browsed {
		switch _, known := found.Items[b.code]; {
		case !known:
			s.unknown++
		case s.telling == "":
			s.telling = b.code
		}
	}
}

// prior returns what is known about the visitor apart from this session: the customer's trained
// vector and neighbours, else a vector made from features, else nil. A customer without ratings has a
// vector from features.
func (s *session) prior(m *Model, found Lookup) ([]float32, []modelversion.Neighbour, activity.Source) {
	e := s.event
	var said Said
	if e.CustomerID != nil {
		said = found.Said[string(*e.CustomerID)]
		s.bought, s.hidden = found.Bought[string(*e.CustomerID)], said.Hidden
		if c, ok := found.Customers[string(*e.CustomerID)]; ok {
			if c.Origin == modelversion.OriginTrained {
				return c.Vector, c.Near, activity.SourceCustomer
			}
			return c.Vector, c.Near, activity.SourceFeatures
		}
		s.strange = true
	}
	if v := features(m, e, said); v != nil {
		return v, nil, activity.SourceFeatures
	}
	return nil, nil, activity.SourcePopularity
}

func popular(found []Candidate) []activity.RecommendedItem {
	items := make([]activity.RecommendedItem, len(found))
	for i, c := range found {
		items[i] = activity.RecommendedItem{ID: c.Code, Score: c.Score, Explored: c.Item == NoItem}
	}
	return items
}
