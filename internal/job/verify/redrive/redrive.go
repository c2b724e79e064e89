// Package redrive sends events to the stream again that ended in quarantine or among the mapping's
// failed batches, once the cause is fixed. It owns which ones are sent, under which event id, and that
// none is forgotten.
//
// An event is sent as a record of its own, with the event id that its first attempt had: its own, or
// the one that derives from its first position, which is then written into it. So an event that is
// sent twice is answered under one recommendation id, and readers drop the second answer. A record that
// holds several events is split as the function splits it. What this program itself cannot read stays
// in quarantine: the function would bring it back there.
//
// After the stream has taken an object's records, a marker under redriven/ says so, and later runs
// pass the object over. A run that is killed in between leaves no marker: the next one sends the
// group under way again, at most 500 quarantined records or one failed batch. Two runs at the same
// time may send everything twice. Nothing is deleted: delete a marker to send its object's records
// once more. A run leaves out what came after it had begun: an event that still cannot be answered comes back
// to quarantine while others are sent.
package redrive

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/shardwriter"
)

const (
	quarantineGroup = shardwriter.MaxRecords // one call of the stream
	failedGroup     = 1                      // a failed batch has up to 6 MB
	objectsAtOnce   = 8                      // reading and writing small objects waits for the store, not for this machine
)

// writer sends records. Package shardwriter has one.
type writer interface {
	Add(r shardwriter.Record)
	Pending() int
	// Flush sends some of what was added; it fails when the stream takes nothing for long.
	Flush(ctx context.Context) (taken int, err error)
}

// Result says what a run did.
type Result struct {
	Sent         int64                     `json:"sent"`            // events
	Quarantined  int64                     `json:"from_quarantine"` // of Sent
	Failed       int64                     `json:"from_failed_batches"`
	SentBefore   int64                     `json:"sent_before"`              // objects that an earlier run has sent
	Meanwhile    int64                     `json:"came_meanwhile,omitempty"` // objects that came after the run had begun
	Unreadable   int64                     `json:"unreadable"`               // still no event; they are in quarantine
	Reasons      map[activity.Reason]int64 `json:"reasons"`                  // of Unreadable
	OtherStreams int64                     `json:"other_streams"`
	OtherShops   int64                     `json:"other_shops"`       // events in failed batches that are not this shop's
	Erased       int64                     `json:"erased,omitempty"`  // events of persons who were erased since
	Strange      []string                  `json:"strange,omitempty"` // objects that are no dead letter, by key; passed over
	Gone         []Gone                    `json:"gone,omitempty"`    // failed batches whose records nobody has
	DryRun       bool                      `json:"dry_run"`
}

// Run sends what has not been sent. stream is the name of the one that w writes to and from reads:
// records of others are left alone. shops says whose function the failed batches are of: it was given
// the events of other shops too, and passed over them. Events of persons on the list are not sent. With
// dryRun nothing is sent or written.
func Run(ctx context.Context, store objectstore.Store, w writer, from reader, stream string, shops activity.Shops,
	list *erased.List, dryRun bool) (Result, error) {
	r := &run{began: time.Now(), store: onceStore{store}, writer: w, reader: from, stream: stream, shops: shops,
		erased: list, result: Result{Reasons: map[activity.Reason]int64{}, DryRun: dryRun}}
	for _, s := range []source{
		{deadletter.Prefixes[0], quarantineGroup},
		{deadletter.Prefixes[1], failedGroup},
	} {
		if err := r.source(ctx, s); err != nil {
			return r.result, err
		}
	}
	return r.result, nil
}

// source is one of the two places where records end.
type source struct {
	prefix string
	group  int // objects that are sent together
}

type run struct {
	began  time.Time
	store  onceStore
	writer writer
	reader reader
	stream string
	shops  activity.Shops
	erased *erased.List

	mu     sync.Mutex // guards result while objects are read in parallel
	result Result
}

// object is one object under way.
type object struct {
	key     string
	records []deadletter.Record
	sent    int
	kept    int // events that are in quarantine
}

// marker is what says that an object's records were sent.
type marker struct {
	Sent        int       `json:"sent"`
	Quarantined int       `json:"quarantined"`
	RedrivenAt  time.Time `json:"redriven_at"`
}

func (r *run) source(ctx context.Context, s source) error {
	var group []string
	for key, err := range r.unsent(ctx, s.prefix) {
		if err != nil {
			return err
		}
		if group = append(group, key); len(group) == s.group {
			if err := r.send(ctx, s, group); err != nil {
				return err
			}
			group = group[:0]
		}
	}
	return r.send(ctx, s, group)
}

// unsent lists the objects under prefix that have no marker and were there when the run began. Both listings come in
// the order of their keys.
func (r *run) unsent(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		next, stop := iter.Pull2(r.store.List(ctx, markerKey(prefix)))
		defer stop()
		mark, err, more := next()
		for info, listErr := range r.store.List(ctx, prefix) {
			for err == nil && more && mark.Key < markerKey(info.Key) {
				mark, err, more = next()
			}
			if err := errors.Join(listErr, err); err != nil {
				yield("", err)
				return
			}
			if more && mark.Key == markerKey(info.Key) {
				r.result.SentBefore++
				continue
			}
			if info.Modified.After(r.began) {
				r.result.Meanwhile++
				continue
			}
			if deadletter.CheckKey(info.Key) != nil {
				r.result.Strange = append(r.result.Strange, info.Key)
				continue
			}
			if !yield(info.Key, nil) {
				return
			}
		}
	}
}

func markerKey(key string) string { return envconfig.RedrivenPrefix + key }

// send sends the records of a group of objects, and marks those objects when the stream has them all.
func (r *run) send(ctx context.Context, s source, keys []string) error {
	objects := make([]*object, len(keys))
	err := parallel(ctx, len(keys), func(ctx context.Context, i int) (err error) {
		objects[i], err = r.read(ctx, keys[i])
		return err
	})
	if err != nil {
		return err
	}
	var done []*object
	for _, o := range objects {
		if err := r.queue(ctx, s, o); err != nil {
			return err
		}
		if o.sent > 0 || o.kept > 0 {
			done = append(done, o)
		}
	}
	if r.result.DryRun {
		return nil
	}
	for r.writer.Pending() > 0 {
		if _, err := r.writer.Flush(ctx); err != nil {
			return err
		}
	}
	return parallel(ctx, len(done), func(ctx context.Context, i int) error { return r.mark(ctx, done[i]) })
}

// parallel calls do for 0 to n-1 and returns the first error.
func parallel(ctx context.Context, n int, do func(context.Context, int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(objectsAtOnce)
	for i := range n {
		group.Go(func() error { return do(ctx, i) })
	}
	return group.Wait()
}

func (r *run) read(ctx context.Context, key string) (*object, error) {
	data, _, err := objectstore.ReadAll(ctx, r.store, key)
	if err != nil {
		return nil, err
	}
	letter, err := deadletter.Read(key, data)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.Strange = append(r.result.Strange, key)
		return &object{key: key}, nil // the other objects are sent all the same
	}
	if !lacksRecords(letter) {
		return &object{key: key, records: letter.Records()}, nil
	}
	if b := letter.Batch; b.Stream != "" && b.Stream != r.stream {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.OtherStreams++
		return &object{key: key}, nil
	}
	records, gone, err := r.fromStream(ctx, key, letter.Batch)
	if err != nil {
		return nil, fmt.Errorf("find the records of %s on the stream: %w", key, err)
	}
	if gone != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.Gone = append(r.result.Gone, *gone)
	}
	return &object{key: key, records: records}, nil
}

// queue queues the object's events for the stream. What is no event goes to quarantine, where it
// belongs, unless it comes from there.
func (r *run) queue(ctx context.Context, s source, o *object) error {
	for _, record := range o.records {
		if record.Position.Stream != r.stream {
			r.result.OtherStreams++
			continue
		}
		for _, item := range record.Items() {
			if err := r.queueItem(ctx, s, o, item); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *run) queueItem(ctx context.Context, s source, o *object, item activity.Item) error {
	quarantined := deadletter.Quarantines(s.prefix)
	// What lies in quarantine is sent whatever shop it names: the list of shops may be longer than then.
	if r.shops.Of(&item) != r.shops.Own() && !quarantined {
		r.result.OtherShops++
		return nil
	}
	if item.Event != nil && r.erased.Row(item.Event.Person()) {
		r.result.Erased++
		return nil
	}
	data, fault := withEventID(item)
	if fault != nil {
		r.result.Unreadable++
		r.result.Reasons[fault.Reason]++
		if quarantined {
			return nil
		}
		o.kept++
		return r.keep(ctx, item, fault)
	}
	r.result.Sent++
	if quarantined {
		r.result.Quarantined++
	} else {
		r.result.Failed++
	}
	o.sent++
	if !r.result.DryRun {
		r.writer.Add(shardwriter.Record{Key: item.Position.PartitionKey, Data: data})
	}
	return nil
}

// keep does what the function would have done with what is no event.
func (r *run) keep(ctx context.Context, item activity.Item, fault *activity.Fault) error {
	if r.result.DryRun {
		return nil
	}
	return deadletter.NewQuarantine(r.store).Write(ctx, activity.Quarantined{Reason: fault.Reason, Message: fault.Message,
		EventID: activity.EventID(item.Event, item.Position), Position: item.Position, QuarantinedAt: time.Now().UTC(),
		Data: item.Data})
}

// withEventID returns the event's bytes with the event id of its first attempt in them. With a fault
// the item is no event, or too large with its id.
func withEventID(item activity.Item) ([]byte, *activity.Fault) {
	if item.Fault != nil {
		return item.Data, item.Fault
	}
	data := activity.Again(item)
	var fault *activity.Fault
	if _, err := activity.Parse(data); err != nil && !errors.As(err, &fault) {
		fault = &activity.Fault{Reason: activity.ReasonSchema, Message: err.Error()}
	}
	return data, fault
}

// mark says that the object's records were sent.
func (r *run) mark(ctx context.Context, o *object) error {
	data, err := json.Marshal(marker{Sent: o.sent, Quarantined: o.kept, RedrivenAt: time.Now().UTC()})
	if err != nil {
		return fmt.Errorf("mark %s as sent: %w", o.key, err)
	}
	return r.store.PutNew(ctx, markerKey(o.key), data)
}

// onceStore writes objects that are not there yet.
type onceStore struct{ objectstore.Store }

// PutNew writes an object. One that lies there already, by an earlier run or another one, stays.
func (s onceStore) PutNew(ctx context.Context, key string, data []byte) error {
	_, err := s.Put(ctx, key, bytes.NewReader(data), int64(len(data)), objectstore.Condition{IfNoneMatch: true})
	if errors.Is(err, objectstore.ErrPrecondition) {
		return nil
	}
	return err
}
