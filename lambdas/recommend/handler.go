package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"kindred/internal/platform/parallel"
	"kindred/internal/serving/recommend"
	"kindred/internal/stream/activity"

	"github.com/aws/aws-lambda-go/events"
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"golang.org/x/sync/errgroup"
)

const (
	// chunkEvents are answered and delivered together: one call to Firehose takes so many. A batch
	// that does not fit into the time limit makes progress by chunks.
	chunkEvents = 500
	// quarantineWriters bounds the S3 requests at the same time, for a batch that is all broken.
	quarantineWriters = 8
)

// recommender decides. An error means that no event was answered and a retry may help.
type recommender interface {
	Batch(ctx context.Context, events []*activity.Event) ([]recommend.Answer, error)
}

// deliverer takes records; it returns the indexes of those it did not take, ascending, with a reason.
type deliverer interface {
	Put(ctx context.Context, records [][]byte) (failed []int, err error)
}

// keeper keeps a broken event, once however often it is told. Every error is transient.
type keeper interface {
	Write(ctx context.Context, q activity.Quarantined) error
}

// handler answers Kinesis batches. It is safe for concurrent use.
//
// A panic is not caught: it is a fault of this program and not of the event, so the batch fails
// loudly, is retried and bisected by the mapping, and the event ends in its OnFailure destination,
// from where it can be sent again after a fix.
type handler struct {
	recommender recommender
	delivery    deliverer
	quarantine  keeper
	log         *slog.Logger
	metrics     io.Writer
	headRoom    time.Duration // kept free before the deadline
	now         func() time.Time
}

// record is one record of the batch.
type record struct {
	index    int // in the batch
	position activity.Position
	data     []byte
	event    *activity.Event // nil when it cannot be read
	fault    *activity.Fault // permanent; nil as long as none is known
}

// Invoke reads a batch and writes what of it is left to do. An error means that the batch is no KinesisEvent.
func (h *handler) Invoke(ctx context.Context, payload []byte) ([]byte, error) {
	var batch events.KinesisEvent
	// What comes from other producers, as the partition key, is taken as encoding/json takes it: a
	// refusal would hold the whole shard.
	if err := json.Unmarshal(payload, &batch, jsontext.AllowInvalidUTF8(true),
		jsontext.AllowDuplicateNames(true)); err != nil {
		return nil, fmt.Errorf("read batch: %w", err)
	}
	return json.Marshal(h.handle(ctx, batch))
}

// handle answers a batch of one shard. Permanent faults go to quarantine. On a transient fault it
// names the first record that is not done; Lambda sends that one and all after it again, so
// everything before it is delivered or in quarantine by then, and what is delivered behind it will
// be again under the same ids. Firehose takes each record of a call for itself: it may refuse one
// and take a later one of the same session. Nothing behind that call is touched; readers order a
// session by recommendation.position.
func (h *handler) handle(ctx context.Context, batch events.KinesisEvent) events.KinesisEventResponse {
	start := h.now()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-h.headRoom))
		defer cancel()
	}
	sum := summary{events: len(batch.Records)}
	records := parse(batch)
	h.timed(&sum.parse, start)
	done, err := h.answer(ctx, records, &sum) // records before this index of the batch are done
	if err == nil {
		done = len(records)
	}
	keeping := h.now()
	done, quarantineErr := h.keep(ctx, records[:done], &sum)
	h.timed(&sum.quarantine, keeping)
	err = errors.Join(err, quarantineErr)

	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	if done < len(batch.Records) {
		first := batch.Records[done].Kinesis.SequenceNumber
		response.BatchItemFailures = append(response.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: first})
	}
	sum.retried = len(batch.Records) - done
	h.report(ctx, batch, &sum, start, err)
	return response
}

// parse reads all records of the batch.
func parse(batch events.KinesisEvent) []*record {
	all, records := make([]record, len(batch.Records)), make([]*record, len(batch.Records))
	parallel.Each(len(all), func(i int) {
		r := &all[i]
		*r = record{index: i, position: position(batch.Records[i]), data: batch.Records[i].Kinesis.Data}
		records[i] = r
		event, err := activity.Parse(r.data)
		if err == nil {
			r.event = event
		} else if !errors.As(err, &r.fault) {
			r.fault = &activity.Fault{Reason: activity.ReasonSchema, Message: "the event cannot be read"}
		}
	})
	return records
}

// sound are the records without a fault.
func sound(records []*record) []*record {
	var found []*record
	for _, r := range records {
		if r.fault == nil {
			found = append(found, r)
		}
	}
	return found
}

// position reads where on the stream a record was: "arn:aws:kinesis:region:account:stream/NAME" (a
// consumer's goes on after the name) and "shardId-000000000000:SEQUENCE".
func position(r events.KinesisEventRecord) activity.Position {
	_, stream, _ := strings.Cut(r.EventSourceArn, ":stream/")
	stream, _, _ = strings.Cut(stream, "/")
	shard, _, _ := strings.Cut(r.EventID, ":")
	return activity.Position{
		Stream: stream, Shard: shard, SequenceNumber: r.Kinesis.SequenceNumber, PartitionKey: r.Kinesis.PartitionKey,
		// a float on the way, of whole milliseconds
		ArrivedAt: r.Kinesis.ApproximateArrivalTimestamp.Round(time.Millisecond).UTC(),
	}
}

// answer recommends and delivers, chunk by chunk, and gives a fault to each record that proves to
// be broken. With an error it returns the batch's index of the first record that is not delivered;
// no chunk behind it was begun.
func (h *handler) answer(ctx context.Context, records []*record, sum *summary) (first int, err error) {
	for left := sound(records); len(left) > 0; {
		chunk := left[:min(chunkEvents, len(left))]
		if failed, err := h.answerChunk(ctx, chunk, sum); err != nil {
			return failed.index, err
		}
		left = left[len(chunk):]
	}
	return 0, nil
}

// answerChunk is answer for one chunk; failed is the first record that is not delivered.
func (h *handler) answerChunk(ctx context.Context, chunk []*record, sum *summary) (failed *record, err error) {
	start := h.now()
	answers, err := h.recommend(ctx, chunk)
	now := h.now()
	sum.recommend += now.Sub(start)
	if err != nil {
		return chunk[0], err
	}
	defer h.timed(&sum.deliver, now)
	chunk = sound(chunk)
	lines, faults := make([][]byte, len(chunk)), make([]error, len(chunk))
	parallel.Each(len(chunk), func(i int) {
		r := chunk[i]
		lines[i], faults[i] = answers[i].Record(r.data, r.event, r.position, now).AppendLine(nil)
	})
	for i, err := range faults {
		if err != nil {
			return chunk[0], fmt.Errorf("write record %s: %w", chunk[i].position.SequenceNumber, err)
		}
	}
	missing, err := h.delivery.Put(ctx, lines)
	refused := make(map[int]bool, len(missing))
	for _, i := range missing {
		refused[i] = true
	}
	for i := range answers {
		if !refused[i] {
			sum.delivered(answers[i])
		}
	}
	if err == nil {
		return nil, nil
	}
	return chunk[missing[0]], err
}

// recommend answers the records in their order. A record whose values the store refuses for ever
// gets a fault and no answer: the others are answered without it, found by halves. Every other
// error is transient, and of all records.
func (h *handler) recommend(ctx context.Context, records []*record) ([]recommend.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("begin the next %d events: %w", len(records), err)
	}
	list := make([]*activity.Event, len(records))
	for i, r := range records {
		list[i] = r.event
	}
	answers, err := h.recommender.Batch(ctx, list)
	var refused *recommend.RefusedError
	switch {
	case err == nil:
		return answers, nil
	case !errors.As(err, &refused):
		return nil, fmt.Errorf("recommend for %d events: %w", len(records), err)
	case len(records) == 1:
		records[0].fault = &activity.Fault{Reason: activity.ReasonRefused, Message: refused.Error()}
		return nil, nil
	}
	half := len(records) / 2
	if answers, err = h.recommend(ctx, records[:half]); err != nil {
		return nil, err
	}
	rest, err := h.recommend(ctx, records[half:])
	return append(answers, rest...), err
}

// keep brings those of the records that have a fault into quarantine. With an error it returns how
// many records before the first failure are done.
func (h *handler) keep(ctx context.Context, records []*record, sum *summary) (done int, err error) {
	failures := make([]error, len(records))
	var group errgroup.Group
	group.SetLimit(quarantineWriters)
	for i, r := range records {
		if r.fault == nil {
			continue
		}
		group.Go(func() error {
			failures[i] = h.quarantine.Write(ctx, activity.Quarantined{
				Reason: r.fault.Reason, Message: r.fault.Message, EventID: activity.EventID(r.event,
					r.position), Position: r.position,
				QuarantinedAt: h.now().UTC(), Data: r.data,
			})
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	done = len(records)
	for i, r := range slices.Backward(records) {
		switch {
		case failures[i] != nil:
			done, err = i, failures[i]
		case r.fault != nil:
			sum.quarantined++
		}
	}
	return done, err
}
