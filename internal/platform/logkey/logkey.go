// Package logkey names the keys of log lines and metrics, so that one query finds a thing in the
// lines of all jobs and functions. Keys are snake_case with their unit. None holds what a customer
// is or does: no event, no product, no city.
package logkey

// What is counted of a batch of events.
const (
	Events      = "events"
	Recommended = "recommended"
	Quarantined = "quarantined"
	Retried     = "retried" // given back to the stream: they come again
	// OtherShop counts events of other shops that share the stream. They are in none of the other counts.
	OtherShop = "other_shop"
	// CanaryFailed counts events that the canary was to answer and could not: the live version did.
	CanaryFailed = "canary_failed"
	// What the answering model does not know: products of the sessions, and events with such a customer.
	UnknownProducts  = "unknown_products"
	UnknownCustomers = "unknown_customers"

	Records = "records" // of answers over HTTP that wait for their delivery
	// Unrecorded counts answers over HTTP whose record was not delivered: they go out without an id.
	Unrecorded = "unrecorded"

	SourceSession    = "source_session" // answers by what they go by
	SourceCustomer   = "source_customer"
	SourceFeatures   = "source_features"
	SourcePopularity = "source_popularity"
	SourceState      = "source_state" // events that only said something
)

// What is counted of the arms of an experiment.
const (
	Experiment = "experiment"
	Arm        = "arm"
	ArmAnswers = "arm_answers"
	// ArmFallbacks counts the answers of an arm that popularity gave, or another version in place of the arm's.
	ArmFallbacks = "arm_fallbacks"
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

// What a job measures.
const (
	Ratings         = "ratings"
	RatingsExpected = "ratings_expected" // by the server's estimate
	Memory          = "memory_bytes"
	Row             = "row" // of an evaluation's table
	Recall20        = "recall_20"
	NDCG20          = "ndcg_20"
	HitRate20       = "hit_rate_20"
	MRR20           = "mrr_20"
)

// Who, where and what else.
const (
	Program      = "program"
	Run          = "run" // one execution of a program: the run of its --json envelope
	Function     = "function"
	ModelVersion = "model_version"  // the one that answered most events of the batch
	Versions     = "model_versions" // how many events each answered
	Shard        = "shard"
	First        = "first_sequence_number"
	Route        = "route"
	Status       = "status" // of an HTTP answer
	Address      = "address"
	Error        = "error"
	Detail       = "detail"     // what a library says
	Suppressed   = "suppressed" // lines of the same kind that were not written since the last one
)
