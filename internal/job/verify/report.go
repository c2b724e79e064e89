package verify

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kindred/internal/stream/activity"
)

// Report is what an audit found. Each event on the stream is counted in exactly one of Recommended,
// Quarantined, OnFailure, Erased, InFlight and Lost.
type Report struct {
	Shop           string `json:"shop,omitempty"`  // whose events are audited; empty: all
	Events         int64  `json:"events"`          // on the stream; a record may hold several
	DistinctEvents int64  `json:"distinct_events"` // event ids among them
	Recommended    int64  `json:"recommended"`     // answered, or written as state; also under another record of its event id
	Quarantined    int64  `json:"quarantined"`
	OnFailure      int64  `json:"on_failure"`       // given up by Lambda; the bytes lie in the bucket
	Erased         int64  `json:"erased,omitempty"` // without an outcome, of persons who were erased since
	InFlight       int64  `json:"in_flight"`        // unanswered, but younger than the patience
	Lost           int64  `json:"lost"`             // unanswered for longer
	// Events of other shops on the stream, by shop. They are not among Events: an audit of their shop
	// accounts for them.
	OtherShops map[string]int64 `json:"other_shops,omitempty"`
	// event ids among Lost: a producer that tries again may put one event on the stream twice
	DistinctLost int64 `json:"distinct_lost"`
	// of Lost, those after which events of their shard have an outcome: an object is missing
	Missing int64 `json:"missing"`
	// of Lost, the others, at the end of their shard: the function has stopped or is behind
	NotReached int64 `json:"not_reached"`
	// of Quarantined and OnFailure, those answered since, sent again under the same event id
	Redriven int64 `json:"redriven"`

	// Answers to requests over HTTP, which the stream knows nothing of; they are not among Recommended.
	HTTPAnswers int64                     `json:"http_answers"`
	HTTPSources map[activity.Source]int64 `json:"http_sources,omitempty"`
	IDs         *IDs                      `json:"ids,omitempty"` // nil: there is no list of ids

	Duplicates int64 `json:"duplicates"`   // recommendation lines beyond the first of an event id; readers drop them
	OutOfOrder int64 `json:"out_of_order"` // answered before an earlier record of their session
	Unknown    int64 `json:"unknown"`      // stream positions that outputs name and that hold no record
	Conflicts  int64 `json:"conflicts"`    // records both recommended and quarantined
	WrongEvent int64 `json:"wrong_event"`  // records whose output has another event's id
	Malformed  int64 `json:"malformed"`    // recommendation lines that cannot be read
	// events whose delivered line has other bytes or another time than the stream, or a wrong checksum
	Altered      int64 `json:"altered"`
	WrongShop    int64 `json:"wrong_shop"`    // events of this shop that another one answered, or the other way round
	ReusedIDs    int64 `json:"reused_ids"`    // events under the id of an earlier, different event: readers drop them
	EmptyAnswers int64 `json:"empty_answers"` // of Recommended, those without a single product
	Strange      int64 `json:"strange"`       // objects among the dead letters that are none; passed over
	// The products that the events name, each once an event and the newest 50, and of those the ones that
	// the model that answered does not know.
	Products        int64 `json:"products"`
	UnknownProducts int64 `json:"unknown_products"`
	// answers for a customer whom the model does not know: a newcomer, or an id of another kind
	UnknownCustomers int64 `json:"unknown_customers"`
	// the share of unknown products beyond which the report is a fault
	MaxUnknown float64 `json:"max_unknown"`
	// Answers by a model version that was never published, by version. VersionsChecked is false when no
	// list of versions was at hand.
	UnknownVersions map[string]int64 `json:"unknown_versions,omitempty"`
	VersionsChecked bool             `json:"versions_checked"`

	// from arrival to generated_at, each record's first answer
	LatencyMS Percentiles `json:"latency_ms"`
	// answers between the first and the last generated_at
	EventsPerSecond   float64                   `json:"events_per_second"`
	Sources           map[activity.Source]int64 `json:"sources"`
	Versions          map[string]int64          `json:"versions"`
	QuarantineReasons map[activity.Reason]int64 `json:"quarantine_reasons"`

	Since    time.Time `json:"since"`          // what arrived earlier is left out
	Until    time.Time `json:"until,omitzero"` // what arrived then or later is left out
	Looks    int       `json:"looks"`
	Seconds  float64   `json:"seconds"`
	Findings []Finding `json:"findings,omitempty"` // examples, the first few of each kind

	waiting  int64                // of InFlight, those that the first look saw; and ids that are missing
	examples map[string][]example // of faults, by kind
	// a few ids of the list without a record, and of records that the list does not have, by their kind of finding
	missingIDs, unlistedIDs map[hash]string
}

// Percentiles of a latency in milliseconds, to half a percent.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

// Finding is one example of a fault.
type Finding struct {
	Kind      string    `json:"kind"`
	Where     string    `json:"where"` // shard and sequence number, or object key
	ArrivedAt time.Time `json:"arrived_at,omitzero"`
}

// The kinds of findings.
const (
	kindLost       = "lost"
	kindUnknown    = "unknown"
	kindConflict   = "conflict"
	kindWrongEvent = "wrong_event"
	kindMalformed  = "malformed"
	kindAltered    = "altered"
	kindReused     = "reused_id"
	kindWrongShop  = "wrong_shop"
	kindStrange    = "strange"
	kindMissingID  = "missing_id"
	kindUnlistedID = "unlisted_id"
)

// checkVersions compares the answers with the versions that may have given them; nil: any.
func (r *Report) checkVersions(known map[string]bool) {
	if r.VersionsChecked = known != nil; !r.VersionsChecked {
		return
	}
	for version, answers := range r.Versions {
		if !known[version] {
			if r.UnknownVersions == nil {
				r.UnknownVersions = map[string]int64{}
			}
			r.UnknownVersions[version] = answers
		}
	}
}

// Fault is nil when every event is accounted for and every output is explained and as it was
// written; otherwise ErrUnaccounted with the figures, ErrUnknown when events name too many products
// that the models do not know, or ErrNoEvents when there was no event: an empty stream or a wrong
// window must not pass for a proof. Duplicates, order, empty answers, strange objects and events that
// Lambda gave up are reported and are no faults: nothing of them is gone.
func (r Report) Fault() error {
	lost := "lost"
	if r.DistinctLost != r.Lost {
		lost = fmt.Sprintf("lost (%d distinct)", r.DistinctLost)
	}
	var faults []string
	ids := IDs{}
	if r.IDs != nil {
		ids = *r.IDs
	}
	for _, f := range []struct {
		n    int64
		what string
	}{
		{r.Lost, lost}, {r.Unknown, "out of nowhere"}, {r.Conflicts, "both recommended and quarantined"},
		{r.WrongEvent, "answered under another event's id"}, {r.Malformed, "unreadable"},
		{r.Altered, "delivered otherwise than they came"}, {r.WrongShop, "answered by the function of another shop"},
		{r.ReusedIDs, "under the id of a different event"},
		{total(r.UnknownVersions), "answered by a model version that was never published"},
		{ids.Missing, "whose id is in the list of --ids, and that were not delivered"},
		{ids.Unlisted, "delivered over HTTP, and not in the list of --ids"},
	} {
		if f.n > 0 {
			faults = append(faults, fmt.Sprintf("%d %s", f.n, f.what))
		}
	}
	switch {
	case len(faults) > 0:
		return fmt.Errorf("%w: %s", ErrUnaccounted, strings.Join(faults, ", "))
	case r.strangeIDs():
		return fmt.Errorf("%w: %d of %d, at most %.3g %% may be (--max-unknown); are they ids of the shop's column "+
			"productCode?",
			ErrUnknown, r.UnknownProducts, r.Products, 100*r.MaxUnknown)
	case r.Events == 0 && ids.Listed == 0:
		return fmt.Errorf("%w: none%s on the stream %s", ErrNoEvents, r.ofShop(), r.window())
	}
	return nil
}

// strangeIDs says whether events name more products that the models do not know than newcomers explain.
func (r Report) strangeIDs() bool {
	return float64(r.UnknownProducts) > r.MaxUnknown*float64(r.Products)
}

// ofShop says whose events are audited.
func (r Report) ofShop() string {
	if r.Shop == "" {
		return ""
	}
	return " of the shop " + r.Shop
}

// window is the audited time, as people read it.
func (r Report) window() string {
	w := "since " + r.Since.UTC().Format(time.RFC3339)
	if !r.Until.IsZero() {
		w += " until " + r.Until.UTC().Format(time.RFC3339)
	}
	return w
}

// String is the report as a table for people.
func (r Report) String() string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	row := func(name string, n int64, remark string) {
		fmt.Fprintln(w, strings.TrimRight(fmt.Sprintf("%s\t%9d\t%s", name, n, remark), "\t "))
	}
	optional := func(name string, n int64, remark string) {
		if n > 0 {
			row(name, n, remark)
		}
	}
	distinct := func(n, of int64) string {
		if n == of {
			return ""
		}
		return fmt.Sprintf("%d distinct", n)
	}
	row("events on the stream", r.Events, distinct(r.DistinctEvents, r.Events))
	row("  recommended", r.Recommended, tally(r.Sources))
	row("  quarantined", r.Quarantined, tally(r.QuarantineReasons))
	row("  given up by Lambda", r.OnFailure, "")
	optional("  answered since", r.Redriven, "of these two, sent again by `verify redrive`")
	optional("  erased", r.Erased, "their persons were erased since")
	row("  in flight", r.InFlight, "")
	row("  lost", r.Lost, distinct(r.DistinctLost, r.Lost))
	optional("    object missing", r.Missing, "later events of their shard have an outcome: a delivered object is gone "+
		"or was never written")
	optional("    not reached", r.NotReached, "at the end of their shard: the function has stopped or is still behind")
	optional("of other shops", total(r.OtherShops), tally(r.OtherShops)+": an audit of each shop accounts for its own")
	optional("answers over HTTP", r.HTTPAnswers, tally(r.HTTPSources))
	if ids := r.IDs; ids != nil {
		row("  ids in the list", ids.Listed, "")
		optional("    not delivered", ids.Missing, "an answer had the id, and its record is not there")
		optional("    more than once", ids.ListedTwice, "")
		optional("  not in the list", ids.Unlisted, "delivered all the same")
		optional("  delivered twice", ids.DeliveredTwice, "lines to drop by recommendation.id")
	}
	row("duplicates", r.Duplicates, "lines to drop by recommendation.id")
	row("out of order", r.OutOfOrder, "within their session")
	optional("out of nowhere", r.Unknown, "outputs that no record explains")
	optional("contradictory", r.Conflicts, "both recommended and quarantined")
	optional("under another id", r.WrongEvent, "the output has another event's id")
	optional("unreadable", r.Malformed, "recommendation lines")
	optional("altered", r.Altered, "the delivered line differs from the stream's event, or its checksum is wrong")
	optional("wrong shop", r.WrongShop, "answered by the function of another shop than the one that the event belongs to")
	optional("id used twice", r.ReusedIDs, "the event id belongs to an earlier, different event: readers drop one of them")
	optional("unknown version", total(r.UnknownVersions), tally(r.UnknownVersions)+": never published")
	optional("empty answers", r.EmptyAnswers, "recommendations without a single product")
	optional("unknown products", r.UnknownProducts, fmt.Sprintf("of %d that events name, to the model that answered",
		r.Products))
	optional("unknown customers", r.UnknownCustomers, "answers for a customer whom the model does not know")
	optional("strange objects", r.Strange, "among the dead letters, and none of them; passed over")
	_ = w.Flush() // a strings.Builder takes everything
	if r.Recommended > 0 {
		fmt.Fprintf(&b, "latency p50 %.0f ms, p99 %.0f ms, longest %.0f ms; %.0f answers a second; versions %s\n",
			r.LatencyMS.P50, r.LatencyMS.P99, r.LatencyMS.Max, r.EventsPerSecond, tally(r.Versions))
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "%s: %s\n", f.Kind, f.Where)
	}
	switch fault := r.Fault(); {
	case errors.Is(fault, ErrNoEvents):
		fmt.Fprintf(&b, "No event%s %s: nothing is proven.", r.ofShop(), r.window())
	case errors.Is(fault, ErrUnknown):
		fmt.Fprintf(&b, "Every event%s %s is accounted for, but the models do not know the products that events name.",
			r.ofShop(), r.window())
	case fault != nil:
		fmt.Fprintf(&b, "Not every event%s %s is accounted for.", r.ofShop(), r.window())
	case r.InFlight > 0:
		fmt.Fprintf(&b, "So far every event%s %s is accounted for; some are in flight.", r.ofShop(), r.window())
	default:
		fmt.Fprintf(&b, "Every event%s %s is accounted for.", r.ofShop(), r.window())
	}
	return b.String()
}

func total(counts map[string]int64) (n int64) {
	for _, of := range counts {
		n += of
	}
	return n
}

// tally lists counts, the largest first.
func tally[K ~string](counts map[K]int64) string {
	keys := slices.SortedFunc(maps.Keys(counts),
		func(a, b K) int { return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b)) })
	parts := make([]string, len(keys))
	for i, k := range keys {
		parts[i] = fmt.Sprintf("%s %d", k, counts[k])
	}
	return strings.Join(parts, ", ")
}
