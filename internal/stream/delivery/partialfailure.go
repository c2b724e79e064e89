package delivery

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"kindred/internal/platform/retry"
)

// Put delivers the records in order, and returns the indexes of those that were not taken,
// ascending, with the reason of the last refusal. Both are nil when all were taken. After a batch
// that stayed incomplete the rest is not sent, because the caller will come back with all of it.
func (d *Delivery) Put(ctx context.Context, records [][]byte) (failed []int, err error) {
	for start := 0; start < len(records); {
		end, err := batchEnd(records, start)
		if err == nil {
			failed, err = d.putParts(ctx, records, start, end)
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

// putParts is putBatch, in halves while Firehose calls the whole call invalid. What it counts towards the
// limit of a call is not documented to the byte, and a call that is too large stays so at every try.
func (d *Delivery) putParts(ctx context.Context, records [][]byte, start, end int) (failed []int, err error) {
	failed, err = d.putBatch(ctx, records, start, end)
	if !invalid(err) || end-start < 2 {
		return failed, err
	}
	half := start + (end-start)/2
	if failed, err = d.putParts(ctx, records, start, half); err == nil {
		return d.putParts(ctx, records, half, end)
	}
	for i := half; i < end; i++ {
		failed = append(failed, i)
	}
	return failed, err
}

// invalid says that Firehose refused a call as such, not some of its records.
func invalid(err error) bool {
	var answer *retry.StatusError
	return errors.As(err, &answer) && strings.Contains(answer.Service, "InvalidArgument")
}

// putBatch sends records[start:end], then only what was refused, until all is taken or the attempts
// or the time are used up.
func (d *Delivery) putBatch(ctx context.Context, records [][]byte, start, end int) (failed []int, err error) {
	for i := start; i < end; i++ {
		failed = append(failed, i)
	}
	policy := retry.Policy{Tries: d.config.Attempts, Jitter: 1, // from 0 to the bound
		FirstPause: d.config.BasePause / 2, LongestPause: d.config.MaxPause / 2}
	err = policy.Do(ctx, func(ctx context.Context) (err error) {
		failed, err = d.putOnce(ctx, records, failed)
		return err
	})
	return failed, err
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
