package activity

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Limits of an event. What is beyond them is a permanent fault.
const (
	// MaxEventBytes leaves 32 KiB of a Firehose record (1,000 KiB) for what the recommendation adds.
	// It is below the 1 MiB of a Kinesis record, so an event that could never be delivered goes to
	// quarantine, not round in circles.
	MaxEventBytes = (1000 - 32) << 10
	// MaxBrowseHistory is far above any real session; recommending looks at the most recent entries only.
	MaxBrowseHistory = 10_000
	// MaxID bounds session_id and event_id in characters, as Kinesis bounds a partition key.
	MaxID = 256
	// MaxProductCode bounds product_code in characters; the seed's codes have at most 15 characters.
	MaxProductCode = 128
)

// kplMagic opens a record in which the Kinesis Producer Library packed several ones.
// See https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md.
var kplMagic = []byte{0xF3, 0x89, 0x9A, 0xC2}

// wire is an event with the names that the recommendation record adds, which an event may not use itself.
type wire struct {
	Event
	CustomerNumber   *whole          `json:"customer_number"`
	RecommendedItems json.RawMessage `json:"recommended_items"`
	SimilarItems     json.RawMessage `json:"similar_items"`
	Recommendation   json.RawMessage `json:"recommendation"`
}

// Parse reads one activity record. The error is always a *Fault. Fields it does not know are legal;
// the three that the recommendation record adds are not, in whatever case, because the record could
// not keep both: a schema fault. browse_history must be there and may be empty. Of a repeated field
// the last one counts.
func Parse(data []byte) (*Event, error) {
	if bytes.HasPrefix(data, kplMagic) {
		return nil, &Fault{ReasonKPLAggregated,
			"the record is aggregated by the Kinesis Producer Library; send events one by one"}
	}
	if len(data) > MaxEventBytes {
		return nil, &Fault{ReasonTooLarge, fmt.Sprintf("the event has %d bytes, the limit is %d", len(data), MaxEventBytes)}
	}
	if !utf8.Valid(data) {
		return nil, &Fault{ReasonNotUTF8, "the event is not valid UTF-8"}
	}
	var w wire
	if err := json.Unmarshal(data, &w); err != nil {
		return nil, fault(err)
	}
	if data = bytes.TrimLeft(data, " \t\r\n"); data[0] != '{' { // null decodes into a struct without error
		return nil, &Fault{ReasonSchema, "the event is no JSON object"}
	}
	if w.RecommendedItems != nil || w.SimilarItems != nil || w.Recommendation != nil {
		return nil, &Fault{ReasonSchema,
			"the fields recommended_items, similar_items and recommendation are reserved for the answer"}
	}
	if message := w.problem(); message != "" {
		return nil, &Fault{ReasonSchema, message}
	}
	w.Event.CustomerNumber = (*int32)(w.CustomerNumber)
	return &w.Event, nil
}

// problem names the first broken rule of a decoded event, or "".
func (e *Event) problem() string {
	switch {
	case e.SessionID == "":
		return "session_id is missing or empty"
	case utf8.RuneCountInString(e.SessionID) > MaxID:
		return fmt.Sprintf("session_id has more than %d characters", MaxID)
	case utf8.RuneCountInString(e.EventID) > MaxID:
		return fmt.Sprintf("event_id has more than %d characters", MaxID)
	case e.BrowseHistory == nil:
		return "browse_history is missing; it may be an empty list"
	case len(e.BrowseHistory) > MaxBrowseHistory:
		return fmt.Sprintf("browse_history has %d entries, the limit is %d", len(e.BrowseHistory), MaxBrowseHistory)
	}
	for i, b := range e.BrowseHistory {
		if n := utf8.RuneCountInString(b.ProductCode); n == 0 || n > MaxProductCode {
			return fmt.Sprintf("browse_history[%d].product_code has %d characters, want 1 to %d", i, n, MaxProductCode)
		}
		if strings.Contains(b.ProductCode, "\x00") { // PostgreSQL refuses it in a text, and the whole batch with it
			return fmt.Sprintf("browse_history[%d].product_code holds a NUL", i)
		}
	}
	return ""
}

// fault makes a sentence of a decoding error that repeats no value of the event.
func fault(err error) *Fault {
	var own *Fault
	if errors.As(err, &own) {
		return own
	}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		kind, _, _ := strings.Cut(wrong.Value, " ") // "number 12.5" would tell the value
		if wrong.Field == "" {
			return &Fault{ReasonSchema, "the event is no JSON object but " + kind}
		}
		field := strings.TrimPrefix(wrong.Field, "Event.")
		return &Fault{ReasonSchema, fmt.Sprintf("%s is %s that does not fit, want %s", field, kind, wrong.Type.Kind())}
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		return &Fault{ReasonNotJSON, fmt.Sprintf("the JSON is broken or cut off at byte %d", syntax.Offset)}
	}
	return &Fault{ReasonNotJSON, "the event cannot be decoded as JSON"}
}

// UnmarshalJSON reads a whole number of 0 or more, written as a number or as a string of digits. null is 0.
func (q *Quantity) UnmarshalJSON(data []byte) error {
	n, ok := wholeNumber(string(data), 0)
	if data[0] == '"' {
		digits, err := strconv.ParseUint(string(data[1:len(data)-1]), 10, 31)
		n, ok = int32(digits), err == nil
	}
	if !ok && string(data) != "null" {
		return &Fault{ReasonSchema, "browse_history.quantity is no whole number from 0 to 2147483647"}
	}
	*q = Quantity(n)
	return nil
}

// whole is a customer's number.
type whole int32

// UnmarshalJSON reads a whole number.
func (w *whole) UnmarshalJSON(data []byte) error {
	n, ok := wholeNumber(string(data), math.MinInt32)
	if !ok {
		return &Fault{ReasonSchema, "customer_number is no whole number from -2147483648 to 2147483647"}
	}
	*w = whole(n)
	return nil
}

// wholeNumber reads a JSON number that is whole and at least least. 3.0 and 3e0 are 3: some
// encoders write them so.
func wholeNumber(literal string, least int64) (int32, bool) {
	if n, err := strconv.ParseInt(literal, 10, 32); err == nil {
		return int32(n), n >= least
	}
	f, err := strconv.ParseFloat(literal, 64)
	whole := err == nil && f == math.Trunc(f) && f >= float64(least) && f <= math.MaxInt32
	if !whole {
		return 0, false
	}
	return int32(f), true
}
