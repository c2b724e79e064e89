package activity

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
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

// UnmarshalJSON reads what MarshalJSON wrote.
func (o *Order) UnmarshalJSON(data []byte) error {
	var parts []json.Number
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	if err := dec.Decode(&parts); err != nil || len(parts) != 3 {
		return fmt.Errorf("%.100q is not a position in the order of writes", data)
	}
	micros, err := parts[0].Int64()
	if err != nil {
		return fmt.Errorf("read the time of an order: %w", err)
	}
	o.At, o.Sequence = time.UnixMicro(micros).UTC(), strings.TrimLeft(parts[1].String(), "0")
	if o.Sub, err = parts[2].Int64(); err != nil {
		return fmt.Errorf("read the number of an order: %w", err)
	}
	return nil
}
