// Package quarantine keeps the events that no retry would mend, one object each, with the reason
// and the bytes as they came. It owns where they lie; what a permanent fault is, package activity
// says.
package quarantine

import (
	"context"
	"encoding/json"
	"fmt"

	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
)

// store keeps objects. Every error is transient.
type store interface {
	// PutNew writes an object that is not there yet. One that lies there already stays, and is no error.
	PutNew(ctx context.Context, key string, data []byte) error
}

// Quarantine writes to one store. It is safe for concurrent use.
type Quarantine struct{ store store }

// New makes a Quarantine. It makes no request.
func New(s store) *Quarantine { return &Quarantine{s} }

// Key names the object of the event that was read at p. Streams may share a bucket: shards of two
// have the same names.
func Key(p activity.Position) string {
	return envconfig.QuarantinePrefix + p.Stream + "/" + p.Shard + "/" + p.SequenceNumber + ".json"
}

// Write keeps q. An event that lies there already is done: the first record of it stays. Every
// error is transient.
func (w *Quarantine) Write(ctx context.Context, q activity.Quarantined) error {
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encode quarantine record: %w", err)
	}
	if err := w.store.PutNew(ctx, Key(q.Position), append(data, '\n')); err != nil {
		return fmt.Errorf("quarantine the event at %s of %s: %w", q.Position.SequenceNumber, q.Position.Shard, err)
	}
	return nil
}
