package audit

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"kindred/internal/activity"
)

// maxFindings bounds how many examples of one kind a report carries.
const maxFindings = 5

// outputTotals are the figures of the recommendations in the window, the first line of each record only.
type outputTotals struct {
	sources     map[activity.Source]int64
	versions    map[string]int64
	reasons     map[activity.Reason]int64 // of the quarantine
	latency     *histogram
	first, last time.Time // generated_at
}

func newOutputTotals() outputTotals {
	return outputTotals{sources: map[activity.Source]int64{}, versions: map[string]int64{}, reasons: map[activity.Reason]int64{},
		latency: &histogram{}}
}

// gzipMagic opens every gzip stream. See https://www.rfc-editor.org/rfc/rfc1952#section-2.3.1.
var gzipMagic = []byte{0x1f, 0x8b}

// plain unpacks a gzipped object, known by its first two bytes; Firehose may or may not compress.
func plain(r io.Reader) (io.Reader, error) {
	b := bufio.NewReaderSize(r, 64<<10)
	if magic, _ := b.Peek(2); !bytes.Equal(magic, gzipMagic) { // a fault shows again when b is read
		return b, nil
	}
	return gzip.NewReader(b)
}

// readRecommendations reads an object of one JSON object a line.
func (a *Audit) readRecommendations(key string, body io.Reader) error {
	lines := bufio.NewReader(body)
	for number, last := 1, false; !last; number++ {
		line, err := lines.ReadBytes('\n')
		last = errors.Is(err, io.EOF)
		if err != nil && !last {
			return fmt.Errorf("read %s: %w", key, err)
		}
		if len(bytes.TrimSpace(line)) > 0 {
			a.addRecommendation(fmt.Sprintf("%s line %d", key, number), line)
		}
	}
	return nil
}

func (a *Audit) addRecommendation(where string, line []byte) {
	record, err := activity.ParseRecord(line)
	if err != nil || record.Recommendation.EventID == "" || record.Recommendation.Position.SequenceNumber == "" {
		a.addMalformed(where)
		return
	}
	r := record.Recommendation
	p := r.Position
	if p.ArrivedAt.Before(a.since.Add(-edge)) {
		return
	}
	place, event := placeOf(p.Stream, p.Shard, p.SequenceNumber), hashOf(r.EventID)
	counted := !p.ArrivedAt.Before(a.since)

	a.mu.Lock()
	defer a.mu.Unlock()
	e, first := a.table.came(place, event, recommended, counted, where)
	if r.ID != activity.RecommendationID(r.EventID) {
		e.flags |= wrongEvent
	}
	if e.lines < math.MaxUint16 {
		e.lines++
	}
	if at := r.GeneratedAt.UnixNano(); first || at < e.answered {
		e.answered = at
	}
	if !first || !counted {
		return
	}
	a.output.sources[r.Source]++
	a.output.versions[r.ModelVersion]++
	a.output.latency.add(r.LatencyMS)
	if a.output.first.IsZero() || r.GeneratedAt.Before(a.output.first) {
		a.output.first = r.GeneratedAt
	}
	if r.GeneratedAt.After(a.output.last) {
		a.output.last = r.GeneratedAt
	}
}

// readQuarantined reads an object of one quarantine record.
func (a *Audit) readQuarantined(key string, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	var q activity.Quarantined
	if err := json.Unmarshal(data, &q); err != nil || q.EventID == "" || q.Position.SequenceNumber == "" {
		a.addMalformed(key)
		return nil
	}
	p := q.Position
	if p.ArrivedAt.Before(a.since.Add(-edge)) {
		return nil
	}
	place, event := placeOf(p.Stream, p.Shard, p.SequenceNumber), hashOf(q.EventID)
	counted := !p.ArrivedAt.Before(a.since)
	a.mu.Lock()
	defer a.mu.Unlock()
	if _, first := a.table.came(place, event, quarantined, counted, key); first && counted {
		a.output.reasons[q.Reason]++
	}
	return nil
}

// failedBatch is what Lambda writes to the mapping's OnFailure bucket. AWS writes the payload as a string that holds JSON,
// LocalStack as JSON. See https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html.
type failedBatch struct {
	Info struct {
		StreamARN string    `json:"streamArn"`
		Shard     string    `json:"shardId"`
		Start     string    `json:"startSequenceNumber"`
		End       string    `json:"endSequenceNumber"`
		Last      time.Time `json:"approximateArrivalOfLastRecord"`
	} `json:"KinesisBatchInfo"`
	Payload json.RawMessage `json:"payload"`
}

type failedPayload struct {
	Records []struct {
		Kinesis struct {
			SequenceNumber string  `json:"sequenceNumber"`
			ArrivedAt      float64 `json:"approximateArrivalTimestamp"` // Unix seconds
		} `json:"kinesis"`
	}
}

// failedRange is a failed batch that names its first and last record only.
type failedRange struct {
	shard      string
	start, end hash
}

// readFailedBatch reads an object of one failed batch.
func (a *Audit) readFailedBatch(key string, body io.Reader) error {
	data, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	var b failedBatch
	if err := json.Unmarshal(data, &b); err != nil || b.Info.Shard == "" || b.Info.Start == "" || b.Info.End == "" {
		a.addMalformed(key)
		return nil
	}
	if b.Info.Last.Before(a.since.Add(-edge)) {
		return nil
	}
	var text string
	if json.Unmarshal(b.Payload, &text) == nil {
		b.Payload = []byte(text)
	}
	var payload failedPayload
	complete := json.Unmarshal(b.Payload, &payload) == nil && len(payload.Records) > 0

	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range payload.Records {
		seconds, fraction := math.Modf(r.Kinesis.ArrivedAt)
		if arrived := time.Unix(int64(seconds), int64(fraction*1e9)); !arrived.Before(a.since.Add(-edge)) {
			place := placeOf(b.Info.StreamARN, b.Info.Shard, r.Kinesis.SequenceNumber)
			a.table.came(place, hash{}, failed, !arrived.Before(a.since), key)
		}
	}
	if !complete {
		r := failedRange{b.Info.Shard, placeOf(b.Info.StreamARN, b.Info.Shard, b.Info.Start), placeOf(b.Info.StreamARN, b.Info.Shard, b.Info.End)}
		a.table.came(r.end, hash{}, failed, !b.Info.Last.Before(a.since), key) // at least this one
		a.ranges = append(a.ranges, r)
	}
	return nil
}

func (a *Audit) addMalformed(where string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.bad++
	if len(a.badness) < maxFindings {
		a.badness = append(a.badness, Finding{Kind: kindMalformed, Where: where})
	}
}
