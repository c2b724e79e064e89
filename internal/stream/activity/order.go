package activity

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Order is where something that was said stands in the order of all that is said: by time, in
// microseconds, then by the sequence number that a stream gave its event, then by the event's number
// within an aggregated record. It may come in any order, and more than once: the later one counts.
// Two different values of one thing must not have equal orders.
type Order struct {
	At       time.Time
	Sequence string // decimal, without leading zeros; empty: none, before all others. Kinesis has up to 129 digits
	Sub      int64
}

// MaxAhead is how far the time of something that is said may lie ahead of the clock that takes it: what
// a wrong clock says would stay until that time comes.
const MaxAhead = 5 * time.Minute

// Order is where the event at the position stands.
func (p Position) Order() Order {
	sequence := strings.TrimLeft(p.SequenceNumber, "0")
	if strings.Trim(sequence, "0123456789") != "" {
		sequence = "" // of no Kinesis stream
	}
	return Order{At: p.ArrivedAt, Sequence: sequence, Sub: int64(p.SubSequenceNumber)}
}

// After reports whether o comes later than other.
func (o Order) After(other Order) bool {
	return cmp.Or(cmp.Compare(o.At.UnixMicro(), other.At.UnixMicro()), cmp.Compare(len(o.Sequence), len(other.Sequence)),
		strings.Compare(o.Sequence, other.Sequence), cmp.Compare(o.Sub, other.Sub)) > 0
}

// MarshalJSON writes [microseconds, sequence number, number within the record]. As jsonb, PostgreSQL
// compares such lists as After does.
func (o Order) MarshalJSON() ([]byte, error) {
	return json.Marshal([]any{o.At.UnixMicro(), json.Number(cmp.Or(o.Sequence, "0")), o.Sub})
}

// UnmarshalJSON reads what MarshalJSON wrote. Serving reads one for each purchase of a customer, so it does
// without a decoder.
func (o *Order) UnmarshalJSON(data []byte) error {
	list, opens := strings.CutPrefix(string(data), "[")
	list, closes := strings.CutSuffix(list, "]")
	parts := strings.Split(list, ",")
	if !opens || !closes || len(parts) != 3 {
		return fmt.Errorf("%.100q is not a position in the order of writes", data)
	}
	micros, err := strconv.ParseInt(strings.TrimSpace(parts[0]), 10, 64)
	if err != nil {
		return fmt.Errorf("read the time of an order: %w", err)
	}
	sequence := strings.TrimSpace(parts[1])
	if sequence == "" || strings.Trim(sequence, "0123456789") != "" {
		return fmt.Errorf("%.100q is not the sequence number of an order", sequence)
	}
	o.At, o.Sequence = time.UnixMicro(micros).UTC(), strings.TrimLeft(sequence, "0")
	if o.Sub, err = strconv.ParseInt(strings.TrimSpace(parts[2]), 10, 64); err != nil {
		return fmt.Errorf("read the number of an order: %w", err)
	}
	return nil
}
