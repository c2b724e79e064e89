package replay

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/kinesis"
	"github.com/aws/aws-sdk-go-v2/service/kinesis/types"
)

// Limits of PutRecords: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
const (
	maxRecords    = 500
	maxBatchBytes = 5 << 20 // data and partition keys together
)

// Patience with a stream that refuses records for its limits.
const (
	firstPause  = 50 * time.Millisecond
	longestWait = 5 * time.Second
	maxRefusals = 12 // calls in a row of which no record was taken: about 40 s
)

// putter is the one call of Kinesis that sending needs. A call that succeeds may still have refused some of its records.
type putter interface {
	PutRecords(ctx context.Context, in *kinesis.PutRecordsInput, options ...func(*kinesis.Options)) (*kinesis.PutRecordsOutput, error)
}

// record waits to be sent. Records of one key arrive in the order in which they were added.
type record struct {
	key  string
	data []byte
}

// sender sends records in batches. PutRecords keeps no order within a call, and may refuse a record while taking a
// later one; so a call carries at most one record of a key, and the next one of that key waits until it was taken.
type sender struct {
	client  putter
	stream  string
	pause   func(context.Context, time.Duration) error // waits; a test counts instead
	pending []record                                   // oldest first
	retries int                                        // records that were sent again
	refused int                                        // calls in a row without a record taken
}

// add queues a record.
func (s *sender) add(r record) { s.pending = append(s.pending, r) }

// flush sends one batch of what is pending and returns how many records the stream took. It waits when some were refused.
func (s *sender) flush(ctx context.Context) (int, error) {
	batch := s.batch()
	if len(batch) == 0 {
		return 0, nil
	}
	in := &kinesis.PutRecordsInput{StreamName: &s.stream}
	for _, at := range batch {
		r := s.pending[at]
		in.Records = append(in.Records, types.PutRecordsRequestEntry{PartitionKey: aws.String(r.key), Data: r.data})
	}
	out, err := s.client.PutRecords(ctx, in)
	if err != nil {
		return 0, s.explain(err)
	}
	if len(out.Records) != len(batch) {
		return 0, fmt.Errorf("put records to stream %s: %d answers for %d records", s.stream, len(out.Records), len(batch))
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
	s.drop(taken)
	return len(taken), s.wait(ctx, len(batch)-len(taken), len(taken), reason)
}

// batch chooses positions in pending: the oldest of each key, within the limits of one call.
func (s *sender) batch() []int {
	var chosen []int
	keys := map[string]bool{}
	size := 0
	for i, r := range s.pending {
		if keys[r.key] {
			continue
		}
		size += len(r.key) + len(r.data)
		if len(chosen) == maxRecords || (size > maxBatchBytes && len(chosen) > 0) {
			break
		}
		keys[r.key] = true
		chosen = append(chosen, i)
	}
	return chosen
}

// drop removes the records that were taken.
func (s *sender) drop(taken map[int]bool) {
	at := -1
	s.pending = slices.DeleteFunc(s.pending, func(record) bool {
		at++
		return taken[at]
	})
}

// wait pauses after refusals, longer each time that nothing at all was taken, and gives up in the end.
func (s *sender) wait(ctx context.Context, refused, taken int, reason string) error {
	if refused == 0 {
		s.refused = 0
		return nil
	}
	s.retries += refused
	if s.refused++; taken > 0 {
		s.refused = 1
	}
	if s.refused > maxRefusals {
		return fmt.Errorf("%w: stream %s refused %d records %d times, the last time with %s", ErrRefused, s.stream, refused, maxRefusals, reason)
	}
	longest := min(firstPause<<(s.refused-1), longestWait)
	return s.pause(ctx, longest/2+rand.N(longest/2)) // spread: other senders were refused at the same moment
}

// explain turns the one error that a user can mend into a sentence.
func (s *sender) explain(err error) error {
	var absent *types.ResourceNotFoundException
	if errors.As(err, &absent) {
		return fmt.Errorf("%w: %s does not exist here (`go run ./localstack provision` makes it)", ErrNoStream, s.stream)
	}
	return fmt.Errorf("put records to stream %s: %w", s.stream, err)
}

// sleep waits for d or the end of ctx.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
