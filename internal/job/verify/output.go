package verify

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"kindred/internal/platform/envconfig"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"
	"kindred/internal/stream/deadletter"
)

// maxFindings bounds how many examples of one kind a report carries.
const maxFindings = 5

// outputs reads the objects that the stream's records became, and says what they say: to fact, with
// the place where it was found, or to malformed.
type outputs struct {
	audit     *Audit
	fact      func(f fact, where string) error
	malformed func(where string) error
	id        func(f idFact, where string) error // of an answer over HTTP
	strange   func(key string)                   // among the dead letters, and no dead letter
}

// recommendations reads an object of one JSON object a line.
func (o outputs) recommendations(_ context.Context, key string, body io.Reader) error {
	lines := bufio.NewReaderSize(body, 64<<10)
	for number, last := 1, false; !last; number++ {
		line, err := lines.ReadBytes('\n')
		last = errors.Is(err, io.EOF)
		if err != nil && !last {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if err := o.recommendation(fmt.Sprintf("%s line %d", key, number), line); err != nil {
			return err
		}
	}
	return nil
}

func (o outputs) recommendation(where string, line []byte) error {
	d, err := activity.ParseDelivered(bytes.TrimSpace(line))
	if err != nil || d.EventID == "" || deadletter.CheckPosition(d.Position) != nil {
		return o.malformed(where)
	}
	f := fact{event: hashOf(d.EventID), content: contentOf(d.Digest), at: d.GeneratedAt.UnixNano(),
		latency: float32(d.LatencyMS), flags: recommended}
	ownID := d.ID == activity.RecommendationID(d.EventID, d.Placement)
	if d.Position.Stream == activity.StreamHTTP { // there an event may ask several questions
		ownID = activity.IsRecommendationID(d.ID)
	}
	if d.Strip < 0 || !ownID || d.EventID != cmp.Or(d.OwnEventID, activity.EventID(nil, d.Position)) {
		f.flags |= wrongEvent
	}
	latency := float64(d.GeneratedAt.Sub(d.Position.ArrivedAt)) / float64(time.Millisecond)
	if !d.Intact || math.Abs(latency-d.LatencyMS) > 1 {
		f.flags |= altered
	}
	if d.Items == 0 && d.Source != activity.SourceState && d.Query == "" { // a filter may match nothing
		f.flags |= empty
	}
	if d.Strip >= 0 && d.Strip < activity.MaxPlacements {
		f.strips, f.strip = uint8(min(d.Strips, activity.MaxPlacements)), 1<<d.Strip
	}
	f.products = uint8(min(d.Products, recommend.SessionItems))
	f.unknown = uint8(min(d.UnknownProducts, recommend.SessionItems))
	if d.UnknownCustomer {
		f.flags |= stranger
	}
	if envconfig.OtherShop(d.Shop, o.audit.shops.Own()) {
		f.flags |= byOther
	}
	if d.Position.Stream == activity.StreamHTTP {
		f.flags |= overHTTP
		if f.flags&byOther == 0 && o.audit.window.holds(d.Position.ArrivedAt) {
			if err := o.id(idFact{hashOf(d.ID), deliveredID}, where); err != nil {
				return err
			}
		}
	}
	return o.output(f, d.Position, label{source: d.Source, version: d.ModelVersion}, where)
}

// output says what an output says of its event's position.
func (o outputs) output(f fact, p activity.Position, l label, where string) error {
	if !o.audit.window.near(p.ArrivedAt) {
		return nil
	}
	f.place, f.arrived = placeOf(p), p.ArrivedAt.UnixNano()
	f.flags |= o.audit.counted(p.ArrivedAt)
	f.label = o.audit.labelNumber(l)
	return o.fact(f, where)
}

// letter reads a dead letter.
func (o outputs) letter(ctx context.Context, key string, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	letter, err := deadletter.Read(key, data)
	if err != nil {
		o.strange(key)
		return nil //nolint:nilerr // it is reported, and the other objects are read
	}
	f, l := fact{flags: failed}, label{}
	if q := letter.Quarantined; q != nil {
		f, l = fact{flags: quarantined}, label{reason: q.Reason}
	} else if len(letter.Batch.Records) == 0 {
		return o.failedRange(ctx, letter.Batch, key)
	}
	for _, record := range letter.Records() {
		for _, item := range record.Items() {
			if q := letter.Quarantined; q != nil {
				f.flags = quarantined
				if isForeign(*q, item) {
					f.flags |= wrongEvent
				}
			}
			if err := o.output(f, item.Position, l, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// isForeign says whether a quarantine record has the id of another event than the one that it holds.
// What could not be read then may be readable since a fix, and have an id of its own.
func isForeign(q activity.Quarantined, item activity.Item) bool {
	return q.EventID != activity.EventID(nil, q.Position) && (item.Event == nil || item.Event.EventID != q.EventID)
}

// failedRange says that all records from the first to the last of a batch have failed, of a batch
// that names no others. What lies between them only the stream knows.
func (o outputs) failedRange(ctx context.Context, batch deadletter.Batch, key string) error {
	if batch.Last.Before(o.audit.window.since.Add(-edge)) {
		return nil
	}
	done := errors.New("done")
	within := false
	err := o.audit.eachRecord(ctx, batch.Shard, "", func(p activity.Position, data []byte) error {
		if within = within || p.SequenceNumber == batch.First; !within {
			return nil
		}
		p.Stream = batch.Stream
		for _, item := range activity.Read(nil, p, data) {
			if err := o.output(fact{flags: failed}, item.Position, label{}, key); err != nil {
				return err
			}
		}
		if p.SequenceNumber == batch.Final {
			return done
		}
		return nil
	})
	if errors.Is(err, done) {
		return nil
	}
	return err
}

// labelNumber numbers a label.
func (a *Audit) labelNumber(l label) uint32 {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.labels.number(l)
}

func (a *Audit) addMalformed(where string) error {
	a.addBad(kindMalformed, where)
	return nil
}

func (a *Audit) addStrange(key string) { a.addBad(kindStrange, key) }

func (a *Audit) addBad(kind, where string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bad[kind]++; a.bad[kind] <= maxFindings {
		a.badness = append(a.badness, Finding{Kind: kind, Where: where})
	}
}
