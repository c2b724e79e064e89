package recommend

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strconv"
)

// exploredFrom is how many of the new products that suit a visitor best are drawn from: each of them is
// seen by somebody.
const exploredFrom = 10

// Exploring lets up to this share of the products of each answer be ones that the model version does not
// know (docs/decisions/0060): share × products of the answer, rounded down. 0: none, as New has it. Call it
// before the first question.
func (r *Recommender) Exploring(share float64) *Recommender {
	r.explore = share
	return r
}

// explored is how many of an answer's products may be new, if it has at most limit of them, and known ones of
// the version and so many new ones were found.
func explored(share float64, limit, known, fresh int) (n int) {
	const rounding = 1e-9 // 0.3 × 10 is less than 3
	for n < fresh && float64(n+1) <= share*float64(min(limit, known+n+1))+rounding {
		n++
	}
	return n
}

// drawn are new products in an order that depends on the event alone, as long as the same are there: another
// attempt at it shows the same.
func (s *session) drawn(fresh []Candidate) []Candidate {
	fresh = slices.Clone(fresh)
	slices.SortStableFunc(fresh, func(a, b Candidate) int { return cmp.Compare(s.draw(a.Code), s.draw(b.Code)) })
	return fresh
}

// draw is a number for the event and a product, as good as random.
func (s *session) draw(code string) uint64 {
	e := s.event
	key := "id\x00" + e.EventID
	if e.EventID == "" {
		key = "place\x00" + e.SessionID + "\x00" + e.Place.Sequence + "\x00" + strconv.FormatInt(e.Place.Sub, 10)
		if e.CustomerID != nil {
			key += "\x00" + string(*e.CustomerID)
		}
	}
	hash := sha256.Sum256([]byte(key + "\x00" + code))
	return binary.BigEndian.Uint64(hash[:])
}
