// Package logkey names the keys of log lines and metrics, so that one query finds a thing in the
// lines of all functions. Keys are snake_case with their unit. None holds what a customer is or
// does: no event, no product, no city.
package logkey

// What is counted of a batch of events.
const (
	Events      = "events"
	Recommended = "recommended"
	Quarantined = "quarantined"
	Retried     = "retried" // given back to the stream: they come again

	SourceSession    = "source_session" // answers by what they go by
	SourceCustomer   = "source_customer"
	SourceFeatures   = "source_features"
	SourcePopularity = "source_popularity"
)

// Times.
const (
	Duration    = "duration_ms" // of the whole batch, and of its steps:
	Parse       = "parse_ms"
	Recommend   = "recommend_ms"
	Deliver     = "deliver_ms"
	Quarantine  = "quarantine_ms"
	IteratorAge = "iterator_age_ms" // of the oldest record, when the batch came
)

// Who, where and what else.
const (
	Function     = "function"
	ModelVersion = "model_version"  // the one that answered most events of the batch
	Versions     = "model_versions" // how many events each answered
	Shard        = "shard"
	First        = "first_sequence_number"
	Route        = "route"
	Address      = "address"
	Error        = "error"
)
