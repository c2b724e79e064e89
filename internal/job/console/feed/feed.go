// Package feed follows what flows through the stream: events that arrive on Kinesis, answers that are
// delivered to S3, and events that end in quarantine or in a failed batch. It reads each of them once, in
// the background, and keeps counts of a window of time; a page reads the counts. It owns the window, the
// counts and the order of reading. It changes nothing, and keeps nothing of an event but its time.
package feed

import (
	"context"
	"errors"
	"io"
	"iter"
	"sync"
	"time"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/platform/retry"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/delivery"
	"kindred/internal/stream/latency"
)

const (
	// pause is between two readings. A shard allows five reads a second, of which the function takes one.
	pause = 2 * time.Second
	// lettersEvery is between two listings of the dead letters, which have to be listed whole.
	lettersEvery = 10 * time.Second
	// lettersShare times as long as a listing of the dead letters takes is at least until the next one.
	lettersShare = 20
	// late is how long after an hour objects of its folder may still come: Firehose names them by arrival.
	late = 20 * time.Minute
	// latencySpan is how much time shares a histogram of latencies.
	latencySpan = 10 * time.Minute
	// maxFault bounds the text of a fault.
	maxFault = 300
)

// Stream is a stream of events; shardreader.Reader is one.
type Stream interface {
	Shards(ctx context.Context) ([]string, error)
	Read(ctx context.Context, shard, after string, visit func(activity.Position, []byte) error) error
	ReadSince(ctx context.Context, shard string, since time.Time, visit func(activity.Position, []byte) error) error
}

// Store holds what was delivered; objectstore.Store is one.
type Store interface {
	List(ctx context.Context, prefix string) iter.Seq2[objectstore.Info, error]
	Get(ctx context.Context, key string) (io.ReadCloser, objectstore.Info, error)
}

// Rolled is a roll-up of what was delivered before; rollup.Reader is one.
type Rolled interface {
	// Recent says until when everything was read, and which objects of the last hours are among it.
	// commit.ErrNoCurrent: there is no roll-up.
	Recent(ctx context.Context) (asOf time.Time, keys []string, err error)
}

// Minute is what happened in one minute, by arrival or by the time of the answer.
type Minute struct {
	At      time.Time // its beginning
	Events  int64     // arrived on the stream
	Answers int64     // lines delivered
}

// Latency is how long answers of one span of time took, in milliseconds.
type Latency struct {
	At       time.Time // its beginning
	P50, P99 float64
}

// Counts is what the window held when it was read last.
type Counts struct {
	Since    time.Time // the window's beginning
	AsOf     time.Time // of the last reading; zero: there was none yet
	Whole    bool      // the window has been read to its end once
	Events   int64
	Answers  int64 // lines delivered; a retried event may have two
	Unknown  int64 // products that the answering model does not know
	Sources  map[activity.Source]int64
	Versions map[string]int64
	// Letters are the dead letters that lie in the bucket, of any age, by reason; a failed batch has
	// deadletter.FailedBatch.
	Letters    map[string]int64
	LettersAt  time.Time // of the last listing
	LastEvent  time.Time // arrival of the newest event; zero: none in the window
	LastAnswer time.Time // of the newest answer
	LatencyMS  Percentiles
	Minutes    []Minute  // of the window, oldest first, empty ones left out
	Latencies  []Latency // oldest first
	Shards     []Shard   // by name
	// Faults say what cannot be read, in a sentence each; empty: nothing.
	StreamFault, StoreFault string
}

// Shard is how far the answers to one shard's events have come.
type Shard struct {
	Name     string
	Event    time.Time // arrival of the newest event; zero: none in the window
	Answered time.Time // arrival of the newest event whose answer was delivered
}

// Behind is how much older the newest answered event is than the newest event.
func (s Shard) Behind() time.Duration {
	if s.Answered.IsZero() || s.Event.Before(s.Answered) {
		return 0
	}
	return s.Event.Sub(s.Answered)
}

// Percentiles of the window's latencies in milliseconds.
type Percentiles struct{ P50, P99, Max float64 }

// Feed follows. Its methods are safe for concurrent use.
type Feed struct {
	stream Stream // nil: not known
	store  Store  // nil: not known
	rolled Rolled // nil: not known
	window time.Duration
	now    func() time.Time

	// The reading's alone:
	begun     bool
	first     time.Time // older answers are not counted
	lettersAt time.Time // of the next listing

	mu     sync.Mutex
	counts Counts
	minute map[int64]*Minute
	spans  map[int64]*latency.Histogram
	seen   map[string]time.Time // objects that were counted, with the time after which none of that name comes
	letter map[string]string    // dead letters by key, with their reason; it is replaced, and only by the reading
	shard  map[string]*Shard
	after  map[string]string // the last sequence number of a shard
}

// New makes a Feed of the last window of time, or of what came since the roll-up if that is less. A nil stream, store
// or roll-up is not read.
func New(stream Stream, store Store, rolled Rolled, window time.Duration) *Feed {
	f := &Feed{stream: stream, store: store, rolled: rolled, window: window, now: time.Now, minute: map[int64]*Minute{},
		spans: map[int64]*latency.Histogram{}, seen: map[string]time.Time{}, shard: map[string]*Shard{},
		after: map[string]string{}}
	f.first = f.now().Add(-window)
	f.counts = Counts{Since: f.first, Sources: map[activity.Source]int64{}, Versions: map[string]int64{}}
	return f
}

// Run reads until ctx ends.
func (f *Feed) Run(ctx context.Context) {
	for ctx.Err() == nil {
		f.Read(ctx)
		_ = retry.Sleep(ctx, pause) // its only error is that ctx ended
	}
}

// Read reads once what there is. No other reading may run.
func (f *Feed) Read(ctx context.Context) {
	beginErr := f.begin(ctx)
	streamErr := f.readStream(ctx)
	storeErr := f.readDelivered(ctx, f.Counts().AsOf.IsZero())
	if storeErr == nil && !f.now().Before(f.lettersAt) {
		began := f.now()
		storeErr = f.readLetters(ctx)
		f.lettersAt = f.now().Add(max(lettersEvery, lettersShare*f.now().Sub(began)))
	}
	f.note(streamErr, errors.Join(beginErr, storeErr))
}

// begin moves the beginning of the window to the roll-up, if there is one in the window: what that has read is not
// counted again.
func (f *Feed) begin(ctx context.Context) error {
	if f.begun || f.rolled == nil {
		return nil
	}
	asOf, keys, err := f.rolled.Recent(ctx)
	if err != nil && !errors.Is(err, commit.ErrNoCurrent) {
		return err
	}
	f.begun = true
	if asOf.Before(f.first) { // or there is none
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Since, f.first = asOf, time.Time{}
	for _, key := range keys {
		if hour, _ := delivery.Hour(key); !hour.Before(asOf.Add(-late).Truncate(time.Hour)) {
			f.seen[key] = f.now().Add(time.Hour + 2*late)
		}
	}
	return nil
}

// note ends a reading.
func (f *Feed) note(streamErr, storeErr error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.StreamFault, f.counts.StoreFault = sentence(streamErr), sentence(storeErr)
	f.counts.AsOf = f.now()
	f.counts.Whole = f.counts.Whole || streamErr == nil && storeErr == nil
	oldest := f.now().Add(-f.window)
	for at := range f.minute {
		if time.Unix(at, 0).Before(oldest.Truncate(time.Minute)) {
			delete(f.minute, at)
		}
	}
	for at := range f.spans {
		if time.Unix(at, 0).Before(oldest.Truncate(latencySpan)) {
			delete(f.spans, at)
		}
	}
	for key, end := range f.seen {
		if end.Before(f.now()) {
			delete(f.seen, key)
		}
	}
}

func sentence(err error) string {
	if err == nil || errors.Is(err, context.Canceled) {
		return ""
	}
	text := err.Error()
	return text[:min(len(text), maxFault)]
}

// readStream counts the events that have arrived since the last reading.
func (f *Feed) readStream(ctx context.Context) error {
	if f.stream == nil {
		return nil
	}
	shards, err := f.stream.Shards(ctx)
	if err != nil {
		return err
	}
	f.mu.Lock()
	for _, name := range shards {
		f.of(name)
	}
	since := f.counts.Since
	f.mu.Unlock()
	var items []activity.Item
	for _, shard := range shards {
		visit := func(p activity.Position, data []byte) error {
			items = activity.Read(items[:0], p, data)
			f.arrived(p, len(items))
			return ctx.Err()
		}
		f.mu.Lock()
		after := f.after[shard]
		f.mu.Unlock()
		if after == "" {
			err = f.stream.ReadSince(ctx, shard, since, visit)
		} else {
			err = f.stream.Read(ctx, shard, after, visit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (f *Feed) arrived(p activity.Position, events int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.after[p.Shard] = p.SequenceNumber
	f.counts.Events += int64(events)
	f.at(p.ArrivedAt).Events += int64(events)
	if shard := f.of(p.Shard); p.ArrivedAt.After(shard.Event) {
		shard.Event = p.ArrivedAt
	}
	if p.ArrivedAt.After(f.counts.LastEvent) {
		f.counts.LastEvent = p.ArrivedAt
	}
}

func (f *Feed) of(shard string) *Shard {
	if f.shard[shard] == nil {
		f.shard[shard] = &Shard{Name: shard}
	}
	return f.shard[shard]
}

func (f *Feed) at(t time.Time) *Minute {
	begin := t.Truncate(time.Minute)
	m := f.minute[begin.Unix()]
	if m == nil {
		m = &Minute{At: begin.UTC()}
		f.minute[begin.Unix()] = m
	}
	return m
}

// readDelivered counts the lines of objects that it has not seen. Firehose puts an object into the folder of
// the hour in which its first record came, so only the folders of the window are listed, and after the
// first reading only those of this hour and of the one before.
func (f *Feed) readDelivered(ctx context.Context, all bool) error {
	if f.store == nil {
		return nil
	}
	now := f.now().UTC()
	from := now.Add(-late)
	if all {
		from = f.Counts().Since.UTC().Add(-late)
	}
	for hour := from.Truncate(time.Hour); !hour.After(now); hour = hour.Add(time.Hour) {
		for _, folder := range delivery.Folders(hour) {
			if err := f.readFolder(ctx, folder, hour); err != nil {
				return err
			}
		}
	}
	return nil
}

// readFolder counts the objects of an hour's folder that it has not seen.
func (f *Feed) readFolder(ctx context.Context, folder string, hour time.Time) error {
	for info, err := range f.store.List(ctx, folder) {
		if err != nil {
			return err
		}
		f.mu.Lock()
		_, seen := f.seen[info.Key]
		f.seen[info.Key] = hour.Add(time.Hour + 2*late)
		f.mu.Unlock()
		if seen || deadletter.CheckKey(info.Key) != nil {
			continue
		}
		if err := f.readObject(ctx, info.Key); err != nil {
			f.mu.Lock()
			delete(f.seen, info.Key)
			f.mu.Unlock()
			return err
		}
	}
	return nil
}

// readObject counts an object's lines once all of them are read.
func (f *Feed) readObject(ctx context.Context, key string) (err error) {
	body, _, err := f.store.Get(ctx, key)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	var lines []activity.Recommendation
	for line, err := range linefile.Lines(body) {
		if err != nil {
			return err
		}
		if r, fault := activity.ParseRecommendation(line); fault == nil { // verify finds the others
			lines = append(lines, r)
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := range lines {
		f.answered(&lines[i])
	}
	return nil
}

func (f *Feed) answered(d *activity.Recommendation) {
	if d.GeneratedAt.Before(f.first) {
		return
	}
	f.counts.Answers++
	f.counts.Sources[d.Source]++
	f.counts.Versions[d.ModelVersion]++
	f.counts.Unknown += int64(d.UnknownProducts)
	f.at(d.GeneratedAt).Answers++
	if d.GeneratedAt.After(f.counts.LastAnswer) {
		f.counts.LastAnswer = d.GeneratedAt
	}
	if p := d.Position; p.Shard != "" { // not over HTTP
		if shard := f.of(p.Shard); p.ArrivedAt.After(shard.Answered) {
			shard.Answered = p.ArrivedAt
		}
	}
	span := d.GeneratedAt.Truncate(latencySpan).Unix()
	if f.spans[span] == nil {
		f.spans[span] = &latency.Histogram{}
	}
	f.spans[span].Add(d.LatencyMS)
}

// readLetters lists the dead letters, and reads those that are new.
func (f *Feed) readLetters(ctx context.Context) error {
	if f.store == nil {
		return nil
	}
	now := make(map[string]string, len(f.letter))
	counts := map[string]int64{}
	for _, prefix := range deadletter.Prefixes {
		for info, err := range f.store.List(ctx, prefix) {
			if err != nil {
				return err
			}
			reason, ok := f.letter[info.Key]
			if !ok {
				if reason, err = f.reasonOf(ctx, info.Key); err != nil {
					return err
				}
			}
			now[info.Key] = reason
			if reason != "" {
				counts[reason]++
			}
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.letter = now
	f.counts.Letters, f.counts.LettersAt = counts, f.now()
	return nil
}

// reasonOf reads a dead letter; what is none, or is gone meanwhile, has no reason.
func (f *Feed) reasonOf(ctx context.Context, key string) (string, error) {
	data, err := f.read(ctx, key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	letter, err := deadletter.Read(key, data)
	switch {
	case err != nil:
		return "", nil //nolint:nilerr // verify reports what is no dead letter
	case letter.Quarantined != nil:
		return string(letter.Quarantined.Reason), nil
	}
	return deadletter.FailedBatch, nil
}

func (f *Feed) read(ctx context.Context, key string) (data []byte, err error) {
	body, _, err := f.store.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return io.ReadAll(body)
}
