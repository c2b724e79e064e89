// Package rollup counts what went through the stream, and indexes the ids of the events, so that a page about
// months of records need not read them. It reads each delivered object and each dead letter once, and adds it to
// the roll-up of before. It owns what is counted; the files belong to the package rollup of the lake.
package rollup

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kindred/internal/lake/commit"
	"kindred/internal/lake/linefile"
	"kindred/internal/lake/objectstore"
	"kindred/internal/lake/rollup"
	"kindred/internal/platform/envconfig"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
	"kindred/internal/stream/delivery"
	"kindred/internal/stream/latency"
)

const (
	// Late is how long after its hour an object may still come: Firehose tries for a day to deliver it, and takes
	// up to 15 minutes to fill it.
	Late = 25 * time.Hour
	// mostEntries is about how many ids one run adds to the index: they are in memory, 16 bytes each. A first
	// reading takes several runs, so that a killed one is not lost.
	mostEntries = 2_000_000
	// readers is how many objects are read at once.
	readers = 8
	// sweepAge is the least age of a run that is deleted: longer than a program takes that has begun to write one.
	sweepAge = 24 * time.Hour
	// keptLatencies is how far back latencies are kept: counts stay for ever.
	keptLatencies = 31 * 24 * time.Hour
)

// Job rolls up.
type Job struct {
	Records, Lake objectstore.Store
	ScratchDir    string // empty: the system's
	Progress      func(stage string, done, total int64)

	now         func() time.Time
	mostEntries int
}

// Result is what a run did.
type Result struct {
	Run     string    `json:"run"` // that is current now
	NoOp    bool      `json:"-"`
	AsOf    time.Time `json:"as_of"`
	Runs    int       `json:"runs"`    // that were committed
	Objects int64     `json:"objects"` // of delivered records that were read
	Records int64     `json:"records"` // in them
	Letters int64     `json:"letters"` // dead letters that are new
}

// Unchanged reports whether the run was a no-op.
func (r *Result) Unchanged() bool { return r.NoOp }

// Run adds what came since the current roll-up, and makes the new one current. commit.ErrConflict when another run
// did so meanwhile.
func (j Job) Run(ctx context.Context) (*Result, error) {
	if j.now == nil {
		j.now = time.Now
	}
	if j.mostEntries == 0 {
		j.mostEntries = mostEntries
	}
	result := &Result{NoOp: true}
	for {
		whole, err := j.step(ctx, result)
		if err != nil || whole {
			return result, err
		}
	}
}

// step commits at most one run. whole says that nothing is left.
func (j Job) step(ctx context.Context, result *Result) (whole bool, err error) {
	repo := rollup.Repository(j.Lake)
	b, err := j.begin(ctx, repo)
	if err != nil {
		return false, err
	}
	now := j.now()
	keys, err := b.list(ctx, now)
	if err != nil {
		return false, err
	}
	read, err := b.read(ctx, keys)
	if err != nil {
		return false, err
	}
	whole = read == len(keys)
	letters := 0
	if whole {
		if letters, err = b.readLetters(ctx); err != nil {
			return false, err
		}
	}
	if read == 0 && letters == 0 && b.manifest.Run != "" {
		result.Run, result.AsOf = b.manifest.Run, b.earlier.AsOf
		return true, nil
	}
	b.draft.AsOf = now.UTC().Truncate(time.Second)
	if !whole {
		b.draft.AsOf, _ = delivery.Hour(keys[read])
	}
	b.finish()
	dir, err := os.MkdirTemp(j.ScratchDir, "kindred-rollup-*")
	if err != nil {
		return false, fmt.Errorf("create scratch folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	r, err := rollup.Commit(ctx, repo, b.draft, b.manifest.Run, dir)
	if err != nil {
		return false, err
	}
	result.Run, result.AsOf, result.NoOp = r.Run, r.AsOf, false
	result.Runs++
	result.Objects += int64(read)
	result.Records += r.Records - b.earlier.Records
	result.Letters += int64(max(letters, 0))
	return whole, rollup.Sweep(ctx, repo, r, b.manifest, b.earlier, sweepAge)
}

// builder adds to the roll-up of before.
type builder struct {
	Job
	manifest  commit.Manifest // of the run before; zero: there is none
	earlier   rollup.Details
	draft     rollup.Draft
	hours     map[hourKey]*rollup.Hour
	latencies map[latencyKey]int64
	recent    map[string]bool // keys that were read
	nameBytes uint32          // of draft.Names
}

type hourKey struct {
	at              int64
	version, source string
}

type latencyKey struct {
	at int64
	ms float64
}

func (j Job) begin(ctx context.Context, repo *commit.Repository) (*builder, error) {
	b := &builder{Job: j, hours: map[hourKey]*rollup.Hour{}, latencies: map[latencyKey]int64{},
		recent: map[string]bool{}}
	m, d, err := rollup.Current(ctx, repo)
	if errors.Is(err, commit.ErrNoCurrent) {
		return b, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := rollup.Read(ctx, repo, m, d)
	if err != nil {
		return nil, err
	}
	b.manifest, b.earlier, b.draft.Rollup = m, d, *r
	if b.draft.Letters, err = rollup.Letters(ctx, repo, m); err != nil {
		return nil, err
	}
	recent, err := rollup.Recent(ctx, repo, m)
	for _, key := range recent {
		b.recent[key] = true
	}
	for i := range r.Hours {
		h := &r.Hours[i]
		b.hours[hourKey{h.At.Unix(), h.Version, h.Source}] = h
	}
	for _, l := range r.Latencies {
		b.latencies[latencyKey{l.At.Unix(), l.MS}] = l.Records
	}
	return b, err
}

// list returns the keys of the objects that were not read yet, in their order.
func (b *builder) list(ctx context.Context, now time.Time) (keys []string, err error) {
	strange := ""
	add := func(prefix string) error {
		for info, err := range b.Records.List(ctx, prefix) {
			if err != nil {
				return fmt.Errorf("list delivered records: %w", err)
			}
			if _, ok := delivery.Hour(info.Key); !ok {
				strange = info.Key
			} else if !b.recent[info.Key] && deadletter.CheckKey(info.Key) == nil {
				keys = append(keys, info.Key)
			}
		}
		return nil
	}
	if b.manifest.Run == "" {
		err := add(envconfig.RecommendationPrefix)
		if err == nil && len(keys) == 0 && strange != "" {
			err = fmt.Errorf("%s lies in no folder of an hour, such as %s: Firehose must name the folders so", strange,
				delivery.Folders(now)[0])
		}
		slices.SortStableFunc(keys, orderKeys)
		return keys, err
	}
	for hour := b.earlier.AsOf.Add(-Late).Truncate(time.Hour); !hour.After(now); hour = hour.Add(time.Hour) {
		for _, prefix := range delivery.Folders(hour) {
			if err := add(prefix); err != nil {
				return nil, err
			}
		}
	}
	return keys, nil
}

// orderKeys is the order of keys by their hours.
func orderKeys(a, b string) int {
	first, _ := delivery.Hour(a)
	second, _ := delivery.Hour(b)
	return first.Compare(second)
}

// read counts and indexes the first objects of keys, until the run is full, and returns how many they are.
func (b *builder) read(ctx context.Context, keys []string) (read int, err error) {
	for read < len(keys) && len(b.draft.Entries) < b.mostEntries {
		batch := keys[read:min(read+readers, len(keys))]
		found := make([]object, len(batch))
		reading, ctx := errgroup.WithContext(ctx)
		for i, key := range batch {
			reading.Go(func() (err error) {
				found[i], err = b.readObject(ctx, key)
				return err
			})
		}
		if err := reading.Wait(); err != nil {
			return 0, err
		}
		for i := range found {
			b.add(batch[i], &found[i])
		}
		read += len(batch)
		b.Progress("read records", int64(read), int64(len(keys)))
	}
	return read, nil
}

// object is what a delivered object holds.
type object struct {
	lines      []line
	unreadable int64
	gone       bool // somebody deleted it meanwhile
}

// line is what is counted of a record, and its place.
type line struct {
	ids     [2]uint64
	offset  uint32
	at      time.Time
	version string
	source  activity.Source
	ms      float64
	unknown int
}

func (b *builder) readObject(ctx context.Context, key string) (o object, err error) {
	body, _, err := b.Records.Get(ctx, key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return object{gone: true}, nil
	}
	if err != nil {
		return o, err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	plain, err := linefile.Plain(body)
	if err != nil {
		return object{unreadable: 1}, nil // verify reports an object that cannot be unpacked
	}
	versions := map[string]string{} // one copy of each
	lines, offset := bufio.NewReaderSize(plain, 64<<10), 0
	for {
		text, err := lines.ReadBytes('\n')
		if trimmed := bytes.TrimSpace(text); len(trimmed) > 0 {
			r, fault := activity.ParseRecommendation(trimmed)
			if fault != nil {
				o.unreadable++
			} else {
				if versions[r.ModelVersion] == "" {
					versions[r.ModelVersion] = r.ModelVersion
				}
				o.lines = append(o.lines, line{[2]uint64{rollup.Hash(r.EventID), rollup.Hash(r.ID)}, uint32(offset),
					r.GeneratedAt, versions[r.ModelVersion], r.Source, r.LatencyMS, r.UnknownProducts})
			}
		}
		offset += len(text)
		if errors.Is(err, io.EOF) {
			return o, nil
		}
		if err != nil {
			return o, fmt.Errorf("read %s: %w", key, err)
		}
	}
}

// name adds an object to those that the index names, and returns its place among them.
func (b *builder) name(key string) uint32 {
	at := b.nameBytes
	b.draft.Names = append(b.draft.Names, key)
	b.nameBytes += uint32(len(key) + 1)
	return at
}

// add counts an object.
func (b *builder) add(key string, o *object) {
	b.recent[key] = true
	if o.gone {
		return
	}
	b.draft.Objects++
	b.draft.Unreadable += o.unreadable
	b.draft.Records += int64(len(o.lines))
	at := b.name(key)
	for _, l := range o.lines {
		hour := l.at.UTC().Truncate(time.Hour)
		h := b.hours[hourKey{hour.Unix(), l.version, string(l.source)}]
		if h == nil {
			h = &rollup.Hour{At: hour, Version: l.version, Source: string(l.source)}
			b.hours[hourKey{hour.Unix(), l.version, string(l.source)}] = h
		}
		h.Records++
		h.Unknown += int64(l.unknown)
		b.latencies[latencyKey{hour.Unix(), latency.Middle(l.ms)}]++
		for _, id := range l.ids {
			b.draft.Entries = append(b.draft.Entries, rollup.Entry{Hash: id, Object: at, Offset: l.offset})
		}
	}
}

// finish puts what was counted in order, and forgets what no later run meets.
func (b *builder) finish() {
	d := &b.draft
	d.Hours = d.Hours[:0:0]
	for _, h := range b.hours {
		d.Hours = append(d.Hours, *h)
	}
	slices.SortFunc(d.Hours, orderHours)
	d.Latencies = d.Latencies[:0:0]
	oldest := d.AsOf.Add(-keptLatencies)
	for key, n := range b.latencies {
		if at := time.Unix(key.at, 0).UTC(); !at.Before(oldest) {
			d.Latencies = append(d.Latencies, rollup.Latency{At: at, MS: key.ms, Records: n})
		}
	}
	slices.SortFunc(d.Latencies, orderLatencies)
	first := d.AsOf.Add(-Late).Truncate(time.Hour)
	for _, key := range slices.Sorted(maps.Keys(b.recent)) {
		if at, _ := delivery.Hour(key); !at.Before(first) {
			d.Recent = append(d.Recent, key)
		}
	}
	d.Details.Letters = map[string]int64{}
	for _, l := range d.Letters {
		d.Details.Letters[l.Reason]++
	}
}

// readLetters lists the dead letters, reads those that are new, and forgets those that are gone. It returns how many
// are new, or -1 if none is and some are gone.
func (b *builder) readLetters(ctx context.Context) (added int, err error) {
	before := make(map[string]rollup.Letter, len(b.draft.Letters))
	for _, l := range b.draft.Letters {
		before[l.Key] = l
	}
	var mu sync.Mutex
	var now []rollup.Letter
	reading, ctx := errgroup.WithContext(ctx)
	reading.SetLimit(readers)
	for _, prefix := range deadletter.Prefixes {
		for info, err := range b.Records.List(ctx, prefix) {
			if err != nil {
				return 0, errors.Join(fmt.Errorf("list dead letters: %w", err), reading.Wait())
			}
			if l, ok := before[info.Key]; ok {
				mu.Lock()
				now = append(now, l)
				mu.Unlock()
				continue
			}
			reading.Go(func() error {
				letter, ids, err := b.readLetter(ctx, info)
				if err != nil || letter.Key == "" {
					return err
				}
				mu.Lock()
				defer mu.Unlock()
				now = append(now, letter)
				added++
				at := b.name(letter.Key)
				for _, id := range ids {
					b.draft.Entries = append(b.draft.Entries, rollup.Entry{Hash: rollup.Hash(id), Object: at})
				}
				return nil
			})
		}
	}
	if err := reading.Wait(); err != nil {
		return 0, err
	}
	if added == 0 && len(now) < len(before) {
		added = -1
	}
	slices.SortFunc(now, func(a, b rollup.Letter) int { return strings.Compare(a.Key, b.Key) })
	b.draft.Letters = now
	return added, nil
}

// readLetter reads a dead letter, and the ids of its events. What is none has no key: verify reports it.
func (b *builder) readLetter(ctx context.Context, info objectstore.Info) (l rollup.Letter, ids []string, err error) {
	data, _, err := objectstore.ReadAll(ctx, b.Records, info.Key)
	if errors.Is(err, objectstore.ErrNotFound) {
		return l, nil, nil
	}
	if err != nil {
		return l, nil, err
	}
	letter, err := deadletter.Read(info.Key, data)
	if err != nil {
		return l, nil, nil //nolint:nilerr // it is no dead letter
	}
	if q := letter.Quarantined; q != nil {
		return rollup.Letter{Key: info.Key, Reason: string(q.Reason), At: q.QuarantinedAt.UTC()}, letter.EventIDs(), nil
	}
	return rollup.Letter{Key: info.Key, Reason: deadletter.FailedBatch, At: info.Modified.UTC()}, letter.EventIDs(), nil
}
