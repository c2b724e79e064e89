package recommend

import (
	"cmp"
	"slices"

	"kindred/internal/model/modelversion"
)

// Explanation splits the score of a recommended product into what it is the sum of, up to float32.
type Explanation struct {
	Popularity float32 `json:"popularity,omitempty"` // how many customers like it, where popularity answered
	// What is known of the customer adds: last night's vector, or one made from features; and the product as a
	// neighbour of what the customer did.
	Customer           float32 `json:"customer,omitempty"`
	CustomerNeighbours float32 `json:"customer_neighbours,omitempty"`
	// What each product of the session adds, most first. Those that add nothing are left out.
	Products []Contribution `json:"products,omitempty"`
	Boosts   float32        `json:"boosts,omitempty"` // what boosts change
}

// Contribution is what a product of the session adds to a score.
type Contribution struct {
	ID         string  `json:"id"`
	Score      float32 `json:"score"`                // all of it
	Neighbours float32 `json:"neighbours,omitempty"` // of it, as a neighbour
	Itself     float32 `json:"itself,omitempty"`     // of it, because visitors come back to a product
}

// Sum is the score.
func (e Explanation) Sum() float32 {
	sum := e.Popularity + e.Customer + e.CustomerNeighbours + e.Boosts
	for _, p := range e.Products {
		sum += p.Score
	}
	return sum
}

// explanations are those of what was found for the session; nil unless its control asks for them.
func (s *session) explanations(st *strip, found []Candidate) []Explanation {
	if c := s.event.Control; c == nil || !c.Explain {
		return nil
	}
	all := make([]Explanation, len(found))
	for i, c := range found {
		all[i] = s.explain(c)
		if len(st.asked.Boosts) > 0 {
			all[i].Boosts = c.Score - all[i].Sum()
		}
	}
	return all
}

func (s *session) explain(c Candidate) (e Explanation) {
	if s.vector == nil {
		e.Popularity = c.Score
		return e
	}
	e.CustomerNeighbours = weightOf(s.own, c.Item)
	if s.query == nil {
		e.Customer = inner(s.vector, c.Vector)
		return e
	}
	var room [SessionItems]float32
	var each []float32
	e.Customer, each = s.query.Contributions(c.Vector, room[:0])
	for i, x := range each {
		near, itself := s.folded[i].adds(c.Item)
		if x += near + itself; x != 0 {
			e.Products = append(e.Products, Contribution{s.folded[i].code, x, near, itself})
		}
	}
	slices.SortStableFunc(e.Products, func(a, b Contribution) int { return cmp.Compare(b.Score, a.Score) })
	return e
}

// scored is the score of a product whose vector and number are known.
func (s *session) scored(vector []float32, item int32) float32 {
	score := inner(s.vector, vector)
	at, known := slices.BinarySearchFunc(s.added, item, func(n modelversion.Neighbour, item int32) int {
		return cmp.Compare(n.Item, item)
	})
	if known {
		score += s.added[at].Weight
	}
	return score
}

func inner(a, b []float32) (sum float32) {
	for i, x := range a {
		sum += x * b[i]
	}
	return sum
}
