package erase

import (
	"path"
	"strings"

	"kindred/internal/platform/envconfig"
)

// bucket is one of the three stores.
type bucket string

const (
	lake            bucket = "lake"
	artifacts       bucket = "artifacts"
	recommendations bucket = "recommendations"
)

// holding says what the objects of a place hold of persons.
type holding int

const (
	unknown   holding = iota // nobody has said it: a new data set
	nobody                   // counts, products, or pointers
	rows                     // Parquet rows with the customer or the session
	table                    // CSV lines with the customer
	parallel                 // Parquet rows in the order of customers.parquet of the same run
	examples                 // a manifest, whose examples of broken rules may name customers
	everybody                // all customers, by a number that only the training set explains; it is made again if needed
	records                  // lines of JSON, each an event with its answer
	failures                 // lines of JSON of Firehose, each with a record in base64
	letters                  // a quarantined event, or a batch that failed
)

// errorPrefix is Firehose's, of what it could not deliver (localstack/settings, terraform/modules/stream).
const errorPrefix = "recommendations-errors/"

// place is where a data set lies.
type place struct {
	bucket bucket
	prefix string
	holds  func(file string) holding // of a file in the place
}

func all(h holding) func(string) holding { return func(string) holding { return h } }

// places are all data sets of the three stores. A new one has no row here, and a test says so.
var places = []place{
	{lake, envconfig.TrainingSetPrefix + "/", inTrainingSet},
	{lake, envconfig.FeedbackPrefix + "/", inRun},
	{lake, envconfig.ClickPrefix + "/", inRun},
	{lake, envconfig.InferredPrefix + "/", inRun},
	{lake, envconfig.OutcomePrefix + "/", all(nobody)},
	{lake, envconfig.RollupPrefix + "/", all(nobody)}, // counts, and hashes of events' ids
	{lake, path.Dir(envconfig.PlantedShopKey) + "/", all(nobody)},
	{lake, placementsPrefix, all(nobody)},
	{lake, envconfig.ErasedPrefix, all(nobody)},
	{artifacts, envconfig.ModelPrefix + "/", inVersion},
	{artifacts, envconfig.FitsPrefix + "/", all(everybody)},
	{recommendations, envconfig.RecommendationPrefix, all(records)},
	{recommendations, errorPrefix, all(failures)},
	{recommendations, envconfig.QuarantinePrefix, all(letters)},
	{recommendations, envconfig.FailurePrefix, all(letters)},
	{recommendations, envconfig.RedrivenPrefix, all(nobody)}, // counts, under the key of a letter
}

// placementsPrefix is package placement's.
const placementsPrefix = "placements/"

// find is the place of an object and what it holds.
func find(b bucket, key string) (place, holding) {
	for _, p := range places {
		if p.bucket == b && strings.HasPrefix(key, p.prefix) {
			return p, p.holds(strings.TrimPrefix(key, p.prefix))
		}
	}
	return place{bucket: b, prefix: "unknown"}, unknown
}

func inTrainingSet(file string) holding {
	switch _, name, _ := strings.Cut(file, "/"); {
	case path.Ext(name) == ".json":
		return examples
	case strings.Contains(name, "products/"):
		return nobody
	case path.Ext(name) == ".parquet":
		return rows
	}
	return nobodyIfPointer(file)
}

func inRun(file string) holding {
	switch path.Ext(file) {
	case ".json":
		return nobody
	case ".parquet":
		return rows
	case ".csv":
		return table
	}
	return nobodyIfPointer(file)
}

func inVersion(file string) holding {
	switch path.Base(file) {
	case "customers.parquet":
		return rows
	case "near-customers.parquet", "purchases.parquet":
		return parallel
	case "items.parquet", "near-items.parquet", "together.parquet", "gram.f32", "serving.json", "encoder.json",
		"product-encoder.json", "report.json", "version.json", "repeats.json", "manifest.json":
		return nobody
	}
	return nobodyIfPointer(file)
}

func nobodyIfPointer(file string) holding {
	if file == "CURRENT" {
		return nobody
	}
	return unknown
}

// runOf is the folder of a run that an object is in: the prefix of its repository and the run; "": none.
func runOf(key string) (prefix, run string) {
	prefix, rest, ok := strings.Cut(key, "/run=")
	if !ok {
		return "", ""
	}
	run, _, _ = strings.Cut(rest, "/")
	return prefix, run
}
