// Package trainingset owns what a training set is: three Parquet data sets with fixed columns (only
// the keys' types follow the source), how
// they are written file by file and read back whole. Ratings are already joined with customer and
// product; customers and products are written whole too, because the join loses everyone who has
// not rated. Where the rows come from belongs to package extract; how the files appear at once to
// package commit.
package trainingset

import (
	"errors"

	"kindred/internal/platform/checksum"
	"kindred/internal/shop"
)

// Kind is the manifest's kind of a training set.
const Kind = "training-set"

// The data sets of a training set, each a folder of its run.
const (
	Ratings   = "ratings"
	Customers = "customers"
	Products  = "products"
)

var (
	// ErrSchema means that a run was written with other columns than this program reads.
	ErrSchema = errors.New("training set has another schema")
	// ErrOrphan means that a rating names a customer or a product that the set does not hold.
	ErrOrphan = errors.New("rating of an unknown customer or product")
)

// Set is a training set in memory.
type Set struct {
	Run          string
	ContentHash  string
	Keys         Keys
	Customers    []shop.Customer // sorted by ID (text.CompareIDs)
	Products     []shop.Product  // sorted by Code
	Interactions []Interaction   // in the order of the files: by customer
}

// Interaction is one rating.
type Interaction struct {
	Customer int32 // index into Customers
	Product  int32 // index into Products
	Stars    int8
	RatedAt  int64 // seconds since 1970 UTC; 0: not known
}

// Fingerprint identifies the columns of all data sets: names, types, order.
func Fingerprint(keys Keys) string {
	return checksum.Bytes([]byte(Schema(keys)))
}
