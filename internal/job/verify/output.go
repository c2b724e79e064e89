package verify

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"kindred/internal/stream/activity"
	"kindred/internal/stream/failedbatch"
)

// maxFindings bounds how many examples of one kind a report carries.
const maxFindings = 5

// outputs reads the objects that the stream's records became, and says what they say: to fact, with
// the place where it was found, or to malformed.
type outputs struct {
	audit     *Audit
	fact      func(f fact, where string) error
	malformed func(where string) error
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
	r, err := activity.ParseRecommendation(line)
	if err != nil || r.EventID == "" || r.Position.SequenceNumber == "" {
		return o.malformed(where)
	}
	f := fact{event: hashOf(r.EventID), at: r.GeneratedAt.UnixNano(), latency: float32(r.LatencyMS), flags: recommended}
	if r.ID != activity.RecommendationID(r.EventID) {
		f.flags |= wrongEvent
	}
	return o.output(f, r.Position, label{source: r.Source, version: r.ModelVersion}, where)
}

// output says what an output says of its record's position.
func (o outputs) output(f fact, p activity.Position, l label, where string) error {
	if !o.audit.window.near(p.ArrivedAt) {
		return nil
	}
	f.place = placeOf(p.Stream, p.Shard, p.SequenceNumber)
	f.flags |= o.audit.counted(p.ArrivedAt)
	f.label = o.audit.labelNumber(l)
	return o.fact(f, where)
}

// quarantined reads an object of one quarantine record. It does not say whose event the record is:
// what could not be read then may be readable since a fix, and name another id than the one that
// derives from its position.
func (o outputs) quarantined(_ context.Context, key string, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	var q activity.Quarantined
	if err := json.Unmarshal(data, &q); err != nil || q.Position.SequenceNumber == "" {
		return o.malformed(key)
	}
	f := fact{flags: quarantined}
	if q.EventID != activity.EventID(nil, q.Position) {
		if event, err := activity.Parse(q.Data); err != nil || q.EventID != event.EventID {
			f.flags |= wrongEvent
		}
	}
	return o.output(f, q.Position, label{reason: q.Reason}, key)
}

// failedBatch reads an object of one failed batch.
func (o outputs) failedBatch(ctx context.Context, key string, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	batch, err := failedbatch.Parse(data)
	if err != nil {
		return o.malformed(key)
	}
	for _, r := range batch.Records {
		if err := o.output(fact{flags: failed}, r.Position, label{}, key); err != nil {
			return err
		}
	}
	if len(batch.Records) > 0 || batch.Last.Before(o.audit.window.since.Add(-edge)) {
		return nil
	}
	return o.failedRange(ctx, batch, key)
}

// failedRange says that all records from the first to the last of a batch have failed, of a batch
// that names no others. What lies between them only the stream knows.
func (o outputs) failedRange(ctx context.Context, batch failedbatch.Batch, key string) error {
	for _, f := range []fact{
		{place: placeOf(batch.Stream, batch.Shard, batch.First), flags: failed},
		{place: placeOf(batch.Stream, batch.Shard, batch.Final), flags: failed | o.audit.counted(batch.Last)},
	} {
		if err := o.fact(f, key); err != nil {
			return err
		}
	}
	if batch.First == batch.Final {
		return nil
	}
	done := errors.New("done")
	err := o.audit.stream.Read(ctx, batch.Shard, batch.First, func(p activity.Position, _ []byte) error {
		if err := o.output(fact{flags: failed}, p, label{}, key); err != nil {
			return err
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
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bad++
	if len(a.badness) < maxFindings {
		a.badness = append(a.badness, Finding{Kind: kindMalformed, Where: where})
	}
	return nil
}
