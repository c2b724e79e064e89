// Package modelversion holds what a trained model is: the embeddings, what serving needs to fold a
// session in, how good it measured, and the gate's verdict. All of it moves together or not at all:
// package modelfile stores it. Vectors of two versions are never compared. It knows no technology.
package modelversion

import (
	"encoding/json"
	"slices"
	"time"
)

// Origin says what an embedding was made from.
type Origin string

// Where a vector comes from.
const (
	OriginTrained  Origin = "trained"  // its own interactions
	OriginFeatures Origin = "features" // mapped from its features, for want of interactions
)

// Kind says how a version answers.
type Kind string

// The kinds of versions.
const (
	KindModel Kind = "" // by inner products: of the session, the customer, or their features
	// KindPopularity puts the products that most customers like first, for everybody. Its vectors say
	// which products have the same features, for similar products.
	KindPopularity Kind = "popularity"
)

// Version is one model, whole, in memory. Every vector has Solver.Dim components, all finite.
type Version struct {
	ID          string // content-derived: training set, configuration, trainer's version
	TrainingRun string // run id of the training set
	Shop        string // name of the shop; empty in versions of earlier programs
	Input       string // hash of all it was made from, but for the version before
	// Learned is the hash of that part of Input which training reads: not the products' names and
	// stock. Empty in versions written before there was one.
	Learned        string
	Previous       string // the version that it was compared with and began its tuning from; empty: none
	TrainerVersion string
	TrainedAt      time.Time
	Items          []Item     // sorted by Code
	Customers      []Customer // sorted by ID (text.CompareIDs)
	// Repeats are the rules for what a customer has bought before; nil: it is hidden, and nobody knows
	// when it was bought.
	Repeats *Repeats
	// Near is the sparse part, which adds to the inner products; nil: the vectors are all.
	Near *Near
	// Together are the products that are bought together with each item, in ascending order of their items: a
	// weight is a lift (package together). It ranks nothing. nil: nobody knows any.
	Together [][]Neighbour
	Solver   Solver
	Encoder  Encoder
	// Products says what a vector of a product is that the version does not know; nil: versions of before
	// cannot say it.
	Products *ProductEncoder
	Report   Report
	// what the trainer wants remembered, one JSON object: its configuration, what tuning tried; nil:
	// nothing
	Training json.RawMessage
}

// Item is a product's embedding with the facts that filters and answers need.
type Item struct {
	Code            string
	Name            string
	Line            string
	QuantityInStock int16
	Positives       int32  // customers who like it: the popularity order
	Repeat          Repeat // what becomes of it where a customer has bought it; of the version's Repeats
	Origin          Origin
	Vector          []float32
}

// Customer is a customer's embedding and what they have rated or bought already (whatever the
// stars), which is recommended again only as the version's Repeats say.
type Customer struct {
	ID     string
	Origin Origin
	Vector []float32
	Rated  []string // product codes, sorted
	// Last and Count say of each of Rated when it was last bought or rated, in unix seconds (0: not
	// known), and how often. Both are nil in a version without Repeats.
	Last  []int64
	Count []int32
}

// Solver is what the normal equations of a session need: the configuration of training and the Gram
// matrix of the item vectors.
type Solver struct {
	Dim        int     `json:"dim"`
	Alpha0     float64 `json:"alpha0"`      // weight of an unobserved pair
	Lambda     float64 `json:"lambda"`      // regularisation
	Nu         float64 `json:"nu"`          // exponent of its frequency scaling
	ViewWeight float64 `json:"view_weight"` // confidence of a viewed item
	CartWeight float64 `json:"cart_weight"` // confidence of an item in the cart
	// NewcomerShare is how much counts of what is known of somebody without a trained vector, once they
	// have looked at something; see Newcomer. 0: a version of before.
	NewcomerShare float64 `json:"newcomer_share,omitempty"`
	Items         int     `json:"items"` // rows that Gram sums over
	Kind          Kind    `json:"kind,omitempty"`
	// Neighbours is the most neighbours of an item in the sparse part, 0 where there is none. In a session,
	// the list of each item counts NearWeight times. Beside the cosine, for similar products, it counts
	// SimilarWeight times.
	Neighbours    int     `json:"neighbours,omitempty"`
	NearWeight    float64 `json:"near_weight,omitempty"`
	SimilarWeight float64 `json:"similar_weight,omitempty"`
	// Clicks say how the order of a session's clicks counts; nil: it counts nothing, and what the session has
	// seen is not recommended.
	Clicks *Clicks `json:"clicks,omitempty"`

	Gram []float32 `json:"-"` // Dim × Dim, row-major, Σ v·vᵀ over all item vectors
}

// Newcomer is the vector that a session of somebody without a trained vector starts from: NewcomerShare
// times the vector that their features give, or without any (nil), times the mean of the customers'
// vectors, which is an Encoder's Bias. Neither is as sure as a customer's own vector, so a part of it serves
// best. A version of before takes the features' vector whole, and no mean.
func (s *Solver) Newcomer(features, mean []float32) []float32 {
	switch {
	case s.NewcomerShare == 0:
		return features
	case features == nil && len(mean) == s.Dim:
		features = mean
	}
	start := slices.Clone(features)
	for i := range start {
		start[i] *= float32(s.NewcomerShare)
	}
	return start
}

// Encoder maps a customer's features into the factor space: vector = Bias + Σ Weights[feature]. A feature is
// "country=France", "city=Paris" or "credit=3" (a quantile bucket); unknown ones are skipped.
type Encoder struct {
	Bias    []float32            `json:"bias"`
	Weights map[string][]float32 `json:"weights"`
	// ascending upper bounds of the credit buckets, in currency units
	CreditEdges []float64 `json:"credit_edges"`
}

// ProductEncoder maps a product's features into the factor space: vector = Bias + Σ Weights[feature]. A
// feature is "category=Shoes", "brand=Min Lin", "attribute colour=red" or, of a number, "price=3" or
// "attribute weight=0": how many of the number's edges lie below it. Unknown ones are skipped.
type ProductEncoder struct {
	Bias    []float32            `json:"bias"`
	Weights map[string][]float32 `json:"weights"`
	// ascending upper bounds of the buckets of numbers, by the number's name; a price is in currency units
	Edges map[string][]float64 `json:"edges"`
}

// Report is what evaluation measured on held-out interactions, and what the gate made of it.
type Report struct {
	Split string `json:"split"` // how the held-out part was cut
	// Ties is the share of the ratings with a time that share it with another one of the same customer, 0 to 1.
	Ties          float64 `json:"ties"`
	TestCustomers int     `json:"test_customers"`
	TestPositives int     `json:"test_positives"`
	// Rows are the model first, then the baselines, then the ceiling where it is known. Of a version that
	// answers by popularity there is no model.
	Rows    []Row   `json:"rows"`
	Verdict Verdict `json:"verdict"`
	// Further parts, each on customers and products of its own; nil where there was too little to measure.
	// Live is compared with the last version that the gate did not refuse, on ratings that neither was trained on.
	Live      *Part `json:"live,omitempty"`
	ColdStart *Part `json:"cold_start,omitempty"` // products that nobody rated yet
	Sessions  *Part `json:"sessions,omitempty"`   // the next product of a session
	Parts     *Part `json:"parts,omitempty"`      // the vectors and the neighbours apart, of a model that has both
}

// Own is the row of the version itself, whatever its kind; nil where it was not measured.
func (r Report) Own() *Row {
	name := RowModel
	if r.Verdict.Popularity {
		name = RowPopularity
	}
	for i := range r.Rows {
		if r.Rows[i].Name == name {
			return &r.Rows[i]
		}
	}
	return nil
}

// Part is a measurement of something else than the whole ranking.
type Part struct {
	What      string `json:"what"` // was asked, in a sentence
	Customers int    `json:"customers"`
	Rows      []Row  `json:"rows"` // the model first
}

// Row is one ranker's figures. Low and High bound NDCG@10 by a 95 % bootstrap interval over customers.
type Row struct {
	Name     string  `json:"name"` // "model", "popularity", "random", …, "ceiling"
	NDCG10   float64 `json:"ndcg@10"`
	Recall10 float64 `json:"recall@10"`
	Low      float64 `json:"ndcg@10_low"`
	High     float64 `json:"ndcg@10_high"`
	NDCG20   float64 `json:"ndcg@20"`
	Recall20 float64 `json:"recall@20"`
	MRR      float64 `json:"mrr"`      // mean of one over the place of the first hit, in the whole ranking
	Coverage float64 `json:"coverage"` // share of all products in somebody's first 20
}

// The names of the rows that others look for.
const (
	RowModel      = "model"
	RowPopularity = "popularity"
	RowRandom     = "random"
	RowCeiling    = "ceiling"
	RowLive       = "live" // the last version that passed
)
