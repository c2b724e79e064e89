// Package redrive sends records to the stream again that ended in quarantine or among the mapping's
// failed batches, once what stopped them is mended. It owns which ones, under which event id, and
// that none is forgotten.
//
// A record is sent with the event id that its first attempt had: its own, or the one that derives
// from its first position, which is then written into it. So whatever is sent twice is answered
// under one recommendation id, and readers drop the second. What this program itself cannot read
// stays in quarantine: the function would bring it back there.
//
// After the stream has taken an object's records, a marker under redriven/ says so, and later runs
// pass the object over. A run that is killed in between leaves no marker: the next one sends the
// group under way again, at most 500 quarantined records or one failed batch. Two runs at the same
// time may send everything twice. Nothing is deleted: delete a marker to send its object's records
// once more.
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

	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/failedbatch"
	"kindred/internal/stream/quarantine"
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
	Sent         int64                     `json:"sent"`            // records
	Quarantined  int64                     `json:"from_quarantine"` // of Sent
	Failed       int64                     `json:"from_failed_batches"`
	SentBefore   int64                     `json:"sent_before"` // objects that an earlier run has sent
	Unreadable   int64                     `json:"unreadable"`  // records that are still no event; they are in quarantine
	Reasons      map[activity.Reason]int64 `json:"reasons"`     // of Unreadable
	OtherStreams int64                     `json:"other_streams"`
	Malformed    []string                  `json:"malformed,omitempty"` // objects that hold no record, by key
	DryRun       bool                      `json:"dry_run"`
}

// Run sends what has not been sent. stream is the name of the one that w writes to: records of
// others are left alone. With dryRun nothing is sent or written.
func Run(ctx context.Context, store objectstore.Store, w writer, stream string, dryRun bool) (Result, error) {
	r := &run{store: onceStore{store}, writer: w, stream: stream,
		result: Result{Reasons: map[activity.Reason]int64{}, DryRun: dryRun}}
	for _, s := range []source{
		{envconfig.QuarantinePrefix, quarantineGroup, parseQuarantined},
		{envconfig.FailurePrefix, failedGroup, parseFailed},
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
	parse  func(data []byte) ([]failedbatch.Record, error)
}

type run struct {
	store  onceStore
	writer writer
	stream string

	mu     sync.Mutex // guards result while objects are read in parallel
	result Result
}

// object is one object under way.
type object struct {
	key     string
	records []failedbatch.Record
	sent    int
	kept    int // records that are in quarantine
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

// unsent lists the objects under prefix that have no marker. Both listings come in the order of their keys.
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
		objects[i], err = r.read(ctx, s, keys[i])
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

func (r *run) read(ctx context.Context, s source, key string) (*object, error) {
	data, _, err := objectstore.ReadAll(ctx, r.store, key)
	if err != nil {
		return nil, err
	}
	records, err := s.parse(data)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.result.Malformed = append(r.result.Malformed, key)
		return &object{key: key}, nil // it is in the result; the other objects are sent all the same
	}
	return &object{key: key, records: records}, nil
}

func parseQuarantined(data []byte) ([]failedbatch.Record, error) {
	var q activity.Quarantined
	if err := json.Unmarshal(data, &q); err != nil || q.Position.SequenceNumber == "" {
		return nil, errors.New("no quarantine record")
	}
	return []failedbatch.Record{{Position: q.Position, Data: q.Data}}, nil
}

func parseFailed(data []byte) ([]failedbatch.Record, error) {
	batch, err := failedbatch.Parse(data)
	if err == nil && len(batch.Records) == 0 {
		err = errors.New("a failed batch without its records")
	}
	return batch.Records, err
}

// queue queues the object's records for the stream. Those that are no event go to quarantine, where
// they belong, unless they come from there.
func (r *run) queue(ctx context.Context, s source, o *object) error {
	for _, record := range o.records {
		if record.Position.Stream != r.stream {
			r.result.OtherStreams++
			continue
		}
		data, err := withEventID(record)
		var fault *activity.Fault
		if errors.As(err, &fault) {
			r.result.Unreadable++
			r.result.Reasons[fault.Reason]++
			if s.prefix == envconfig.QuarantinePrefix {
				continue
			}
			if err := r.keep(ctx, record, fault); err != nil {
				return err
			}
			o.kept++
			continue
		}
		if err != nil {
			return err
		}
		r.result.Sent++
		if s.prefix == envconfig.QuarantinePrefix {
			r.result.Quarantined++
		} else {
			r.result.Failed++
		}
		o.sent++
		if !r.result.DryRun {
			r.writer.Add(shardwriter.Record{Key: record.Position.PartitionKey, Data: data})
		}
	}
	return nil
}

// keep does what the function would have done with a record that is no event.
func (r *run) keep(ctx context.Context, record failedbatch.Record, fault *activity.Fault) error {
	if r.result.DryRun {
		return nil
	}
	return quarantine.New(r.store).Write(ctx, activity.Quarantined{Reason: fault.Reason, Message: fault.Message,
		EventID: activity.EventID(nil,
			record.Position), Position: record.Position, QuarantinedAt: time.Now().UTC(), Data: record.Data})
}

// withEventID returns the record's event, with the event id of its first attempt in it. A record
// that is no event is an *activity.Fault.
func withEventID(record failedbatch.Record) ([]byte, error) {
	event, err := activity.Parse(record.Data)
	if err != nil || event.EventID != "" {
		return record.Data, err
	}
	object, ok := bytes.CutSuffix(bytes.TrimRight(record.Data, " \t\r\n"), []byte("}"))
	if !ok {
		return nil, fmt.Errorf("read the event at %s of %s: it does not end with a brace", record.Position.SequenceNumber,
			record.Position.Shard)
	}
	// Behind the other fields: of a repeated one the last counts, and the event may have an empty event_id.
	data := fmt.Appendf(nil, `%s,"event_id":%q}`, object, activity.EventID(event, record.Position))
	_, err = activity.Parse(data) // it may be too large now
	return data, err
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
