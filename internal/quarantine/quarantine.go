// Package quarantine keeps the events that no retry would mend, one object each, with the reason and the bytes as they came.
// It owns where they lie; what a permanent fault is, package activity says.
package quarantine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"kindred/internal/activity"
	"kindred/internal/envconfig"
	"kindred/internal/objectstore"
)

// Quarantine writes to one object store. It is safe for concurrent use.
type Quarantine struct {
	open  func(context.Context) (objectstore.Store, error)
	mu    sync.Mutex
	store objectstore.Store // nil until open has succeeded
}

// New makes a Quarantine whose store is opened when the first event comes, and again while that fails: most instances of a
// function never need it.
func New(open func(context.Context) (objectstore.Store, error)) *Quarantine {
	return &Quarantine{open: open}
}

// Key names the object of the event that was read at p.
func Key(p activity.Position) string {
	return envconfig.QuarantinePrefix + p.Shard + "/" + p.SequenceNumber + ".json"
}

// Write keeps q. An event that lies there already is done: the first record of it stays. Every error is transient.
func (w *Quarantine) Write(ctx context.Context, q activity.Quarantined) error {
	store, err := w.opened(ctx)
	if err != nil {
		return err
	}
	data, err := json.Marshal(q)
	if err != nil {
		return fmt.Errorf("encode quarantine record: %w", err)
	}
	data = append(data, '\n')
	_, err = store.Put(ctx, Key(q.Position), bytes.NewReader(data), int64(len(data)), objectstore.Condition{IfNoneMatch: true})
	if err != nil && !errors.Is(err, objectstore.ErrPrecondition) {
		return fmt.Errorf("quarantine the event at %s of %s: %w", q.Position.SequenceNumber, q.Position.Shard, err)
	}
	return nil
}

func (w *Quarantine) opened(ctx context.Context) (objectstore.Store, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.store == nil {
		store, err := w.open(ctx)
		if err != nil {
			return nil, fmt.Errorf("open quarantine: %w", err)
		}
		w.store = store
	}
	return w.store, nil
}
