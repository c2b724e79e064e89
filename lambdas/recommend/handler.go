package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"kindred/internal/activity"
	"kindred/internal/recommend"

	"github.com/aws/aws-lambda-go/events"
	"golang.org/x/sync/errgroup"
)

const (
	// chunkEvents are answered and delivered together: one call to Firehose takes so many. A batch that does not fit into the
	// time limit makes progress by chunks.
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
// A panic is not caught: it is a fault of this program and not of the event, so the batch fails loudly, is retried and
// bisected by the mapping, and the event ends in its OnFailure destination, from where it can be sent again after a fix.
type handler struct {
	recommender recommender
	delivery    deliverer
	quarantine  keeper
	log         *slog.Logger
	metrics     io.Writer
	headRoom    time.Duration // kept free before the deadline
	now         func() time.Time
}

// record is one record of the batch. Either event or fault is set.
type record struct {
	index    int // in the batch
	position activity.Position
	data     []byte
	event    *activity.Event
	fault    *activity.Fault
}

// handle answers a batch of one shard. Permanent faults go to quarantine. On a transient fault it names the first record that is
// not done; Lambda sends that one and all after it again, so everything before it is delivered or in quarantine by then,
// and what is delivered behind it will be again under the same ids.
func (h *handler) handle(ctx context.Context, batch events.KinesisEvent) (events.KinesisEventResponse, error) {
	start := h.now()
	if deadline, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadline(ctx, deadline.Add(-h.headRoom))
		defer cancel()
	}
	sound, broken := parse(batch)
	sum := newSummary(len(batch.Records))
	done, err := h.answer(ctx, sound, &sum) // records before this index of the batch are done
	if err == nil {
		done = len(batch.Records)
	}
	done, quarantineErr := h.keep(ctx, broken, done, &sum)
	err = errors.Join(err, quarantineErr)

	response := events.KinesisEventResponse{BatchItemFailures: []events.KinesisBatchItemFailure{}}
	if done < len(batch.Records) {
		first := batch.Records[done].Kinesis.SequenceNumber
		response.BatchItemFailures = append(response.BatchItemFailures, events.KinesisBatchItemFailure{ItemIdentifier: first})
	}
	sum.failed = len(batch.Records) - done
	h.report(ctx, batch, sum, start, err)
	return response, nil
}

// parse reads all records of the batch.
func parse(batch events.KinesisEvent) (sound, broken []record) {
	for i, r := range batch.Records {
		rec := record{index: i, position: position(r), data: r.Kinesis.Data}
		event, err := activity.Parse(r.Kinesis.Data)
		if err == nil {
			rec.event = event
			sound = append(sound, rec)
			continue
		}
		if !errors.As(err, &rec.fault) {
			rec.fault = &activity.Fault{Reason: activity.ReasonSchema, Message: "the event cannot be read"}
		}
		broken = append(broken, rec)
	}
	return sound, broken
}

// position reads where on the stream a record was: "arn:aws:kinesis:region:account:stream/NAME" (a consumer's goes on after
// the name) and "shardId-000000000000:SEQUENCE".
func position(r events.KinesisEventRecord) activity.Position {
	_, stream, _ := strings.Cut(r.EventSourceArn, ":stream/")
	stream, _, _ = strings.Cut(stream, "/")
	shard, _, _ := strings.Cut(r.EventID, ":")
	return activity.Position{
		Stream: stream, Shard: shard, SequenceNumber: r.Kinesis.SequenceNumber, PartitionKey: r.Kinesis.PartitionKey,
		ArrivedAt: r.Kinesis.ApproximateArrivalTimestamp.UTC(),
	}
}

// answer recommends and delivers, chunk by chunk. With an error it returns the batch's index of the first record that is not
// delivered; no chunk behind it was begun.
func (h *handler) answer(ctx context.Context, sound []record, sum *summary) (first int, err error) {
	for len(sound) > 0 {
		chunk := sound[:min(chunkEvents, len(sound))]
		failed, err := h.answerChunk(ctx, chunk, sum)
		if err != nil {
			return chunk[failed].index, err
		}
		sound = sound[len(chunk):]
	}
	return 0, nil
}

// answerChunk is answer for one chunk; failed is an index of the chunk.
func (h *handler) answerChunk(ctx context.Context, chunk []record, sum *summary) (failed int, err error) {
	if err := ctx.Err(); err != nil {
		return 0, fmt.Errorf("begin the next %d events: %w", len(chunk), err)
	}
	list := make([]*activity.Event, len(chunk))
	for i, r := range chunk {
		list[i] = r.event
	}
	answers, err := h.recommender.Batch(ctx, list)
	if err != nil {
		return 0, fmt.Errorf("recommend for %d events: %w", len(chunk), err)
	}
	now := h.now()
	lines := make([][]byte, len(chunk))
	for i, r := range chunk {
		if lines[i], err = answers[i].Record(r.data, r.event, r.position, now).AppendLine(nil); err != nil {
			return 0, fmt.Errorf("write record %s: %w", r.position.SequenceNumber, err)
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
	if len(missing) > 0 {
		return missing[0], err
	}
	return 0, err
}

// keep brings the broken records before done into quarantine; those behind come again with the rest. It returns the new done.
func (h *handler) keep(ctx context.Context, broken []record, done int, sum *summary) (int, error) {
	var due []record
	for _, r := range broken {
		if r.index < done {
			due = append(due, r)
		}
	}
	failures := make([]error, len(due))
	var group errgroup.Group
	group.SetLimit(quarantineWriters)
	for i, r := range due {
		group.Go(func() error {
			failures[i] = h.quarantine.Write(ctx, activity.Quarantined{
				Reason: r.fault.Reason, Message: r.fault.Message, EventID: activity.EventID(nil, r.position), Position: r.position,
				QuarantinedAt: h.now().UTC(), Data: r.data,
			})
			return nil
		})
	}
	_ = group.Wait() // the functions return nil
	var first error
	for i, err := range failures {
		if err == nil {
			sum.quarantined++
			continue
		}
		if first == nil {
			first, done = err, due[i].index
		}
	}
	return done, first
}
