// Package recommend decides what to recommend to the sessions of a batch: it folds each session
// into the space of the live model, asks the store for the best products, names the browsed product
// behind each one, and falls back, by name, when little is known. It owns that logic and the data
// types of what it asks; it knows no database, no AWS and no stream.
package recommend

import (
	"context"

	"kindred/internal/model/modelversion"
)

// Model is a live model version: what answering needs besides the vectors, which stay in the store.
type Model struct {
	Version string
	Solver  modelversion.Solver
	Encoder modelversion.Encoder
}

// Customer is a customer that the model knows.
type Customer struct {
	Origin modelversion.Origin
	Vector []float32
}

// Lookup holds what was found. What the model does not know is absent.
type Lookup struct {
	Items     map[string][]float32 // vectors by product code
	Customers map[int32]Customer   // by number
}

// Search asks for the best products for one query.
type Search struct {
	Vector   []float32 // query vector; nil asks for the popularity order
	Customer *int32    // what this customer has rated is left out; nil: nobody's
	Exclude  []string  // product codes to leave out
	Limit    int
}

// Candidate is a product that a search found. Score is the inner product of query and item; in the
// popularity order it is the number of customers who like the product.
type Candidate struct {
	Code   string
	Score  float32
	Vector []float32
}

// Neighbours asks for the products nearest to one product, itself left out.
type Neighbours struct {
	Code  string
	Limit int
}

// Similar is a product near another one; Distance is 1 - cosine.
type Similar struct {
	Code     string
	Distance float32
}

// store is a vector store. Each method is one round trip, and safe for concurrent use. A retry may
// mend every error but a *RefusedError.
type store interface {
	// Traffic gives the versions that answer.
	Traffic(ctx context.Context) (Traffic, error)
	// Lookup finds the products and customers that m knows.
	Lookup(ctx context.Context, m *Model, codes []string, customers []int32) (Lookup, error)
	// Retrieve answers every search and every neighbours question, in their order. Products out of
	// stock are left out.
	Retrieve(ctx context.Context, m *Model, searches []Search, neighbours []Neighbours) ([][]Candidate, [][]Similar, error)
}
