// Package recommend decides what to recommend to the sessions of a batch. It folds each session into
// the space of the live model, asks the store for the best products, and names the browsed product
// that each one is recommended for. When little is known it falls back, and says to what. It owns
// that logic and the types of its questions. It knows no database, no AWS and no stream.
package recommend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"kindred/internal/model/modelversion"
	"kindred/internal/serving/rule"
	"kindred/internal/stream/activity"
)

// Model is a model version without its vectors, which stay in the store: what answering needs of it.
type Model struct {
	Version string
	Solver  modelversion.Solver
	Encoder modelversion.Encoder
	Stale   bool // as in Traffic: it answers from what was last known
}

// ByPopularity says that the version answers by popularity, for want of a model that is good enough.
func (m *Model) ByPopularity() bool { return m.Solver.Kind == modelversion.KindPopularity }

// Item is a product that the model knows.
type Item struct {
	Number int32 // in the version, as in Candidate
	Likes  int32 // how many customers like it; 0 where Number is NoItem
	Vector []float32
	Near   []modelversion.Neighbour // ascending; nil: it has none
}

// Customer is a customer that the model knows.
type Customer struct {
	Origin modelversion.Origin
	Vector []float32
	Near   []modelversion.Neighbour // ascending; nil: none
}

// Lookup holds what was found. Products and customers that the model does not know are absent.
type Lookup struct {
	Items     map[string]Item     // by product code
	Customers map[string]Customer // by id
	// What the customers bought of the products that the model knows, as events say, by customer: also of
	// customers that the model does not know.
	Bought map[string][]Bought
	Kept   Kept            // of the sessions and the customers; without any, where nothing is kept
	Said   map[string]Said // what events say of the customers, by id: also of those that the model does not know
}

// NewItem is a product that a version does not know, with the vector that its features give it.
type NewItem struct {
	Code      string
	Vector    []float32
	FirstSeen time.Time // when it was first said something of
	Shown     bool      // it can be bought
	Facts     *rule.Product
}

// Search asks for the best products for one query.
type Search struct {
	Vector []float32 // query vector; nil asks for the popularity order
	// Added is what the neighbours of the session's products and of the customer add to the scores of
	// some products, each of them once. The popularity order does without.
	Added []modelversion.Neighbour
	// leave out what this customer has rated, as the version's rules say; nil: leave out nobody's ratings
	Customer *string
	At       time.Time // when it is asked: what was bought long enough before comes back
	Exclude  []string  // product codes to leave out
	Limit    int
	// New is how many of the products that the version does not know are to be found in addition; of these,
	// only those that were first seen by SeenBy count. The zero time is no bound.
	New    int
	SeenBy time.Time
	Rules  *Rules // nil: none
}

// MaxLimit bounds what one question returns, whatever its limit: more than a page ever shows.
const MaxLimit = 1000

// Check reports a search that no store answers: a limit that is not positive, a vector that does not
// have dim finite components, a negative New, or something added that is negative or not finite.
func (s Search) Check(dim int) error {
	if s.Limit < 1 || s.New < 0 {
		return fmt.Errorf("the limit %d is not positive, or %d negative", s.Limit, s.New)
	}
	if s.Vector != nil && len(s.Vector) != dim {
		return fmt.Errorf("the vector has %d components, not %d", len(s.Vector), dim)
	}
	if !modelversion.Finite(s.Vector...) {
		return errors.New("a component of the vector is not finite")
	}
	for _, n := range s.Added {
		if !(n.Weight >= 0) || !modelversion.Finite(n.Weight) {
			return errors.New("what is added to a score is negative or not finite")
		}
	}
	return nil
}

// Candidate is a product that a search found. Score is the inner product of query and item, plus what
// the search adds to the item; in the popularity order it is the number of customers who like the
// product. Boosts change both.
type Candidate struct {
	Item   int32 // its number in the version, which Neighbour.Item names; NoItem: the version does not know it
	Code   string
	Score  float32
	Vector []float32
	Marks  []bool   // as Rules.Marks
	Labels []string // as Rules.By
}

// NoItem is the number of what is no item of the version: it has no neighbours.
const NoItem = -1

// Neighbours asks for the products nearest to one product, without that product.
type Neighbours struct {
	Code  string
	Limit int
	Rules *Rules // nil: none; marks and labels do not count
}

// Check reports a limit that is not positive.
func (n Neighbours) Check() error {
	if n.Limit < 1 {
		return fmt.Errorf("the limit %d is not positive", n.Limit)
	}
	return nil
}

// Similar is a product near another one. Distance is 1 - cosine, less the weight that the product has in
// the other's list of neighbours, times Solver.SimilarWeight. Boosts change 1 - Distance.
type Similar struct {
	Code     string
	Distance float32
}

// Nearest joins two lists of similar products, nearest first; equals are in the order of their codes. It
// returns at most limit of them.
func Nearest(known, fresh []Similar, limit int) []Similar {
	if len(fresh) == 0 {
		return known
	}
	all := append(known, fresh...)
	slices.SortStableFunc(all, func(a, b Similar) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), strings.Compare(a.Code, b.Code))
	})
	return all[:min(limit, len(all))]
}

// store is a vector store. Each method is one round trip, and safe for concurrent use. A retry may
// help with every error but a *RefusedError. Package recommendtest holds its implementations to the
// same answers.
type store interface {
	// Traffic returns the versions that answer.
	Traffic(ctx context.Context) (Traffic, error)
	// Lookup finds the products and customers that m knows, the products that it does not know but that have
	// a vector, and what is kept of the customers and sessions: of their visits, what the stream had until this
	// place. The zero place is no bound.
	Lookup(ctx context.Context, m *Model, codes, customers, sessions []string, until activity.Order) (Lookup, error)
	// Retrieve answers every search and every neighbours question, in their order. Products that cannot be
	// bought are left out: as the shop says now, else as the version says. A search finds the products of
	// the version, best first, and behind them those that it does not know, best first; in the popularity
	// order the newest one first. Products of both kinds are similar products.
	Retrieve(ctx context.Context, m *Model, searches []Search, neighbours []Neighbours) ([][]Candidate, [][]Similar, error)
	// Facts finds what is known of products now, in m or beside it. Products of which nothing is known are absent.
	Facts(ctx context.Context, m *Model, codes []string) (map[string]Facts, error)
	// List answers with a list that m or what is beside it has: SourceTrending, SourceNew or SourceTogether, or with
	// those that are given; of products that can be bought, best first, equals in the order of their codes. Errors:
	// ErrUnknownProduct.
	List(ctx context.Context, m *Model, q ListQuery) ([]Listed, error)
	// CanaryFailed records that the canary version could not answer what the live version then did.
	// Enough of these end the canary.
	CanaryFailed(ctx context.Context, version string, fault error) error
	// Arms are the arms of an experiment that are kept of visitors, by their names: those that there are.
	Arms(ctx context.Context, experiment string, visitors []string) (map[string]Arm, error)
	// KeepArms keeps the arms of visitors who have none yet, and returns what is kept of these visitors then;
	// nothing, if the experiment has ended.
	KeepArms(ctx context.Context, experiment string, arms map[string]Arm) (map[string]Arm, error)
}
