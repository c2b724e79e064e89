// Package audit reconciles a stream with what came out of it: every record on the stream must end as a recommendation, in
// quarantine or among the mapping's failed batches, and nothing may come out that did not go in. It owns the rules and
// the report; it reads everything and changes nothing.
//
// A record is known by stream, shard and sequence number; what came out names them (recommendation.position, the
// quarantine record, the failed batch). The audit keeps one fixed-size entry a record, about 95 bytes with its index
// (TestMemoryPerEvent), so ten million events need about 1 GB and no more for events of any size.
package audit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/activity"
	"kindred/internal/envconfig"
	"kindred/internal/objectstore"
)

// stream is what went in. Package shardreader has one.
type stream interface {
	Retention(context.Context) (time.Duration, error)
	Shards(context.Context) ([]string, error)
	// Read visits the shard's records in order, from the one behind after ("" for the oldest kept) to the tip.
	Read(ctx context.Context, shard, after string, visit func(activity.Position, []byte) error) error
}

// store is where things came out. Package objectstore has one.
type store interface {
	List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error]
	Get(ctx context.Context, key string) (io.ReadCloser, objectstore.Info, error)
}

const (
	shardsAtOnce  = 4
	objectsAtOnce = 8 // reading small objects waits for the store, not for this machine
	// Positions are written with the milliseconds that Lambda hands over, the stream's own have more: records this close to
	// the window's edge explain an output but are not counted.
	edge = time.Second
	// trimSoon keeps the window clear of records that the stream may drop while the audit reads.
	trimSoon = 10 * time.Minute
	// clockSkew is how far an object store's clock may be behind ours before the audit overlooks an object.
	clockSkew = 5 * time.Minute

	shortestPause = 250 * time.Millisecond // between two looks
)

// Options say what is audited, and how patiently.
type Options struct {
	// Since leaves out what arrived on the stream earlier. The zero time is no limit but the stream's own retention.
	Since time.Time
	// Wait is how old an unanswered record must be to count as lost; younger it is in flight. The audit looks again until
	// nothing is in flight, or all that its first look saw has had that long. Zero: what the first look saw is lost.
	Wait time.Duration
	// Looked is called after each look but the last; nil is allowed.
	Looked func(Report)
}

// Audit is one audit. It is not safe for concurrent use.
type Audit struct {
	stream stream
	store  store
	since  time.Time

	reached map[string]string // sequence number of the last record read, by shard
	shards  []string          // in the stream's order
	seen    map[hash]struct{} // objects read

	mu      sync.Mutex          // guards what follows while objects and shards are read in parallel
	order   map[string][]uint32 // entries of a shard's records, in the stream's order
	table   *table
	ranges  []failedRange
	output  outputTotals
	badness []Finding // malformed outputs, the first few
	bad     int64
}

// New makes an audit of stream against store.
func New(stream stream, store store) *Audit {
	return &Audit{stream: stream, store: store, reached: map[string]string{}, seen: map[hash]struct{}{}, order: map[string][]uint32{},
		table: newTable(), output: newOutputTotals()}
}

// Run audits once. A report that is not clean is no error: see Report.Fault.
func (a *Audit) Run(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	retention, err := a.stream.Retention(ctx)
	if err != nil {
		return Report{}, err
	}
	// Outputs of records that the stream has forgotten cannot be explained any more: the window begins after them.
	a.since = o.Since
	if horizon := began.Add(trimSoon - retention); a.since.Before(horizon) {
		a.since = horizon
	}
	var waited time.Time // when all that the first look saw has had its time
	for looks := 1; ; looks++ {
		lookBegan := time.Now()
		r, err := a.look(ctx, o.Wait)
		if err != nil {
			return Report{}, err
		}
		if looks == 1 {
			waited = time.Now().Add(o.Wait)
		}
		r.Since, r.Looks, r.Seconds = a.since, looks, time.Since(began).Seconds()
		if r.InFlight == 0 || !lookBegan.Before(waited) {
			r.Findings, err = a.findings(ctx, r)
			return r, err
		}
		if o.Looked != nil {
			o.Looked(r)
		}
		select { // a look over much data takes long: pause as long again, so that the services have room
		case <-ctx.Done():
			return Report{}, fmt.Errorf("wait for events in flight: %w", ctx.Err())
		case <-time.After(min(max(shortestPause, time.Since(lookBegan)), max(0, time.Until(waited)))):
		}
	}
}

// look reads what is new and judges. The stream comes first and last: an output seen in between always finds its record.
func (a *Audit) look(ctx context.Context, wait time.Duration) (Report, error) {
	now := time.Now()
	if err := a.readStream(ctx); err != nil {
		return Report{}, err
	}
	if err := a.readOutputs(ctx); err != nil {
		return Report{}, err
	}
	if a.table.unexplained > 0 {
		if err := a.readStream(ctx); err != nil {
			return Report{}, err
		}
	}
	return a.judge(now.Add(-wait)), nil
}

// readStream adds the records that are new on every shard.
func (a *Audit) readStream(ctx context.Context) error {
	shards, err := a.stream.Shards(ctx)
	if err != nil {
		return err
	}
	a.shards = shards
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(shardsAtOnce)
	for _, shard := range shards {
		a.mu.Lock()
		after := a.reached[shard]
		a.mu.Unlock()
		group.Go(func() error {
			last := after
			err := a.stream.Read(ctx, shard, after, func(p activity.Position, data []byte) error {
				last = p.SequenceNumber
				if p.ArrivedAt.Before(a.since.Add(-edge)) {
					return nil
				}
				a.addRecord(p, data)
				return nil
			})
			a.mu.Lock()
			defer a.mu.Unlock()
			a.reached[shard] = last
			return err
		})
	}
	return group.Wait()
}

func (a *Audit) addRecord(p activity.Position, data []byte) {
	event, err := activity.Parse(data)
	if err != nil {
		event = nil // an event for the quarantine: its id derives from its position
	}
	eventID := hashOf(activity.EventID(event, p))
	place := placeOf(p.Stream, p.Shard, p.SequenceNumber)
	session := hashOf(p.PartitionKey)
	arrived := p.ArrivedAt
	if now := time.Now(); arrived.After(now) { // by a clock ahead of ours: it would stay in flight for as long
		arrived = now
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	i := a.table.onStream(place, eventID, session, arrived, !p.ArrivedAt.Before(a.since))
	a.order[p.Shard] = append(a.order[p.Shard], i)
}

// readOutputs adds the objects that are new under the three prefixes.
func (a *Audit) readOutputs(ctx context.Context) error {
	for _, source := range []struct {
		prefix string
		read   func(key string, body io.Reader) error
	}{
		{envconfig.RecommendationPrefix, a.readRecommendations},
		{envconfig.QuarantinePrefix, a.readQuarantined},
		{envconfig.FailurePrefix, a.readFailedBatch},
	} {
		if err := a.eachNew(ctx, source.prefix, source.read); err != nil {
			return err
		}
	}
	return nil
}

// eachNew reads the objects under prefix that no earlier look has read. What was written before the window holds nothing of
// it.
func (a *Audit) eachNew(ctx context.Context, prefix string, read func(key string, body io.Reader) error) error {
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(objectsAtOnce)
	var listing error
	for info, err := range a.store.List(groupCtx, prefix) {
		if err != nil {
			listing = err
			break
		}
		version := hashOf(fmt.Sprintf("%s %d %d", info.Key, info.Size, info.Modified.UnixNano()))
		if _, ok := a.seen[version]; ok || info.Modified.Add(clockSkew).Before(a.since) {
			continue
		}
		a.seen[version] = struct{}{}
		group.Go(func() error { return a.readObject(groupCtx, info.Key, read) })
	}
	if err := group.Wait(); err != nil { // first: it is what may have ended the listing
		return err
	}
	return listing
}

func (a *Audit) readObject(ctx context.Context, key string, read func(key string, body io.Reader) error) error {
	object, _, err := a.store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }() // opened for reading
	body, err := plain(object)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return read(key, body)
}

// hash stands for a string. At ten million events two of them meet with a probability of 10^-25.
type hash [16]byte

func hashOf(s string) hash {
	sum := sha256.Sum256([]byte(s))
	return hash(sum[:16])
}
