// Package delivery hands recommendation records to a Firehose delivery stream. It owns the limits
// of PutRecordBatch and the retry of the entries that Firehose refused: an HTTP 200 with
// FailedPutCount > 0 is normal. What a record holds, and what becomes of an event whose record was
// not taken, is the caller's business.
package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"kindred/internal/platform/awsenv"
)

// Limits of PutRecordBatch, see
// https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html.
const (
	MaxBatchRecords = 500
	MaxBatchBytes   = 4 << 20
	MaxRecordBytes  = 1000 << 10
)

// Defaults of Config. Together the pauses of one batch come to 3 s on average: long enough for a
// throttle to pass, short beside the time limit of the function. The stream keeps the events for a
// later try.
const (
	defaultAttempts  = 6
	defaultBasePause = 100 * time.Millisecond
	defaultMaxPause  = 2 * time.Second
)

// ErrTooLarge says that a record is beyond MaxRecordBytes; no retry mends that.
var ErrTooLarge = errors.New("record is larger than Firehose takes")

// client makes one call of PutRecordBatch.
type client interface {
	putRecordBatch(ctx context.Context, records [][]byte) (*outcome, error)
}

// outcome is Firehose's answer: how many records it refused, and for each record in their order an
// error code or none.
type outcome struct {
	FailedPutCount   int
	RequestResponses []struct{ ErrorCode, ErrorMessage string }
}

// Config says how hard to try. The zero value has good defaults.
type Config struct {
	Attempts  int           // calls for one batch, the first included; defaults to 6
	BasePause time.Duration // upper bound of the first pause; doubles from one to the next; defaults to 100 ms
	MaxPause  time.Duration // upper bound of every pause; defaults to 2 s
}

// Delivery writes to one delivery stream. It is safe for concurrent use.
type Delivery struct {
	client client
	stream string
	config Config
}

// New makes a Delivery to the named delivery stream. It makes no request.
func New(e awsenv.Environment, stream string, config Config) (*Delivery, error) {
	c, err := newFirehose(e, stream)
	if err != nil {
		return nil, fmt.Errorf("deliver to %s: %w", stream, err)
	}
	return newDelivery(c, stream, config), nil
}

func newDelivery(c client, stream string, config Config) *Delivery {
	config.Attempts = cmp.Or(config.Attempts, defaultAttempts)
	config.BasePause = cmp.Or(config.BasePause, defaultBasePause)
	config.MaxPause = cmp.Or(config.MaxPause, defaultMaxPause)
	return &Delivery{c, stream, config}
}

// Put delivers the records in order, and returns the indexes of those that were not taken,
// ascending, with the reason of the last refusal. Both are nil when all were taken. After a batch
// that stayed incomplete the rest is not sent, because the caller will come back with all of it.
func (d *Delivery) Put(ctx context.Context, records [][]byte) (failed []int, err error) {
	for start := 0; start < len(records); {
		end, err := batchEnd(records, start)
		if err == nil {
			failed, err = d.putBatch(ctx, records, start, end)
		} else {
			failed, end = nil, start // the batch begins with a record that is too large
		}
		if err != nil {
			for i := end; i < len(records); i++ {
				failed = append(failed, i)
			}
			return failed, fmt.Errorf("put %d of %d records to delivery stream %s: %w", len(failed), len(records), d.stream, err)
		}
		start = end
	}
	return nil, nil
}

// batchEnd finds where the batch that begins at start ends. ErrTooLarge when not even its first
// record may be sent.
func batchEnd(records [][]byte, start int) (int, error) {
	end, size := start, 0
	for end < len(records) && end-start < MaxBatchRecords {
		n := len(records[end])
		if n > MaxRecordBytes {
			break
		}
		if size += n; size > MaxBatchBytes {
			break
		}
		end++
	}
	if end == start {
		return 0, fmt.Errorf("record %d has %d bytes: %w", start, len(records[start]), ErrTooLarge)
	}
	return end, nil
}

// putBatch sends records[start:end], then only what was refused, until all is taken or the attempts
// or the time are used up.
func (d *Delivery) putBatch(ctx context.Context, records [][]byte, start, end int) (failed []int, err error) {
	for i := start; i < end; i++ {
		failed = append(failed, i)
	}
	for attempt := 0; ; attempt++ {
		if failed, err = d.putOnce(ctx, records, failed); len(failed) == 0 {
			return nil, nil
		}
		if attempt+1 >= d.config.Attempts || !pause(ctx, d.pauseAfter(attempt)) {
			return failed, err
		}
	}
}

// putOnce makes one call for the records at the given indexes and returns those that were refused,
// with a reason.
func (d *Delivery) putOnce(ctx context.Context, records [][]byte, indexes []int) ([]int, error) {
	batch := make([][]byte, len(indexes))
	for i, index := range indexes {
		batch[i] = records[index]
	}
	out, err := d.client.putRecordBatch(ctx, batch)
	if err != nil {
		return indexes, err
	}
	if out.FailedPutCount == 0 {
		return nil, nil
	}
	var failed []int
	for i, response := range out.RequestResponses[:min(len(indexes), len(out.RequestResponses))] {
		if response.ErrorCode != "" {
			failed = append(failed, indexes[i])
			err = fmt.Errorf("refused with %s: %s", response.ErrorCode, response.ErrorMessage)
		}
	}
	if len(failed) != out.FailedPutCount { // nobody can say which: all of them, readers dedupe
		return indexes, fmt.Errorf("answer counts %d refused records and names %d", out.FailedPutCount, len(failed))
	}
	return failed, err
}

// pauseAfter is a random time up to a bound that doubles with each attempt ("full jitter"), so that
// the functions of many shards do not come back together.
func (d *Delivery) pauseAfter(attempt int) time.Duration {
	bound := d.config.MaxPause
	if attempt < 16 { // beyond, the shift says nothing that the bound does not
		bound = min(bound, d.config.BasePause<<attempt)
	}
	return rand.N(bound) + 1 //nolint:gosec // G404: jitter needs no secret randomness
}

// pause waits, and reports false when ctx ends within that time.
func pause(ctx context.Context, d time.Duration) bool {
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
