package activity

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"kindred/internal/platform/text"
)

// Limits of an event. What is beyond them is a permanent fault.
const (
	// MaxEventBytes leaves 32 KiB of a Firehose record (1,000 KiB) for what the recommendation adds.
	// It is below the 1 MiB of a Kinesis record, so an event that could never be delivered goes to
	// quarantine, not round in circles.
	MaxEventBytes = (1000 - 32) << 10
	// MaxBrowseHistory is far more than any real session has; recommending looks at the most recent entries only.
	MaxBrowseHistory = 10_000
	// MaxID bounds session_id and event_id in characters, as Kinesis bounds a partition key.
	MaxID = 256
)

// Parse reads one event: a JSON object by the rules of I-JSON (RFC 7493), so that every later
// program understands it in the same way. That is UTF-8 without a half of a surrogate pair, no name
// twice in an object, and numbers that a double can hold. In addition, kindred allows no NUL and at
// most MaxNesting levels. Names count exactly as they are written. A quantity may be a string of
// digits; no other number may be a string. The ids of customers and products may be whole numbers;
// see ID.
//
// The error is always a *Fault. Fields that Parse does not know are legal; the three that the
// recommendation record adds are not. browse_history must be there and may be empty, except in an event
// with a type.
func Parse(data []byte) (*Event, error) {
	if len(data) > MaxEventBytes {
		return nil, &Fault{ReasonTooLarge, fmt.Sprintf("the event has %d bytes, the limit is %d", len(data), MaxEventBytes)}
	}
	var e Event
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, decodingFault(data, err)
	}
	if start := bytes.TrimLeft(data, " \t\r\n"); start[0] != '{' { // null decodes into a struct without an error
		return nil, &Fault{ReasonSchema, "the event is not a JSON object"}
	}
	if fault := inspect(data); fault != nil {
		return nil, fault
	}
	check := e.problem
	if e.Type != TypeActivity {
		check = func() string { return e.typed(data) }
	}
	if e.Type == TypeActivity && e.ContinuesSession {
		check = e.continues
	}
	message := check()
	if message == "" && e.Answered() {
		message = e.control(len(data))
	}
	if message != "" {
		return nil, &Fault{ReasonSchema, message}
	}
	if e.whole() && e.order() != nil {
		_ = e.when() // what does not fit is a field of the shop's own
	}
	return &e, nil
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
	case e.Shop != nil && e.Shop.problem() != "":
		return "shop " + e.Shop.problem()
	case e.BrowseHistory == nil:
		return "browse_history is missing; it may be an empty list"
	case len(e.BrowseHistory) > MaxBrowseHistory:
		return fmt.Sprintf("browse_history has %d entries, the limit is %d", len(e.BrowseHistory), MaxBrowseHistory)
	}
	if e.CustomerID != nil {
		if problem := e.CustomerID.problem(); problem != "" {
			return "customer_number " + problem
		}
	}
	for i, b := range e.BrowseHistory {
		if problem := b.ProductCode.problem(); problem != "" {
			return fmt.Sprintf("browse_history[%d].product_code %s", i, problem)
		}
	}
	return ""
}

// decodingFault makes a sentence of a decoding error that repeats no value of the event.
func decodingFault(data []byte, err error) *Fault {
	if err := text.CheckBytes(data, text.NoLimit); err != nil {
		return &Fault{ReasonNotUTF8, "the event " + err.Error()}
	}
	var own *Fault
	if errors.As(err, &own) {
		return own
	}
	sound := jsontext.Value(data).IsValid(whileSyntax...)
	var wrong *json.SemanticError
	if errors.As(err, &wrong) && sound {
		if wrong.JSONPointer == "" {
			return &Fault{ReasonSchema, "the event is not a JSON object but " + kind(wrong.JSONKind)}
		}
		field := strings.ReplaceAll(string(wrong.JSONPointer)[1:], "/", ".")
		return &Fault{ReasonSchema, field + " is " + kind(wrong.JSONKind) + ", which does not fit"}
	}
	at := int64(len(data))
	var syntax *jsontext.SyntacticError
	if errors.As(err, &syntax) {
		at = syntax.ByteOffset
	}
	switch {
	case errors.Is(err, jsontext.ErrDuplicateName):
		return &Fault{ReasonNotIJSON, fmt.Sprintf("a name stands twice in one object, the second time near byte %d", at)}
	case sound:
		return &Fault{ReasonNotIJSON, fmt.Sprintf("the text near byte %d holds half of a surrogate pair, which is no "+
			"character", at)}
	}
	return &Fault{ReasonNotJSON, fmt.Sprintf("the JSON is broken or cut off at byte %d", at)}
}

// kind names a kind of JSON value.
func kind(k jsontext.Kind) string {
	switch k {
	case '"':
		return "a string"
	case '0':
		return "a number"
	case '[':
		return "an array"
	case '{':
		return "an object"
	case 't', 'f':
		return "true or false"
	default:
		return "null"
	}
}

// UnmarshalJSONFrom reads a whole number of 0 or more, written as a number or as a string of digits.
// null is 0.
func (q *Quantity) UnmarshalJSONFrom(dec *jsontext.Decoder) error {
	data, err := dec.ReadValue()
	if err != nil {
		return err
	}
	n, ok := wholeNumber(string(data))
	if data.Kind() == '"' {
		digits, err := strconv.ParseUint(string(data[1:len(data)-1]), 10, 31)
		n, ok = int32(digits), err == nil
	}
	if !ok && data.Kind() != 'n' {
		return &Fault{ReasonSchema, "browse_history.quantity is not a whole number from 0 to 2147483647"}
	}
	*q = Quantity(n)
	return nil
}

// wholeNumber reads a JSON number that is whole and not negative. 3.0 and 3e0 are 3: some encoders
// write them so.
func wholeNumber(literal string) (int32, bool) {
	if n, err := strconv.ParseInt(literal, 10, 32); err == nil {
		return int32(n), n >= 0
	}
	f, err := strconv.ParseFloat(literal, 64)
	whole := err == nil && f == math.Trunc(f) && f >= 0 && f <= math.MaxInt32
	if !whole {
		return 0, false
	}
	return int32(f), true
}
