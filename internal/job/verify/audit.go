// Package verify reconciles a stream with what came out of it: every record on the stream must end
// as a recommendation, in quarantine or among the mapping's failed batches, and nothing may come
// out that did not go in. It owns the rules and the report; it reads everything and changes
// nothing.
//
// A record is known by stream, shard and sequence number; what came out names them
// (recommendation.position, the quarantine record, the failed batch). What each of them says goes
// to disk as a fact of fixed size, in buckets by a hash; then each bucket is judged alone
// (judge.go). So the memory that an audit needs hardly grows with the number of events
// (TestMemoryIsBounded), and ten million events of any size take 3 GB of disk.
package verify

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/lake/erased"
	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

// stream is what went in. Package shardreader has one.
type stream interface {
	Retention(context.Context) (time.Duration, error)
	Shards(context.Context) ([]string, error)
	// Read visits the shard's records in order, from the one that follows after to the tip.
	Read(ctx context.Context, shard, after string, visit func(activity.Position, []byte) error) error
	// ReadSince is Read from the first record that arrived at a time or later.
	ReadSince(ctx context.Context, shard string, since time.Time, visit func(activity.Position, []byte) error) error
}

// store is where things came out. Package objectstore has one.
type store interface {
	List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error]
	Get(ctx context.Context, key string) (io.ReadCloser, objectstore.Info, error)
}

const (
	shardsAtOnce  = 4
	objectsAtOnce = 8 // reading small objects waits for the store, not for this machine
	// Positions are written with the milliseconds that Lambda hands over, the stream's own have more:
	// records this close to the window's edge explain an output but are not counted.
	edge = time.Second
	// trimSoon keeps the window clear of records that the stream may drop while the audit reads.
	trimSoon = 10 * time.Minute
	// clockSkew is how far an object store's clock may be behind ours before the audit overlooks an object.
	clockSkew = 5 * time.Minute

	shortestPause = 250 * time.Millisecond // between two looks
)

// Options say what is audited, and how patiently.
type Options struct {
	// Since leaves out what arrived on the stream earlier. The zero time is no limit but the stream's
	// own retention.
	Since time.Time
	// Until leaves out what arrived then or later. The zero time is no limit.
	Until time.Time
	// Wait is how old an unanswered record must be to count as lost; younger it is in flight. The
	// audit looks again until all that its first look saw is answered, or has had that long. Zero:
	// what the first look saw is lost.
	Wait time.Duration
	// Scratch is the folder for what does not fit into memory. Default: the system's temporary folder.
	Scratch string
	// MaxUnknown is the share, 0 to 1, of the products that events name which the models may not know;
	// nil: all.
	MaxUnknown *float64
	// Shops says whose events are audited. The zero value: all.
	Shops activity.Shops
	// Erased are the persons whose events need no outcome any more; nil: nobody.
	Erased *erased.List
	// Versions are the model versions that may have answered; nil: any.
	Versions map[string]bool
	// IDs is a file of the recommendation ids that a caller of serve got, one a line: they must be those that
	// were delivered. Empty: no list.
	IDs string
	// Looked is called after each look but the last; nil is allowed.
	Looked func(Report)
}

// Audit is one audit. It is not safe for concurrent use.
type Audit struct {
	stream stream
	store  store
	shops  activity.Shops
	erased *erased.List
	window window
	dir    string // for scratch files
	now    time.Time

	seen   map[hash]struct{} // objects read
	shards []*shard          // in the order in which they were first seen

	mu      sync.Mutex // guards what follows while objects and shards are read in parallel
	facts   *spool[fact]
	ids     *spool[idFact] // nil: there is no list of ids
	labels  labels
	badness []Finding        // malformed outputs and strange objects, the first few of each
	bad     map[string]int64 // by kind
	others  map[string]int64 // events in the window by shop, without those of the audited one
}

// shard is how far a shard has been read.
type shard struct {
	name    string
	number  uint64
	reached string // sequence number of the last record read
	events  uint64 // in the records read
}

// window is the time in which the audited records arrived.
type window struct{ since, until time.Time }

// holds says whether what arrived at t is counted.
func (w window) holds(t time.Time) bool {
	return !t.Before(w.since) && (w.until.IsZero() || t.Before(w.until))
}

// near says whether what arrived at t may be needed to explain what is counted.
func (w window) near(t time.Time) bool {
	return !t.Before(w.since.Add(-edge)) && (w.until.IsZero() || t.Before(w.until.Add(edge)))
}

// New makes an audit of stream against store.
func New(stream stream, store store) *Audit {
	return &Audit{stream: stream, store: store, seen: map[hash]struct{}{}, bad: map[string]int64{},
		others: map[string]int64{},
		labels: labels{numbers: map[label]uint32{}}}
}

// Run audits once. A report that is not clean is no error: see Report.Fault.
func (a *Audit) Run(ctx context.Context, o Options) (_ Report, err error) {
	began := time.Now()
	retention, err := a.stream.Retention(ctx)
	if err != nil {
		return Report{}, err
	}
	// Outputs of records that the stream has forgotten cannot be explained any more: the window begins
	// after them.
	a.window = window{o.Since, o.Until}
	if horizon := began.Add(trimSoon - retention); o.Since.Before(horizon) {
		a.window.since = horizon
	}
	a.dir, a.shops, a.erased = o.Scratch, o.Shops, o.Erased
	if a.facts, err = newSpool[fact](a.dir); err != nil {
		return Report{}, err
	}
	defer func() { err = errors.Join(err, a.facts.close()) }()
	if o.IDs != "" {
		if a.ids, err = newSpool[idFact](a.dir); err != nil {
			return Report{}, err
		}
		defer func() { err = errors.Join(err, a.ids.close()) }()
		if err := a.listIDs(o.IDs); err != nil {
			return Report{}, err
		}
	}
	var firstLook, waited time.Time // when all that the first look saw has had its time
	for looks := 1; ; looks++ {
		a.now = time.Now()
		if looks == 1 {
			firstLook = a.now
		}
		r, err := a.look(ctx, o.Wait, firstLook)
		if err != nil {
			return Report{}, err
		}
		if looks == 1 {
			waited = time.Now().Add(o.Wait)
		}
		r.Since, r.Until, r.Looks, r.Seconds = a.window.since, a.window.until, looks, time.Since(began).Seconds()
		if r.waiting == 0 || !a.now.Before(waited) {
			if r.MaxUnknown = 1; o.MaxUnknown != nil {
				r.MaxUnknown = *o.MaxUnknown
			}
			r.checkVersions(o.Versions)
			r.Shop, r.OtherShops = a.shops.Own(), a.others
			r.Findings, err = a.findings(ctx, r, o.IDs)
			return r, err
		}
		if o.Looked != nil {
			o.Looked(r)
		}
		select { // a look over much data takes long: pause as long again, so that the services have room
		case <-ctx.Done():
			return Report{}, fmt.Errorf("wait for events in flight: %w", ctx.Err())
		case <-time.After(min(max(shortestPause, time.Since(a.now)), max(0, time.Until(waited)))):
		}
	}
}

// look reads what is new and judges. The stream comes first and last: an output seen in between
// always finds its record.
func (a *Audit) look(ctx context.Context, wait time.Duration, firstLook time.Time) (Report, error) {
	for _, read := range []func(context.Context) error{a.readStream, a.readOutputs, a.readStream} {
		if err := read(ctx); err != nil {
			return Report{}, err
		}
	}
	return a.judge(a.now.Add(-wait), firstLook)
}

// readStream adds the records that are new on every shard.
func (a *Audit) readStream(ctx context.Context) error {
	names, err := a.stream.Shards(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		if !slices.ContainsFunc(a.shards, func(s *shard) bool { return s.name == name }) {
			a.shards = append(a.shards, &shard{name: name, number: uint64(len(a.shards))})
		}
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(shardsAtOnce)
	for _, s := range a.shards {
		group.Go(func() error {
			return a.eachRecord(ctx, s.name, s.reached, func(p activity.Position, data []byte) error {
				s.reached = p.SequenceNumber
				for _, item := range activity.Read(nil, p, data) {
					s.events++
					if err := a.add(a.eventFact(item, s.number<<shardShift|s.events), ""); err != nil {
						return err
					}
				}
				return nil
			})
		})
	}
	return group.Wait()
}

// eachRecord visits the records of a shard that follow a sequence number ("": all) and are in the
// window or close to it.
func (a *Audit) eachRecord(ctx context.Context, shard, after string,
	visit func(activity.Position, []byte) error) error {
	beyond := errors.New("beyond the window")
	filter := func(p activity.Position, data []byte) error {
		switch {
		case a.window.near(p.ArrivedAt):
			return visit(p, data)
		case p.ArrivedAt.After(a.window.since):
			return beyond
		}
		return nil
	}
	var err error
	if after == "" {
		err = a.stream.ReadSince(ctx, shard, a.window.since.Add(-edge), filter)
	} else {
		err = a.stream.Read(ctx, shard, after, filter)
	}
	if errors.Is(err, beyond) {
		return nil
	}
	return err
}

// eventFact is what an event on the stream says. One for the quarantine has the id that derives from
// its position.
func (a *Audit) eventFact(item activity.Item, ordinal uint64) fact {
	p := item.Position
	at := p.ArrivedAt
	if at.After(a.now) { // by a clock ahead of ours: it would stay in flight for as long
		at = a.now
	}
	session := hashOf(p.Shard + " " + p.PartitionKey)
	f := fact{
		place: placeOf(p), event: hashOf(activity.EventID(item.Event, p)), ordinal: ordinal,
		session: binary.LittleEndian.Uint64(session[:]), arrived: p.ArrivedAt.UnixNano(), at: at.UnixNano(),
		flags: onStream | a.counted(p.ArrivedAt),
	}
	if item.Event != nil {
		f.content = contentOf(activity.DigestOf(item.Data))
		if a.erased.Row(item.Event.Person()) {
			f.flags |= ofErased
		}
	}
	if of := a.shops.Of(&item); of != a.shops.Own() {
		f.flags |= otherShop
		if f.flags&inWindow != 0 {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.others[of]++
		}
	}
	return f
}

// counted is inWindow for what arrived in the window.
func (a *Audit) counted(arrived time.Time) flags {
	if a.window.holds(arrived) {
		return inWindow
	}
	return 0
}

// add keeps a fact; where it was found does not matter here.
func (a *Audit) add(f fact, _ string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.facts.add(f.place[0], f)
}

// readOutputs adds what the objects say that no earlier look has read.
func (a *Audit) readOutputs(ctx context.Context) error {
	return a.eachOutput(ctx, func(info objectstore.Info) bool {
		version := hashOf(fmt.Sprintf("%s %d %d", info.Key, info.Size, info.Modified.UnixNano()))
		_, seen := a.seen[version]
		a.seen[version] = struct{}{}
		return !seen
	}, outputs{audit: a, fact: a.add, id: a.addID, malformed: a.addMalformed, strange: a.addStrange})
}

// eachOutput reads the objects under the three prefixes that are new. What was written before the
// window holds nothing of it. A strange object is reported and passed over.
func (a *Audit) eachOutput(ctx context.Context, isNew func(objectstore.Info) bool, to outputs) error {
	for _, source := range []struct {
		prefix string
		read   func(ctx context.Context, key string, body io.Reader) error
	}{
		{envconfig.RecommendationPrefix, to.recommendations},
		{deadletter.Prefixes[0], to.letter},
		{deadletter.Prefixes[1], to.letter},
	} {
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(objectsAtOnce)
		var listing error
		for info, err := range a.store.List(groupCtx, source.prefix) {
			if err != nil {
				listing = err
				break
			}
			if info.Modified.Add(clockSkew).Before(a.window.since) || !isNew(info) {
				continue
			}
			if deadletter.CheckKey(info.Key) != nil {
				to.strange(info.Key)
				continue
			}
			group.Go(func() error { return a.readObject(groupCtx, info.Key, source.read) })
		}
		if err := group.Wait(); err != nil { // first: it is what may have ended the listing
			return err
		}
		if listing != nil {
			return listing
		}
	}
	return nil
}

func (a *Audit) readObject(ctx context.Context, key string,
	read func(ctx context.Context, key string, body io.Reader) error) error {
	object, _, err := a.store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { _ = object.Close() }() // opened for reading
	body, err := linefile.Plain(object)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	return read(ctx, key, body)
}

// hash stands for a string. At ten million events two of them meet with a probability of 10^-25.
type hash [16]byte

func hashOf(s string) hash {
	sum := sha256.Sum256([]byte(s))
	return hash(sum[:16])
}
