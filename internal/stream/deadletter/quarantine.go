package deadletter

import (
	"context"
	"encoding/json"
	"fmt"

	"kindred/internal/stream/activity"
)

// store keeps objects. Every error is transient.
type store interface {
	// PutNew writes an object that is not there yet. One that lies there already stays, and is no error.
	PutNew(ctx context.Context, key string, data []byte) error
}

// Quarantine keeps the events that no retry would help, one object each, with the reason and the
// bytes as they came. It writes to one store and is safe for concurrent use.
type Quarantine struct{ store store }

// NewQuarantine makes a Quarantine. It makes no request.
func NewQuarantine(s store) *Quarantine { return &Quarantine{s} }

// Write keeps q. An event that lies there already is done: the first record of it stays. Every
// error but ErrPosition is transient.
func (w *Quarantine) Write(ctx context.Context, q activity.Quarantined) error {
	if err := CheckPosition(q.Position); err != nil {
		return fmt.Errorf("quarantine an event: it %w", err)
	}
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encode quarantine record: %w", err)
	}
	if err := w.store.PutNew(ctx, Key(q.Position), append(data, '\n')); err != nil {
		return fmt.Errorf("quarantine the event at %s of %s: %w", q.Position.SequenceNumber, q.Position.Shard, err)
	}
	return nil
}

// parseQuarantined reads one record. Its error is ErrStrange.
func parseQuarantined(data []byte) (q activity.Quarantined, err error) {
	if err := json.Unmarshal(data, &q); err != nil {
		return q, fmt.Errorf("%w: it is not the JSON of a quarantine record", ErrStrange)
	}
	if err := CheckPosition(q.Position); err != nil || q.Position.SubSequenceNumber < 0 {
		return q, fmt.Errorf("%w: its position names no event of a stream", ErrStrange)
	}
	return q, nil
}
