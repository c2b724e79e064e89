// Package shardwriter sends records to a Kinesis data stream: in batches, those of one partition
// key in their order, what the stream refused again and alone. It owns batching, refusals and
// patience; what the records mean is the caller's.
package shardwriter

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"

	"kindred/internal/platform/envconfig"
	"kindred/internal/platform/retry"
)

// Limits of PutRecords: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
const (
	// MaxRecords is how many records a call takes.
	MaxRecords    = 500
	maxBatchBytes = 5 << 20 // data and partition keys together
)

// patience with a stream that refuses records for its limits: as many calls in a row of which no
// record was taken, about 35 s.
var patience = retry.Policy{Tries: 12, FirstPause: 40 * time.Millisecond, LongestPause: 4 * time.Second, Jitter: 0.25}

// putter is the one call of Kinesis that sending needs. A call that succeeds may still have refused
// some of its records.
type putter interface {
	PutRecords(ctx context.Context, in *kinesis.PutRecordsInput,
		options ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// Record is one record for the stream. Those of one key arrive in the order in which they were added.
type Record struct {
	Key  string
	Data []byte
}

// Writer sends records in batches. PutRecords keeps no order within a call, and may refuse a record
// while taking a later one; so a call carries at most one record of a key, and the next one of that
// key waits until it was taken. It is not safe for concurrent use.
type Writer struct {
	client  putter
	stream  string
	pause   func(context.Context, time.Duration) error
	pauses  retry.Pauses
	pending []Record // oldest first
	retries int
	refused int // calls in a row without a record taken
}

// New makes a Writer to the named stream. It makes no request. pause waits between calls, as
// retry.Sleep does; a test may count instead.
func New(client putter, stream string, pause func(context.Context, time.Duration) error) *Writer {
	return &Writer{client: client, stream: stream, pause: pause, pauses: patience.Pauses()}
}

// Add queues a record.
func (w *Writer) Add(r Record) { w.pending = append(w.pending, r) }

// Pending is the number of records that the stream has not taken yet.
func (w *Writer) Pending() int { return len(w.pending) }

// Retries is how many records were sent again because the stream had refused them.
func (w *Writer) Retries() int { return w.retries }

// Flush sends one batch of what is pending and returns how many records the stream took. It waits
// when some were refused.
func (w *Writer) Flush(ctx context.Context) (int, error) {
	batch := w.batch()
	if len(batch) == 0 {
		return 0, nil
	}
	in := &kinesis.PutRecordsInput{StreamName: &w.stream}
	for _, at := range batch {
		r := w.pending[at]
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(r.Key), Data: r.Data})
	}
	out, err := w.client.PutRecords(ctx, in)
	if err != nil {
		return 0, w.explain(err)
	}
	if len(out.Records) != len(batch) {
		return 0, fmt.Errorf("put records to stream %s: %d answers for %d records", w.stream, len(out.Records), len(batch))
	}
	taken := map[int]bool{}
	reason := ""
	for i, answer := range out.Records {
		if answer.ErrorCode == nil || *answer.ErrorCode == "" {
			taken[batch[i]] = true
		} else {
			reason = *answer.ErrorCode
		}
	}
	w.drop(taken)
	return len(taken), w.wait(ctx, len(batch)-len(taken), len(taken), reason)
}

// batch chooses positions in pending: the oldest of each key, within the limits of one call.
func (w *Writer) batch() []int {
	var chosen []int
	keys := map[string]bool{}
	size := 0
	for i, r := range w.pending {
		if keys[r.Key] {
			continue
		}
		size += len(r.Key) + len(r.Data)
		if len(chosen) == MaxRecords || (size > maxBatchBytes && len(chosen) > 0) {
			break
		}
		keys[r.Key] = true
		chosen = append(chosen, i)
	}
	return chosen
}

// drop removes the records that were taken.
func (w *Writer) drop(taken map[int]bool) {
	at := -1
	w.pending = slices.DeleteFunc(w.pending, func(Record) bool {
		at++
		return taken[at]
	})
}

// wait pauses after refusals, longer each time that nothing at all was taken, and gives up in the end.
func (w *Writer) wait(ctx context.Context, refused, taken int, reason string) error {
	if refused == 0 {
		w.refused = 0
		w.pauses.Reset()
		return nil
	}
	w.retries += refused
	if w.refused++; taken > 0 {
		w.refused = 1
		w.pauses.Reset()
	}
	if w.refused > patience.Tries {
		return fmt.Errorf("%w: stream %s refused %d records %d times, the last time with %s", ErrRefused, w.stream, refused,
			patience.Tries, reason)
	}
	return w.pause(ctx, w.pauses.Next())
}

// explain turns the one error that a user can correct into a sentence.
func (w *Writer) explain(err error) error {
	var absent *types.ResourceNotFoundException
	if errors.As(err, &absent) {
		return fmt.Errorf("%w: %s %w", ErrNoStream, w.stream, envconfig.ErrAbsent)
	}
	return fmt.Errorf("put records to stream %s: %w", w.stream, err)
}
