// Package activity holds the streaming domain: the event a visitor's click becomes, the
// recommendation record that answers it, and the quarantine record of an event that cannot be
// answered. It owns their JSON and the derivation of event and recommendation ids; it knows no
// stream, no bucket and no model.
package activity

import (
	"encoding/json"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// Event is one event as it arrives on the stream: an activity event of a session, unless it has a type.
// Field names are the wire's. Unknown fields are not dropped: the recommendation record carries the
// event's own bytes.
type Event struct {
	EventID       string   `json:"event_id,omitempty"`
	Type          Type     `json:"type,omitempty"`
	Shop          *ID      `json:"shop,omitempty"` // see Shops
	SessionID     string   `json:"session_id"`
	CustomerID    *ID      `json:"customer_number,omitempty"` // nil: an anonymous visitor
	City          string   `json:"city,omitempty"`
	Country       string   `json:"country,omitempty"`
	CreditLimit   *float64 `json:"credit_limit,omitempty"`
	BrowseHistory []Browse `json:"browse_history"`
	// BrowseHistory is only what is new since the session's last event: the rest is kept; see Visit.
	ContinuesSession bool   `json:"continues_session,omitempty"`
	OccurredAt       string `json:"occurred_at,omitempty"` // RFC 3339
	// Where it stands among all events, by its place on the stream. Read fills it; zero: it came by none,
	// as over HTTP, and follows everything.
	Place    Order          `json:"-"`
	Product  *ProductWrite  `json:"-"` // what an event of TypeProduct says, with its order; Read fills that
	Customer *CustomerWrite `json:"-"` // the same of TypeCustomer
	Visit    *Visit         `json:"-"` // what is kept of an event of TypeInteraction, or one that continues its session
	// Of an activity record that says all of its session: where its purchases stand, by when it occurred.
	Said    Order          `json:"-"`
	Kindred jsontext.Value `json:"kindred,omitempty"` // how the event wants to be answered
	Control *Control       `json:"-"`                 // which Parse reads from it; nil: as any other
	// Where an event that is sent again lay first.
	FirstPosition jsontext.Value `json:"first_position,omitempty"`
	SentAgain     bool           `json:"-"` // FirstPosition is a position, and counts
}

// Browse is one product the visitor looked at in this session, oldest first.
type Browse struct {
	ProductCode    ID       `json:"product_code"`
	Quantity       Quantity `json:"quantity"`
	InShoppingCart bool     `json:"in_shopping_cart"`
	Purchased      bool     `json:"purchased,omitempty"` // what was in the cart has been bought
}

// Quantity is written as a number and read from a number or a string of digits.
type Quantity int32

// Position says where on the stream an event was read. It identifies the event permanently: the
// record by stream, shard and sequence number, and the event among those of its record.
type Position struct {
	Stream         string    `json:"stream"`
	Shard          string    `json:"shard"`
	SequenceNumber string    `json:"sequence_number"`
	PartitionKey   string    `json:"partition_key"`
	ArrivedAt      time.Time `json:"arrived_at"`
	// SubSequenceNumber counts the events of one record from 0, as the Kinesis Client Library does.
	SubSequenceNumber int `json:"sub_sequence_number,omitempty"`
}

// Source names the step of the fallback chain that answered: the best one that had something to go by.
type Source string

// The fallback chain, best first.
const (
	SourceSession    Source = "session"    // this session's items folded into the customer's vector
	SourceCustomer   Source = "customer"   // last night's vector of a customer with history
	SourceFeatures   Source = "features"   // a vector made from what is known of a new customer
	SourcePopularity Source = "popularity" // nothing known: what most customers like
	SourceState      Source = "state"      // no answer: the event only said something, and it is written
)

// SourceSimilar is no step of the chain: the nearest products of one product were asked for.
const SourceSimilar Source = "similar"

// The lists, which are no steps of the chain either. SourcePopularity is one too.
const (
	SourceTrending Source = "trending"        // what is clicked more often lately than usual
	SourceNew      Source = "new"             // what was seen first of late
	SourceTogether Source = "bought-together" // with a product
	SourceViewed   Source = "recently-viewed" // by a customer or in a session
)

// StreamHTTP takes the place of the stream's name, and of the shard's, in the position of what came over HTTP.
const StreamHTTP = "http"

// RecommendedItem is one recommended product, best first. Score is the inner product of query and
// item vector (popularity: the number of customers who like it). Because names the browsed product
// that contributed most to the score, empty when none contributed anything.
type RecommendedItem struct {
	ID      string  `json:"id"`
	Score   float32 `json:"score"`
	Because string  `json:"because,omitempty"`
	// Explored says that the model version does not know the product: it is shown to find out who likes it.
	Explored bool `json:"explored,omitempty"`
	// Only at a placement: the place from 1 that the score alone gives the product, if that is another one; and of an
	// explored product, the probability that it was shown, above 0.
	Rank       int     `json:"rank,omitempty"`
	Propensity float64 `json:"propensity,omitempty"`
}

// SimilarItems lists the nearest products of one browsed product, nearest first.
type SimilarItems struct {
	ProductCode  string        `json:"product_code"`
	SimilarItems []SimilarItem `json:"similar_items"`
}

// SimilarItem is one neighbour; Distance is 1 - cosine, 0 to 2. Where the model adds neighbours, it is less
// by what they add, and may be negative.
type SimilarItem struct {
	ID       string  `json:"id"`
	Distance float32 `json:"distance"`
}

// Recommendation is what was decided for an event, and by what. ID is a function of EventID and Placement alone,
// so that a retried event writes the same id and readers can dedupe to exactly once.
type Recommendation struct {
	ID           string    `json:"id"`
	EventID      string    `json:"event_id"`
	Shop         string    `json:"shop,omitempty"` // that the answering program works for
	ModelVersion string    `json:"model_version"`
	Source       Source    `json:"source"`
	GeneratedAt  time.Time `json:"generated_at"`
	LatencyMS    float64   `json:"latency_ms"` // from the record's arrival on the stream to GeneratedAt
	// How many of the session's products, of those that were looked up, and whether its customer the
	// model does not know: many of them are a sign that events name other ids than the shop's tables.
	UnknownProducts int  `json:"unknown_products,omitzero"`
	UnknownCustomer bool `json:"unknown_customer,omitzero"`
	// The experiment that the visitor took part in, and the visitor's arm: control or treatment. Empty: none.
	Experiment string `json:"experiment,omitempty"`
	Arm        string `json:"arm,omitempty"`
	// Stale says that the vector database was down, and what was last known of it answered.
	Stale     bool   `json:"stale,omitzero"`
	Placement string `json:"placement,omitempty"` // that the products are for; empty: none
	// Query is a hash of the event's control, without its cursor: 16 hexadecimal digits.
	Query    string   `json:"query,omitempty"`
	Cursor   string   `json:"cursor,omitempty"` // asks for what comes after this answer; only over HTTP
	Position Position `json:"position"`
}

// Record is the recommendation record that goes to S3, one JSON object a line: the event as it
// came, then these.
type Record struct {
	Event            json.RawMessage // every field of the event, unknown ones too, inlined at the top level
	RecommendedItems []RecommendedItem
	SimilarItems     *SimilarItems // nil when the session has no known item
	Recommendation   Recommendation
}

// Reason is a stable code for why an event went to quarantine.
type Reason string

// The permanent faults. A transient fault (database down, throttling) is never a reason.
const (
	ReasonNotJSON       Reason = "not_json"
	ReasonNotUTF8       Reason = "not_utf8"
	ReasonSchema        Reason = "schema"
	ReasonTooLarge      Reason = "too_large"
	ReasonNotIJSON      Reason = "not_ijson"      // JSON that two readers may understand differently (RFC 7493)
	ReasonKPLAggregated Reason = "kpl_aggregated" // a KPL record that is damaged; until 0.3 each KPL record
	ReasonDamaged       Reason = "damaged"        // compressed, and cannot be unpacked
	ReasonRefused       Reason = "refused"        // sound by our rules, but the database can never store its values
	ReasonUnknownShop   Reason = "unknown_shop"   // it names none of the shops that share the stream
)

// Quarantined is the record of an event that no retry would mend: one JSON object on S3.
type Quarantined struct {
	Reason        Reason    `json:"reason"`
	Message       string    `json:"message"` // a sentence for a person, without customer data
	EventID       string    `json:"event_id"`
	Position      Position  `json:"position"`
	QuarantinedAt time.Time `json:"quarantined_at"`
	Data          []byte    `json:"data"` // the bytes as they came; base64 in JSON
}
